//! Pure types and rules: no sockets, no clocks, no database.
pub mod attempt;
pub mod boot;
pub mod butane;
pub mod delivery;
pub mod document;
pub mod firmware;
pub mod ignition;
pub mod inventory;
pub mod lease;
pub mod machine;
pub mod matcher;
pub mod profile;
pub mod script;
pub mod selector;
pub mod stage;
pub mod yaml;
