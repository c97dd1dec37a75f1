use super::{wait::SHORTEST_WAIT, *};
use proptest::prelude::*;

fn content(len: usize) -> Content {
    Arc::new((0..len).map(|i| (i / 512) as u8).collect::<Vec<u8>>())
}

fn ask(block_size: u16, window_size: u16) -> ReadRequest {
    ReadRequest { block_size: Some(block_size), window_size: Some(window_size), ..ReadRequest::default() }
}

fn begin(request: &ReadRequest, len: usize) -> (Transfer, Action, Instant) {
    let now = Instant::now();
    let (transfer, action) = Transfer::start(request, content(len), Limits::default(), now);
    (transfer, action, now)
}

fn bytes(transfer: &Transfer, number: u64) -> Vec<u8> {
    let mut out = vec![9; 3];
    transfer.packet(number, &mut out);
    out
}

fn ack(transfer: &mut Transfer, block: u64, now: Instant) -> Action {
    transfer.on_packet(&codec::encode_ack((block & 0xffff) as u16), now)
}

/// A client that takes blocks in order, as RFC 7440 has it, over a wire that loses what `lost` says. Gives
/// the file as received.
fn receive(request: &ReadRequest, len: usize, mut lost: impl FnMut(u64) -> bool) -> (Vec<u8>, Transfer) {
    let (mut transfer, mut action, mut now) = begin(request, len);
    let (mut got, mut expected, mut packets) = (Vec::new(), 0_u64, 0_u64);
    let window = u64::from(request.window_size.unwrap_or(1)).min(64);
    let mut blocks_since_ack = 0;
    loop {
        now += Duration::from_micros(300);
        let mut answer = None;
        match &action {
            Action::End(end) => {
                assert_eq!(*end, End::Sent);
                return (got, transfer);
            }
            Action::Wait => {}
            Action::Send(range) => {
                assert!(range.end - range.start <= window, "{range:?}");
                for number in range.clone() {
                    packets += 1;
                    if lost(packets) {
                        continue;
                    }
                    let packet = bytes(&transfer, number);
                    let data = packet.get(4..).filter(|_| packet[1] == 3);
                    let in_order =
                        u64::from(u16::from_be_bytes([packet[2], packet[3]])) == (expected + 1) & 0xffff;
                    if let Some(data) = data.filter(|_| in_order) {
                        got.extend(data);
                        (expected, blocks_since_ack) = (expected + 1, blocks_since_ack + 1);
                        if blocks_since_ack == window || data.len() < usize::from(transfer.block_size) {
                            (answer, blocks_since_ack) = (Some(expected), 0);
                        }
                    } else {
                        (answer, blocks_since_ack) = (Some(expected), 0);
                    }
                }
            }
        }
        packets += 1;
        action = match answer.filter(|_| !lost(packets)) {
            Some(block) => ack(&mut transfer, block, now),
            None => {
                now = transfer.deadline();
                transfer.on_timeout(now)
            }
        };
    }
}

#[test]
fn without_options_the_first_block_is_sent_at_once() {
    let (mut transfer, action, now) = begin(&ReadRequest::default(), 700);
    assert_eq!(action, Action::Send(1..2));
    assert_eq!(bytes(&transfer, 1).len(), 4 + 512);
    assert_eq!(ack(&mut transfer, 1, now), Action::Send(2..3));
    assert_eq!(bytes(&transfer, 2).len(), 4 + 188);
    assert_eq!(ack(&mut transfer, 2, now), Action::End(End::Sent));
    assert_eq!(transfer.acknowledged(), 700);
}

#[test]
fn a_file_that_fills_its_last_block_ends_with_an_empty_one() {
    for (len, last) in [(0, 1), (511, 1), (512, 2), (1024, 3)] {
        let (transfer, ..) = begin(&ReadRequest::default(), len);
        assert_eq!(transfer.last, last, "{len}");
        assert!(bytes(&transfer, last).len() < 4 + 512);
    }
}

