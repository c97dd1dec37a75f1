//! The use cases: domain rules, the store and the clock put together. The edges (DHCP, TFTP, HTTP, reconcilers, CLI) call these.
pub mod access;
pub mod agents;
pub mod boots;
pub mod changes;
pub mod delivery;
pub mod explain;
pub mod files;
pub mod images;
pub mod journal;
pub mod leases;
pub mod machines;
pub mod roster;
pub mod views;
