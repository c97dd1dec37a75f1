//! The stories that prove the product, in one binary: `api` on this host's loopback, `postgres` (the same on a real PostgreSQL),
//! `network` with real clients in namespaces, `boot` with whole machines. A story that cannot run fails, unless its module is
//! switched off by name: `PILOTLIGHT_SKIP=boot,network`.

mod addresses;
mod api;
mod bad_wires;
mod bmc;
mod boot;
mod boot6;
mod capture;
mod clients;
mod dhcp;
mod dhcp6;
mod doctor;
mod explain;
mod faults;
mod firmwares;
mod frames;
mod git;
mod http_boot;
mod identity;
mod inbox;
mod net;
mod net6;
mod network;
mod player;
mod postgres;
mod probe;
mod profiles;
mod promises;
mod proxy;
mod render;
mod rig;
mod secrets;
mod sign_in;
mod storm;
mod syslog;
mod tftp;
mod tls;
mod unknown;
mod vault;
mod webhooks;
