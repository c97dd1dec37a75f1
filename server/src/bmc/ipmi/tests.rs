use super::{
    handshake::{Handshake, HandshakeError},
    keys::{Keys, Suite},
    sdr, sel,
    wire::{Payload, Request, WireError, bare, read_bare, read_sealed, sealed},
};
use crate::secret::Secret;
use proptest::prelude::*;

const SUITES: [Suite; 2] = [Suite::Three, Suite::Seventeen];

fn keys(suite: Suite) -> Keys {
    Keys::new(suite, &[7; 32])
}

fn password(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// The BMC's side of the handshake, as the specification has it.
fn bmc(suite: Suite, key: &str, rakp1: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (bmc, ours, role) = (&rakp1[4..8], &rakp1[8..24], [&rakp1[24..25], &rakp1[27..]].concat());
    let console = 0x0102_0305_u32.to_le_bytes();
    let (chance, guid) = ([9_u8; 16], [8_u8; 16]);
    let code = suite.hmac(key.as_bytes(), &[&console, bmc, ours, &chance, &guid, &role]);
    let rakp2 = [&[0, 0, 0, 0][..], &console, &chance, &guid, &code].concat();
    let session_key = suite.hmac(key.as_bytes(), &[ours, &chance, &role]);
    let mut check = suite.hmac(&session_key, &[ours, bmc, &guid]);
    check.truncate(suite.tag_length());
    (rakp2, [&[0, 0, 0, 0][..], &console, &check].concat())
}

fn opened(suite: Suite, algorithms: [u8; 3]) -> Vec<u8> {
    let mut out = vec![0, 0, 4, 0];
    out.extend(0x0102_0305_u32.to_le_bytes());
    out.extend(0xaabb_ccdd_u32.to_le_bytes());
    for (kind, algorithm) in (0_u8..).zip(algorithms) {
        out.extend([kind, 0, 0, 8, algorithm, 0, 0, 0]);
    }
    assert_eq!(suite.algorithms().len(), 3);
    out
}

#[test]
fn both_sides_come_to_the_same_keys() {
    for suite in SUITES {
        let mut ours = Handshake::new(suite, "admin", &password("secret"), 0x0102_0305, [5; 16]);
        let rakp1 = ours.opened(&opened(suite, suite.algorithms())).unwrap();
        assert_eq!((&rakp1[24], &rakp1[27..]), (&0x14, &b"\x05admin"[..]));
        let (rakp2, rakp4) = bmc(suite, "secret", &rakp1);
        ours.challenged(&rakp2).unwrap();
        let open = ours.agreed(&rakp4).unwrap();
        assert_eq!(open.bmc, 0xaabb_ccdd);
    }
}

#[test]
fn a_bmc_that_does_not_know_the_password_gets_no_session() {
    let mut ours = Handshake::new(Suite::Seventeen, "admin", &password("secret"), 0x0102_0305, [5; 16]);
    let rakp1 = ours.opened(&opened(Suite::Seventeen, [3, 4, 1])).unwrap();
    let (rakp2, _) = bmc(Suite::Seventeen, "another", &rakp1);
    assert!(matches!(ours.challenged(&rakp2), Err(HandshakeError::Denied(_))));
}

#[test]
fn a_bmc_that_chooses_something_weaker_gets_no_session() {
    // No encryption; no integrity; no authentication; MD5.
    for weaker in [[3, 4, 0], [3, 0, 1], [0, 4, 1], [2, 2, 1], [1, 1, 1]] {
        let mut ours = Handshake::new(Suite::Seventeen, "admin", &password("secret"), 0x0102_0305, [5; 16]);
        assert_eq!(
            ours.opened(&opened(Suite::Seventeen, weaker)),
            Err(HandshakeError::NoSuite(17)),
            "{weaker:?}"
        );
    }
}

#[test]
fn a_packet_in_the_clear_is_no_answer_in_a_session() {
    let request = Request { function: 0, command: 1, data: &[] };
    let keys = keys(Suite::Three);
    let plain = bare(Payload::Ipmi, &request.encode(1));
    assert_eq!(read_sealed(&plain, &keys, 0), Err(WireError::Unprotected));
    let good = sealed(&keys, 7, 1, [1; 16], &request.encode(1));
    assert_eq!(read_sealed(&good, &keys, 8), Err(WireError::Session));
    // Whatever of it is changed.
    for at in 4..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert!(read_sealed(&bad, &keys, 7).is_err(), "byte {at}");
    }
}

