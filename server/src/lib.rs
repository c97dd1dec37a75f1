//! Pilotlight: turns racks of bare machines into running CoreOS hosts and Kubernetes nodes.
//!
//! Imports run downward: `app`, `cli` → edges (`dhcp`, `tftp`, `http`, `syslog`, `reconcile`) → `service` → `domain`, `store`, `bmc`. A test keeps it so.
//! docs/architecture.md is the map.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod app;
pub mod bmc;
pub mod capture;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dhcp;
pub mod dhcp6;
pub mod domain;
pub mod errors;
pub mod http;
pub mod interface;
pub mod lifecycle;
pub mod metrics;
pub mod neighbor;
pub mod reception;
pub mod reconcile;
pub mod secret;
pub mod service;
pub mod site;
pub mod store;
pub mod syslog;
pub mod tftp;