#[test]
fn what_is_granted_is_what_was_asked_or_less() {
    let request = ReadRequest { transfer_size: true, timeout: Some(3), ..ask(65464, 65535) };
    let (transfer, action, _) = begin(&request, 1000);
    assert_eq!(action, Action::Send(0..1));
    assert_eq!(
        bytes(&transfer, 0),
        b"\0\x06tsize\x001000\0blksize\x001468\0timeout\x003\0windowsize\x0064\0"
    );
    let (transfer, ..) = begin(&ask(512, 4), 1000);
    assert_eq!(bytes(&transfer, 0), b"\0\x06blksize\x00512\0windowsize\x004\0");
    let limits = Limits { window_size: 1, ..Limits::default() };
    let (transfer, _) = Transfer::start(&ask(512, 4), content(9), limits, Instant::now());
    assert_eq!(bytes(&transfer, 0), b"\0\x06blksize\x00512\0", "windows are switched off");
}

#[test]
fn a_repeated_ack_is_ignored_when_blocks_go_one_by_one() {
    let (mut transfer, _, now) = begin(&ReadRequest::default(), 5000);
    assert_eq!(ack(&mut transfer, 1, now), Action::Send(2..3));
    for _ in 0..3 {
        assert_eq!(
            ack(&mut transfer, 1, now + Duration::from_millis(100)),
            Action::Wait,
            "the Sorcerer's Apprentice"
        );
    }
    assert_eq!(ack(&mut transfer, 0, now), Action::Wait);
    assert_eq!(ack(&mut transfer, 2, now), Action::Send(3..4));
}

#[test]
fn in_a_window_an_ack_says_from_where_to_go_on() {
    let (mut transfer, _, now) = begin(&ask(512, 4), 100_000);
    assert_eq!(ack(&mut transfer, 0, now), Action::Send(1..5));
    assert_eq!(ack(&mut transfer, 4, now), Action::Send(5..9));
    assert_eq!(ack(&mut transfer, 6, now), Action::Send(7..11), "7 was lost");
    assert_eq!(transfer.resent(), 2);
    assert_eq!(ack(&mut transfer, 4, now), Action::Wait, "of an earlier window");
    assert_eq!(ack(&mut transfer, 11, now), Action::Wait, "of what was never sent");
    let later = now + Duration::from_millis(1);
    for _ in 0..2 {
        assert_eq!(
            ack(&mut transfer, 6, later),
            Action::Wait,
            "of 8, which came behind the gap, and of a copy"
        );
    }
    assert_eq!(ack(&mut transfer, 6, later), Action::Send(7..11), "the first was lost again");
}

#[test]
fn a_lost_first_packet_is_sent_again_at_once_and_an_echo_of_the_last_window_is_not_heard() {
    let (mut transfer, _, mut now) = begin(&ask(512, 4), 100_000);
    for block in [0, 4] {
        now += Duration::from_millis(2);
        ack(&mut transfer, block, now);
    }
    let echo = now + Duration::from_micros(500);
    assert_eq!(ack(&mut transfer, 4, echo), Action::Wait, "sooner than any answer can be");
    let asked = now + Duration::from_millis(2);
    assert_eq!(ack(&mut transfer, 4, asked), Action::Send(5..9), "of 6, behind the gap");
    for block in [7, 8] {
        assert_eq!(ack(&mut transfer, 4, asked), Action::Wait, "of {block}, behind the gap");
    }
}

#[test]
fn where_a_crowd_has_gone_an_answer_that_comes_sooner_than_any_before_is_heard() {
    let (mut transfer, _, mut now) = begin(&ask(512, 4), 100_000);
    for block in [0, 4] {
        now += Duration::from_millis(300);
        ack(&mut transfer, block, now);
    }
    now = transfer.deadline();
    assert_eq!(transfer.on_timeout(now), Action::Send(8..9), "where are you?");
    now += Duration::from_millis(1);
    assert_eq!(ack(&mut transfer, 4, now), Action::Send(5..9), "still there: all four were lost");
    now = transfer.deadline();
    assert_eq!(transfer.on_timeout(now), Action::Send(8..9), "and again");
    now += Duration::from_millis(1);
    assert_eq!(ack(&mut transfer, 6, now), Action::Send(7..11), "it has two of them");
}

