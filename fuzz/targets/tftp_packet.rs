//! No packet makes the reader panic, and no name leads out of the shelf.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pilotlight::tftp::codec::{self, Packet};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Packet::Read(request)) = codec::parse(bytes) {
        assert!(request.block_size.is_none_or(|size| size >= 8));
        if let Some(name) = codec::clean_name(&request.name) {
            assert!(!name.starts_with('/') && name.split('/').all(|part| !part.is_empty() && part != ".."));
            assert!(!name.chars().any(char::is_control) && !name.contains('\\'));
        }
        let Ok(Packet::Read(again)) = codec::parse(&request.encode()) else { panic!("{request:?}") };
        assert_eq!(again, request);
    }
});
