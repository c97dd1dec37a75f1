//! The stories that prove the product, in one binary: `api` on this host's loopback, `postgres` (the same on a real PostgreSQL),
//! `network` with real clients in namespaces, `boot` with whole machines. A story that cannot run fails, unless its module is
//! switched off by name: `PILOTLIGHT_SKIP=boot,network`.

mod api;
mod boot;
mod capture;
mod clients;
mod dhcp;
mod faults;
mod firmwares;
mod net;
mod network;
mod player;
mod postgres;
mod proxy;
mod rig;
mod secrets;
mod storm;
mod tftp;
mod tls;
mod unknown;
