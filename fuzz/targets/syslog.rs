//! No datagram and no stream makes the reader of syslog panic, and what it keeps is bounded and safe on a terminal.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pilotlight::syslog::{frames::Frames, message};

fuzz_target!(|bytes: &[u8]| {
    let check = |bytes: &[u8]| {
        for line in message::read(bytes) {
            assert!(line.text.len() <= message::LONGEST && !line.text.chars().any(char::is_control));
            assert!(line.severity.is_none_or(|severity| severity <= 7));
        }
    };
    check(bytes);
    let mut frames = Frames::default();
    for part in bytes.chunks(7) {
        frames.take(part).iter().for_each(|frame| check(frame));
    }
    frames.rest().iter().for_each(|frame| check(frame));
});