/// A client as EDK2 has it: each block that it does not expect is answered with what it has. Over a wire without loss but for
/// one packet; gives how many were sent for a thousand blocks.
fn with_edk2(window: u16, lost: u64) -> u64 {
    let (mut transfer, action, mut now) = begin(&ask(8, window), 8 * 1000 - 1);
    let (mut expected, mut in_window, mut sent) = (0, 0, 0);
    // What is on its way, in its order: the wire is longer than a window.
    let mut wire = std::collections::VecDeque::from([action]);
    while let Some(action) = wire.pop_front() {
        let Action::Send(range) = action else { continue };
        let mut answers = Vec::new();
        for number in range {
            sent += 1;
            if sent == lost {
                continue;
            }
            if number == expected && number > 0 {
                (expected, in_window) = (expected + 1, in_window + 1);
                if in_window < window && expected <= 1000 {
                    continue;
                }
            } else if number == 0 {
                expected = 1;
            }
            in_window = 0;
            answers.push(expected - 1);
        }
        for block in answers {
            now += Duration::from_micros(200);
            let action = ack(&mut transfer, block, now);
            if action == Action::End(End::Sent) {
                return sent;
            }
            wire.push_back(action);
        }
        if wire.iter().all(|action| *action == Action::Wait) {
            now = transfer.deadline();
            wire.push_back(transfer.on_timeout(now));
        }
    }
    panic!("it stands still at {expected}");
}

#[test]
fn one_lost_packet_is_not_answered_for_ever() {
    for window in [2, 4, 16, 64] {
        for lost in 2..300 {
            let sent = with_edk2(window, lost);
            let most = 1001 + 3 * u64::from(window);
            assert!(sent <= most, "window {window}, {lost} lost: {sent} packets");
        }
    }
}

#[test]
fn a_window_is_never_larger_than_a_socket_takes() {
    for (block, window) in [(512, 64), (1468, 64), (8968, 14), (65464, 2)] {
        let limits = Limits { block_size: LARGEST_BLOCK, ..Limits::default() };
        let (transfer, _) = Transfer::start(&ask(block, 64), content(9), limits, Instant::now());
        assert_eq!(transfer.window_size, window, "blocks of {block}");
    }
}

#[test]
fn what_an_interface_or_a_firmware_cannot_take_is_not_granted() {
    let limits = Limits { block_size: LARGEST_BLOCK, ..Limits::default() };
    let granted = |largest, block_size, window_size| {
        let limits = limits.within(largest, Caps { block_size, window_size });
        let (transfer, _) = Transfer::start(&ask(9000, 16), content(9), limits, Instant::now());
        bytes(&transfer, 0)
    };
    assert_eq!(granted(1468, None, None), b"\0\x06blksize\x001468\0windowsize\x0016\0");
    assert_eq!(granted(8968, Some(1024), Some(4)), b"\0\x06blksize\x001024\0windowsize\x004\0");
    assert_eq!(granted(1468, Some(1468), Some(1)), b"\0\x06blksize\x001468\0", "windows are switched off");
}

#[test]
fn firmware_that_asks_for_the_size_only_ends_it_at_once() {
    let request = ReadRequest { transfer_size: true, ..ask(1468, 4) };
    let (mut transfer, _, now) = begin(&request, 1000);
    let action = transfer.on_packet(b"\0\x05\0\x08User aborted the transfer\0", now);
    let message = "User aborted the transfer".to_owned();
    assert_eq!(action, Action::End(End::AbortedByClient { code: 8, message }));
    assert!(!transfer.has_progressed());
}

