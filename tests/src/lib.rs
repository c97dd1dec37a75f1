//! What Pilotlight is proven with.

pub mod client;
pub mod daemon;
pub mod rack;
