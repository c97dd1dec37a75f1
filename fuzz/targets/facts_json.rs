//! No bytes make the reader of facts panic, and facts that were read are written and read again as they are.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pilotlight_types::facts::Facts;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(facts) = serde_json::from_slice::<Facts>(bytes) {
        let _ = facts.check();
        let text = serde_json::to_vec(&facts).expect("facts that were read can be written");
        let again: Facts = serde_json::from_slice(&text).expect("and read again");
        assert_eq!(serde_json::to_vec(&again).expect("twice"), text);
    }
});
