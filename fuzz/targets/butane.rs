//! No Butane text makes the transpiler panic.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = pilotlight::domain::butane::transpile(text);
    }
});
