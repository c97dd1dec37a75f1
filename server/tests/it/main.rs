//! The services and the HTTP API of the daemon in one process, on SQLite and on a real PostgreSQL.
mod agents;
mod changes;
mod delivery;
mod http;
mod leases;
mod machines;
mod postgres;
mod rig;
mod store;
