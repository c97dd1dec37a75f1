//! What Pilotlight is proven with.

pub mod bench;
pub mod bmc;
pub mod client;
pub mod daemon;
pub mod demo;
pub mod fleet;
pub mod rack;
pub mod sim;
pub mod vault;
