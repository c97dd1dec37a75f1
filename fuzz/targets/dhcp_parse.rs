//! No packet makes the reader or the classifier panic.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pilotlight::{dhcp::wire, domain::firmware};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = wire::parse(bytes) {
        let seen = firmware::classify(&request.identity());
        assert!(request.archs.is_empty() || seen.arch.is_some());
        let _ = (request.mac(), request.link(), request.relay_sub_option(1));
    }
    // The lenient reader takes whatever the strict one does, and what it shows is safe on a terminal.
    match wire::Packet::read(bytes) {
        Ok(packet) => assert!(packet.view().to_string().chars().all(|c| c == '\n' || !c.is_control())),
        Err(_) => assert!(wire::parse(bytes).is_err()),
    }
});
