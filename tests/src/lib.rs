//! What Pilotlight is proven with.

pub mod rack;
