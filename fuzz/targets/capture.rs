//! No file makes the reader of captures panic, and no datagram is longer than the file.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pilotlight::capture;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(datagrams) = capture::datagrams(bytes) {
        assert!(datagrams.iter().map(|datagram| datagram.content.len()).sum::<usize>() <= bytes.len());
    }
});
