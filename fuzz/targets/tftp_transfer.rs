//! A transfer stays within its window, its file and its time, whatever a client sends and when.
//! Input: an RRQ with its length before it, two bytes of file size, then packets: length, tenths of seconds, bytes.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pilotlight::tftp::{
    codec::{self, Packet},
    transfer::{Action, Limits, Transfer},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Takes the next piece with a length byte before it.
fn piece<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first()?;
    let (piece, after) = after.split_at_checked((*len).into())?;
    *rest = after;
    Some(piece)
}

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let Some(Ok(Packet::Read(request))) = piece(&mut rest).map(codec::parse) else { return };
    let Some((size, after)) = rest.split_first_chunk() else { return };
    rest = after;
    let size = usize::from(u16::from_be_bytes(*size));
    let limits = Limits::default();
    let start = Instant::now();
    let (mut transfer, mut action) = Transfer::start(&request, Arc::new(vec![7_u8; size]), limits, start);
    let (mut now, mut out, mut first) = (start, Vec::new(), true);
    let window = u64::from(request.window_size.unwrap_or(1).min(limits.window_size));
    let block = usize::from(request.block_size.unwrap_or(512).min(limits.block_size));
    loop {
        match action {
            Action::End(_) => return,
            Action::Wait => assert!(!first),
            Action::Send(range) => {
                assert!(
                    range.start < range.end && range.end - range.start <= window,
                    "{range:?} of {window}"
                );
                for number in range {
                    transfer.packet(number, &mut out);
                    assert!(out.len() <= 4 + block.max(100));
                }
            }
        }
        first = false;
        assert!(transfer.deadline() <= start + limits.lifetime && transfer.acknowledged() <= size as u64);
        let Some((tenths, after)) = rest.split_first() else { return };
        rest = after;
        now += Duration::from_millis(u64::from(*tenths) * 100);
        action = match piece(&mut rest) {
            Some(packet) => transfer.on_packet(packet, now),
            None => transfer.on_timeout(now),
        };
    }
});
