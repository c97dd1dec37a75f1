//! What the Pilotlight server, its agent, its clients and its tests say to each other: ids, times, resources, facts and
//! the bodies of the REST and agent APIs. Plain data with serde, no logic beyond parsing and printing.

pub mod agent;
pub mod api;
pub mod facts;
mod id;
pub mod identity;
mod mac;
pub mod resource;
mod schema;
mod time;

pub use id::{BootId, EventId, MachineId, OperationId, TokenId};
pub use mac::{Mac, MacError};
pub use time::{Timestamp, TimestampError};
