//! The services and the HTTP API of the daemon in one process, on SQLite and on a real PostgreSQL.
mod access;
mod agents;
mod boots;
mod changes;
mod clear;
mod delivery;
mod dhcp;
mod events;
mod firmware;
mod http;
mod leases;
mod machines;
mod pacing;
mod postgres;
mod rig;
mod store;
