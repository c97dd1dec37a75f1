//! Whatever clients send, one after the other: no address is given twice, nobody is answered who may not be, and answers are bounded.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pilotlight_fuzz::dhcp::run(bytes));
