//! TFTP for firmware: boot programs only, read only (RFC 1350, with the options of RFC 2347 to 2349 and 7440).
pub mod codec;
pub mod desk;
mod engine;
pub mod files;
pub mod listener;
mod socket;
pub mod transfer;