#[test]
fn a_silent_client_is_asked_more_rarely_and_then_given_up() {
    let (mut transfer, _, start) = begin(&ask(512, 4), 10_000);
    let (mut times, mut now) = (Vec::new(), start);
    let end = loop {
        let deadline = transfer.deadline();
        assert_eq!(transfer.on_timeout(now), Action::Wait, "not before its time");
        times.push((deadline - now).as_secs());
        now = deadline;
        match transfer.on_timeout(now) {
            Action::Send(range) => assert_eq!(range, 0..1),
            other => break other,
        }
    };
    assert_eq!(end, Action::End(End::TimedOut));
    assert_eq!(times, [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
}

#[test]
fn the_time_that_a_client_asked_for_is_kept() {
    let (mut transfer, _, now) = begin(&ReadRequest { timeout: Some(3), ..ReadRequest::default() }, 10);
    assert_eq!(transfer.deadline() - now, Duration::from_secs(3));
    assert_eq!(transfer.on_timeout(now + Duration::from_secs(3)), Action::Send(0..1));
    assert_eq!(transfer.deadline() - now, Duration::from_secs(6));
}

#[test]
fn on_a_fast_wire_a_lost_packet_costs_some_milliseconds_and_one_packet() {
    let (mut transfer, _, mut now) = begin(&ask(512, 4), 100_000);
    for block in (0..40).step_by(4) {
        now += Duration::from_micros(500);
        ack(&mut transfer, block, now);
    }
    assert_eq!(transfer.deadline() - now, SHORTEST_WAIT);
    now = transfer.deadline();
    assert_eq!(transfer.on_timeout(now), Action::Send(40..41), "where are you?");
    assert_eq!(ack(&mut transfer, 40, now), Action::Send(41..45), "its ACK was lost");
    assert_eq!(
        transfer.deadline() - now,
        2 * SHORTEST_WAIT,
        "that ACK says nothing of how far the client is"
    );
    now = transfer.deadline();
    for _ in 0..PROBES {
        assert_eq!(transfer.on_timeout(now), Action::Send(44..45));
        now = transfer.deadline();
    }
    assert_eq!(transfer.on_timeout(now), Action::Send(41..45), "it does not say");
    ack(&mut transfer, 44, now);
    now += Duration::from_micros(500);
    ack(&mut transfer, 48, now);
    assert_eq!(transfer.deadline() - now, SHORTEST_WAIT, "of a window that was sent once");
}

#[test]
fn a_client_that_becomes_slow_is_not_flooded() {
    let (mut transfer, mut action, mut now) = begin(&ask(512, 16), 1 << 20);
    let (mut sent, mut block) = (0, 0);
    while block < 1000 {
        let answered = now + if block < 100 { Duration::from_micros(100) } else { Duration::from_millis(90) };
        loop {
            if let Action::Send(range) = &action {
                sent += range.end - range.start;
            }
            if transfer.deadline() >= answered {
                break;
            }
            now = transfer.deadline();
            action = transfer.on_timeout(now);
        }
        now = answered;
        action = ack(&mut transfer, block, now);
        block += 16;
    }
    assert!(sent < 1050 + 16, "{sent} packets for a thousand");
}

#[test]
fn a_quick_client_that_resets_its_network_card_is_waited_for() {
    let (mut transfer, _, mut now) = begin(&ask(512, 4), 100_000);
    for block in (0..40).step_by(4) {
        now += Duration::from_micros(100);
        ack(&mut transfer, block, now);
    }
    let back = now + Duration::from_secs(24);
    let mut asked = 0;
    while transfer.deadline() < back {
        now = transfer.deadline();
        assert!(matches!(transfer.on_timeout(now), Action::Send(_)), "it is still waited for");
        asked += 1;
    }
    assert!((12..24).contains(&asked), "asked {asked} times");
    assert_eq!(ack(&mut transfer, 40, back), Action::Send(41..45));
}

#[test]
fn no_client_can_keep_a_transfer_for_ever() {
    let (mut transfer, _, now) = begin(&ReadRequest::default(), 5_000_000);
    let late = now + Limits::default().lifetime;
    assert_eq!(ack(&mut transfer, 1, late - Duration::from_secs(1)), Action::Send(2..3));
    assert_eq!(transfer.deadline(), late);
    assert_eq!(ack(&mut transfer, 2, late), Action::End(End::TimedOut));
    assert_eq!(transfer.on_packet(b"junk", late), Action::End(End::TimedOut));
}

#[test]
fn block_numbers_go_round_past_65535() {
    let len = 70_000 * 8 + 3;
    for window in [1, 64] {
        let (got, transfer) = receive(&ask(8, window), len, |_| false);
        assert_eq!(got, (*content(len)).as_ref(), "window {window}");
        assert_eq!(transfer.resent(), 0);
    }
}

#[test]
fn junk_changes_nothing() {
    let (mut transfer, _, now) = begin(&ask(512, 4), 5000);
    for packet in [&b""[..], b"\0\x01f\0octet\0", b"\0\x03\0\x01abc", b"\0\x06", b"\xff\xff"] {
        assert_eq!(transfer.on_packet(packet, now), Action::Wait);
    }
    assert_eq!(ack(&mut transfer, 0, now), Action::Send(1..5));
}

proptest! {
    #[test]
    fn a_file_arrives_whole_over_a_wire_that_loses(
        len in 0..60_000_usize, block in 8..1500_u16, window in 1..80_u16, seed in 1..u64::MAX, percent in 0..15_u64,
    ) {
        let mut random = seed;
        let lost = |_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % 100 < percent
        };
        let (got, transfer) = receive(&ask(block, window), len, lost);
        prop_assert!(got == (*content(len)).as_ref());
        prop_assert_eq!(transfer.acknowledged(), len as u64);
    }

    #[test]
    fn whatever_comes_it_sends_within_its_window_and_its_file(
        packets in proptest::collection::vec((any::<u8>(), any::<u16>(), 0..400_u64), 0..200), block: u16, window: u16,
    ) {
        let (mut transfer, _, mut now) = begin(&ask(block.max(8), window.max(1)), 20_000);
        for (kind, number, millis) in packets {
            now += Duration::from_millis(millis);
            let packet = [&[0, kind % 7][..], &number.to_be_bytes()].concat();
            for action in [transfer.on_packet(&packet, now), transfer.on_timeout(now)] {
                match action {
                    Action::Send(range) => prop_assert!(range.start < range.end && range.end <= transfer.last + 1 && range.end - range.start <= 64),
                    Action::Wait => {}
                    Action::End(_) => return Ok(()),
                }
            }
        }
    }
}

#[test]
fn a_request_that_comes_again_gets_the_oack_again_but_no_copy_does_and_no_block() {
    let (mut transfer, first, began) = begin(&ask(1468, 4), 5000);
    assert_eq!(first, Action::Send(0..1));
    let at = |ms| began + Duration::from_millis(ms);
    let oack = bytes(&transfer, 0);
    assert_eq!(transfer.on_request_again(at(99)), Action::Wait, "the network's copy");
    assert_eq!(transfer.on_request_again(at(100)), Action::Send(0..1));
    assert_eq!((bytes(&transfer, 0), transfer.resent()), (oack, 1));
    assert_eq!(transfer.on_request_again(at(199)), Action::Wait, "not more often than that");
    assert_eq!(transfer.deadline(), at(1100), "its time begins anew");
    assert_eq!(ack(&mut transfer, 0, at(300)), Action::Send(1..5));
    assert_eq!(transfer.on_request_again(at(900)), Action::Wait, "it was heard");

    let plain = ReadRequest::default();
    let (mut transfer, first, began) = begin(&plain, 5000);
    assert_eq!(first, Action::Send(1..2));
    assert_eq!(transfer.on_request_again(began + Duration::from_millis(900)), Action::Wait);

    let (mut transfer, _, began) = begin(&ask(1468, 4), 5000);
    let end = began + Limits::default().lifetime;
    assert_eq!(transfer.on_request_again(end), Action::End(End::TimedOut));
}