#[test]
fn an_answer_is_to_what_was_asked() {
    let answer = |function: u8, number: u8, command: u8| {
        let mut out = vec![0x81, (function | 1) << 2];
        out.push(0_u8.wrapping_sub(out.iter().fold(0, |a: u8, b| a.wrapping_add(*b))));
        let rest = [0x20, number << 2, command, 0, 0x21, 0x10];
        out.extend(rest);
        out.push(0_u8.wrapping_sub(rest.iter().fold(0, |a: u8, b| a.wrapping_add(*b))));
        out
    };
    let request = Request { function: 0, command: 1, data: &[] };
    assert_eq!(request.read(5, &answer(0, 5, 1)), Ok(Some((0, vec![0x21, 0x10]))));
    for other in [answer(0, 4, 1), answer(0, 5, 2), answer(6, 5, 1)] {
        assert_eq!(request.read(5, &other), Ok(None));
    }
    let mut damaged = answer(0, 5, 1);
    damaged[7] ^= 1;
    assert_eq!(request.read(5, &damaged), Err(WireError::Checksum));
}

#[test]
fn a_log_entry_is_told_in_words() {
    let record = [0x34, 0x12, 0x02, 0, 0xa0, 0x90, 0x69, 0x20, 0, 4, 0x08, 0x51, 0x6f, 0x03, 0xff, 0xff];
    let entry = sel::entry(&record);
    assert_eq!((entry.id.as_str(), entry.severity.as_str()), ("1234", "critical"));
    assert_eq!(entry.message, "power supply sensor 0x51: its input is lost (data 03 ff ff)");
    assert!(entry.at.is_some());
    let over = sel::entry(&[0, 0, 2, 0, 0, 0, 1, 0, 0, 4, 0x01, 7, 0x81, 0x59, 0, 0]);
    assert_eq!((over.at, over.severity.as_str()), (None, "ok"));
    assert!(over.message.contains("is over"), "{}", over.message);
}

#[test]
fn a_reading_is_what_its_record_makes_of_it() {
    // A full record after its header: a temperature, linear, M = 1, with the name "CPU1 Temp".
    let mut body = vec![0; 43];
    (body[2], body[7], body[8], body[16], body[19]) = (0x30, 0x01, 0x01, 1, 1);
    body[42] = 0xc0 | 9;
    body.extend(b"CPU1 Temp");
    let record = sdr::record(0x01, &body).unwrap();
    let hot = sdr::judged(&record, &[95, 0xc0, 0x18]);
    assert_eq!((hot.name.as_str(), hot.value, hot.unit.as_deref()), ("CPU1 Temp", Some(95.0), Some("Cel")));
    assert_eq!(hot.health, "critical");
    // Volts: M = 12, and ten to the minus second.
    (body[16], body[19], body[24]) = (4, 12, 0xe0);
    let volts = sdr::judged(&sdr::record(0x01, &body).unwrap(), &[100, 0xc0, 0]);
    assert_eq!((volts.value, volts.unit.as_deref(), volts.health.as_str()), (Some(12.0), Some("V"), "ok"));
    // Nothing is measured while it is off.
    let off = sdr::judged(&record, &[95, 0xe0, 0]);
    assert_eq!((off.value, off.health.as_str()), (None, "unknown"));
}

proptest! {
    #[test]
    fn what_is_sealed_is_read_again(body in prop::collection::vec(any::<u8>(), 0..200), iv: [u8; 16], session: u32, sequence: u32) {
        for suite in SUITES {
            let keys = keys(suite);
            let packet = sealed(&keys, session, sequence, iv, &body);
            prop_assert_eq!(read_sealed(&packet, &keys, session), Ok((sequence, body.clone())));
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..120_usize, at in 0..120_usize, to: u8) {
        let keys = keys(Suite::Three);
        let request = Request { function: 0, command: 1, data: &[] };
        let _ = read_bare(&bytes, Payload::Rakp2);
        drop(read_sealed(&bytes, &keys, 0));
        drop(request.read(1, &bytes));
        drop(sdr::record(0x01, &bytes).map(|record| sdr::judged(&record, &bytes)));
        drop(sdr::record(0x02, &bytes));
        let mut near = sealed(&keys, 7, 1, [1; 16], &bytes);
        if let Some(byte) = near.get_mut(at) { *byte = to; }
        near.truncate(near.len().saturating_sub(cut));
        drop(read_sealed(&near, &keys, 7));
        let mut handshake = Handshake::new(Suite::Three, "admin", &password("x"), 1, [0; 16]);
        drop(handshake.opened(&bytes));
        drop(handshake.challenged(&bytes));
        drop(handshake.agreed(&bytes));
    }
}
