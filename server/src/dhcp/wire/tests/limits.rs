//! Answers that do not fit.
use super::*;

fn big(name: usize) -> Reply {
    offer(Style::HttpClient, &format!("http://10.77.0.1/{}", "x".repeat(name)))
}

fn codes(bytes: &[u8]) -> Vec<u8> {
    sent(bytes).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn without_option_57_an_answer_is_at_most_a_576_byte_datagram() {
    let bytes = encode(&request(1, &[(code::RELAY_INFO, &[7; 100])]), &big(140));
    assert!(bytes.len() <= 548, "{}", bytes.len());
    assert!(codes(&bytes).contains(&code::BOOT_FILE) && codes(&bytes).contains(&code::RELAY_INFO));
}

#[test]
fn a_client_that_takes_more_is_sent_more_but_never_more_than_an_ethernet_frame() {
    let relay = [7; 150];
    for (max, all) in [(1472_u16, true), (0xff00, true), (0, false), (576, false)] {
        let got = request(1, &[(code::RELAY_INFO, &relay), (code::MAX_SIZE, &max.to_be_bytes())]);
        let bytes = encode(&got, &big(180));
        assert_eq!(codes(&bytes).contains(&code::DOMAIN), all, "{max}");
    }
    let got = request(
        1,
        &[(code::MAX_SIZE, &[255, 0]), (code::CLIENT_ID, &[7; 600]), (code::RELAY_INFO, &[7; 600])],
    );
    assert!(encode(&got, &big(180)).len() <= 1472);
}

#[test]
fn what_can_be_missed_goes_first() {
    let bytes = encode(&request(1, &[(code::RELAY_INFO, &[7; 60])]), &big(160));
    let left = codes(&bytes);
    assert!(!left.contains(&code::BROADCAST));
    for kept in [code::LEASE, code::MASK, code::ROUTERS, code::VENDOR_CLASS, code::BOOT_FILE] {
        assert!(left.contains(&kept), "{kept}");
    }
    assert!(!left.contains(&code::OVERLOAD), "there is room without");
}

#[test]
fn only_then_options_move_into_sname_and_file_and_are_read_back_there() {
    let got = request(1, &[(code::MACHINE_ID, &[0; 17]), (code::RELAY_INFO, &[7; 60])]);
    let bytes = encode(&got, &big(180));
    assert_eq!(option(&bytes, code::OVERLOAD), Some(vec![2]));
    assert_eq!(codes(&bytes).last(), Some(&code::RELAY_INFO), "82 neither moves nor goes");
    let moved: Vec<u8> = options::walk(&bytes[44..108]).map(|(code, _)| code).collect();
    assert!(!moved.is_empty() && !moved.contains(&code::RELAY_INFO), "{moved:?}");
    // Read as a request, for our own reader of overloaded fields.
    let mut read = bytes;
    read[0] = 1;
    let read = parse(&read).unwrap();
    assert_eq!(read.options.get(code::MACHINE_ID), Some(&[0; 17][..]));
    assert_eq!(read.options.get(code::BOOT_FILE).unwrap().len(), "http://10.77.0.1/".len() + 180 + 1);
}

#[test]
fn a_name_of_128_bytes_or_more_is_in_option_67_only_and_in_parts_above_255() {
    let got = request(1, &[(code::MAX_SIZE, &1472_u16.to_be_bytes())]);
    for (len, in_header) in [(127, true), (128, false), (254, false), (255, false), (400, false)] {
        let name = "n".repeat(len);
        let bytes = encode(&got, &offer(Style::HttpClient, &name));
        assert_eq!(bytes[108] != 0, in_header, "{len}");
        assert_eq!(bytes[235], 0);
        let parts: Vec<u8> =
            sent(&bytes).into_iter().filter(|(c, _)| *c == code::BOOT_FILE).flat_map(|(_, d)| d).collect();
        assert_eq!(parts, format!("{name}\0").into_bytes(), "{len}");
    }
}

#[test]
fn a_short_answer_is_padded_to_300() {
    let bytes = encode(&request(1, &[]), &Reply::new(ReplyKind::Ack, [10, 77, 0, 1].into()));
    assert_eq!(bytes.len(), 300);
    assert_eq!(bytes[249], code::END);
}
