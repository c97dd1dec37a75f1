//! Whatever clients send, at the port and in their transfers: each gets its own file and no more than it asked for, and all of it ends.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pilotlight_fuzz::tftp::run(bytes));
