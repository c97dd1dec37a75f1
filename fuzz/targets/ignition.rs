//! No JSON makes the Ignition validator panic.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(config) = serde_json::from_slice::<serde_json::Value>(bytes) {
        let _ = pilotlight::domain::ignition::validate(&config);
    }
});
