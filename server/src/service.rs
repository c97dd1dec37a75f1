//! The use cases: domain rules, the store and the clock put together. The edges (DHCP, TFTP, HTTP, reconcilers, CLI) call these.
pub mod access;
pub mod agents;
pub mod audit;
pub mod boots;
pub mod callers;
pub mod changes;
pub mod configs;
pub mod console;
pub mod content;
pub mod delivery;
pub mod explain;
pub mod files;
pub mod firmware;
pub mod history;
pub mod images;
pub mod journal;
pub mod leases;
pub mod leases6;
pub mod machines;
pub mod next_boots;
pub mod oidc;
pub mod operations;
pub mod pacing;
pub mod ports;
pub mod revisions;
pub mod roster;
pub mod scopes;
pub mod secrets;
pub mod sessions;
pub mod sightings;
pub mod users;
pub mod views;
pub mod webhooks;

/// How a use case fails when the database does.
pub use crate::store::StoreError;
