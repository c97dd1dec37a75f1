use super::*;
use pilotlight_types::{EventId, api::Event};
use proptest::prelude::*;
use std::net::IpAddr;

const MANNER: Manner = Manner {
    first: Duration::from_secs(5),
    longest: Duration::from_secs(3600),
    give_up: Duration::from_secs(86_400),
};

/// 32 bytes, as base64 of the same letter again and again.
fn key(letter: char) -> Key {
    Key::parse(&format!("whsec_{}=", letter.to_string().repeat(42) + "A")).unwrap()
}

fn patterns(texts: &[&str]) -> Vec<EventPattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn an_event_is_taken_by_its_kind() {
    for (pattern, kind) in [
        ("*", "boot.failed"),
        ("boot.*", "boot.failed"),
        ("*.failed", "boot.failed"),
        ("boot.failed", "boot.failed"),
        ("b*t.*ed", "boot.failed"),
        ("**", "a"),
        ("a*a", "aa"),
    ] {
        assert!(takes(&patterns(&[pattern]), kind), "{pattern} {kind}");
    }
    for (pattern, kind) in [
        ("boot", "boot.failed"),
        ("boot.*", "reboot.failed"),
        ("*.fail", "boot.failed"),
        ("a*a", "a"),
        ("boot.failed", "boot.fail"),
        ("a*b*c", "acb"),
    ] {
        assert!(!takes(&patterns(&[pattern]), kind), "{pattern} {kind}");
    }
    assert!(takes(&patterns(&["a.b", "machine.*"]), "machine.stage"));
}

#[test]
fn a_delivery_is_tried_ever_more_seldom_and_once_more_at_the_end() {
    let (start, mut now, mut tries) = (Timestamp::from_micros(0), Timestamp::from_micros(0), 0);
    let expires = start.plus(MANNER.give_up);
    let mut waits = Vec::new();
    loop {
        tries += 1;
        match MANNER.next(Outcome::Failed(None), tries, now, expires, u16::MAX / 2) {
            Next::Again(due) => {
                waits.push(due.since(now).as_secs());
                now = due;
            }
            Next::Dead => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waits[..10], [4, 9, 19, 39, 79, 159, 319, 639, 1279, 2559]);
    assert_eq!(waits[10], 3599);
    assert_eq!(now, expires, "the last try is at the end");
    assert_eq!(tries, 34);
}

#[test]
fn what_the_receiver_says_counts() {
    let (now, expires) = (Timestamp::from_micros(0), Timestamp::from_micros(86_400_000_000));
    let next = |outcome| MANNER.next(outcome, 1, now, expires, 0);
    assert_eq!(next(Outcome::Delivered), Next::Done);
    assert_eq!(next(Outcome::Gone), Next::Pause);
    let told = Outcome::Failed(Some(Duration::from_secs(600)));
    assert_eq!(next(told), Next::Again(Timestamp::from_micros(600_000_000)));
    let never = Outcome::Failed(Some(Duration::from_secs(u64::from(u32::MAX))));
    assert_eq!(next(never), Next::Again(expires), "it does not outlive its time");
    assert_eq!(MANNER.next(told, 9, expires, expires, 0), Next::Dead);
}

#[test]
fn a_receiver_that_fails_whatever_it_is_sent_is_spared() {
    assert_eq!(MANNER.spare(0), (AT_ONCE, Duration::ZERO));
    assert_eq!(MANNER.spare(FEW - 1), (AT_ONCE, Duration::ZERO));
    let (at_once, pause) = MANNER.spare(FEW);
    assert_eq!((at_once, pause.as_secs()), (1, 4));
    assert_eq!(MANNER.spare(u32::MAX), (1, Duration::from_secs(60)));
}

#[test]
fn retry_after_is_a_number_or_a_date() {
    let now: Timestamp = "2026-11-24T02:00:00Z".parse().unwrap();
    assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
    assert_eq!(retry_after(" 0 ", now), Some(Duration::ZERO));
    assert_eq!(retry_after("Tue, 24 Nov 2026 02:00:30 GMT", now), Some(Duration::from_secs(30)));
    assert_eq!(retry_after("Tue, 24 Nov 2020 02:00:30 GMT", now), Some(Duration::ZERO));
    assert!(retry_after("99999999999999999999999999", now).is_some());
    for bad in ["", "soon", "-5", "1.5"] {
        assert_eq!(retry_after(bad, now), None, "{bad}");
    }
}

/// The example of the specification (standard-webhooks/spec, "Signature scheme") with its library's key.
#[test]
fn a_signature_is_the_one_that_the_librarys_own_test_has() {
    let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let signed = signatures(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn while_keys_are_rotated_each_signs() {
    let (new, old) = (key('A'), key('B'));
    let both = signatures(&[new.clone(), old.clone()], "a", 1, "{}");
    assert_eq!(both, format!("{} {}", signatures(&[new], "a", 1, "{}"), signatures(&[old], "a", 1, "{}")));
    assert_eq!(signatures(&[], "a", 1, "{}"), "");
}

#[test]
fn what_is_no_key_is_not_repeated() {
    for bad in ["", "hunter2", "whsec_", "whsec_aHVudGVyMg==", "whsec_!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    {
        let error = Key::parse(bad).unwrap_err();
        assert!(!error.to_string().contains("hunter"), "{error}");
    }
    assert_eq!(format!("{:?}", key('A')), "Key(secret)");
}

#[test]
fn what_trusts_the_daemon_is_not_reached() {
    let reach = Reach::default();
    let may =
        |reach: &Reach, host: &str, ip: &str| reach.permits(host, ip.parse::<IpAddr>().unwrap()).is_ok();
    for bad in [
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "::127.0.0.1",
    ] {
        assert!(!may(&reach, "hooks.example", bad), "{bad}");
    }
    for good in
        ["10.0.0.1", "192.168.1.1", "172.16.0.1", "8.8.8.8", "2001:db8::1", "fd12::1", "64:ff9b::808:808"]
    {
        assert!(may(&reach, "hooks.example", good), "{good}");
    }
    let open = Reach { networks: vec!["127.0.0.0/8".parse().unwrap()], hosts: vec!["sink.local".into()] };
    assert!(may(&open, "x", "127.0.0.1") && may(&open, "x", "::ffff:127.0.0.1") && !may(&open, "x", "::1"));
    assert!(may(&open, "Sink.local.", "169.254.169.254") && !may(&open, "other", "169.254.169.254"));
}

#[test]
fn a_url_is_read_as_the_client_reads_it() {
    for (text, address) in [
        ("https://hooks.example/x?token=1", None),
        ("http://2130706433/", Some("127.0.0.1")),
        ("http://0x7f.1:8080/", Some("127.0.0.1")),
        ("https://[::ffff:169.254.169.254]/", Some("::ffff:169.254.169.254")),
    ] {
        let found = target(text).unwrap().address;
        assert_eq!(found, address.map(|ip| ip.parse().unwrap()), "{text}");
    }
    for bad in [
        "",
        "hooks.example",
        "ftp://a/",
        "https://a:b@c/",
        "https://a/#b",
        "file:///etc/passwd",
        "https://",
        "https://a b/",
    ] {
        assert!(target(bad).is_err(), "{bad}");
    }
    assert!(target(&format!("https://a/{}", "x".repeat(3000))).is_err());
}

#[test]
fn an_answer_is_shown_without_secrets_and_cut() {
    let secrets = ["hunter2".to_owned(), "hunter2-and-more".to_owned(), String::new()];
    assert_eq!(masked("no hunter2-and-more, hunter2\u{1b}[0m", &secrets, 100), "no <secret>, <secret> [0m");
    assert_eq!(masked("ääää", &[], 3), "ä");
}

#[test]
fn the_body_is_a_cloud_event() {
    let event = Event {
        seq: 7,
        id: EventId::new(Timestamp::from_micros(1), [1; 10]),
        at: "2026-11-24T02:00:00Z".parse().unwrap(),
        kind: "boot.failed".into(),
        object: "machine/n1".into(),
        actor: "pilotlight".into(),
        boot: None,
        message: "it \"fell\" silent".into(),
        data: BTreeMap::new(),
    };
    let read: serde_json::Value = serde_json::from_str(&body("dc1", &event)).unwrap();
    for (key, value) in [
        ("specversion", "1.0"),
        ("source", "/pilotlight/dc1"),
        ("type", "boot.failed"),
        ("subject", "machine/n1"),
        ("time", "2026-11-24T02:00:00.000000Z"),
        ("text", "machine/n1: it \"fell\" silent"),
    ] {
        assert_eq!(read[key], value, "{key}");
    }
    assert_eq!(read["id"], event.id.to_string());
    assert_eq!(serde_json::from_value::<Event>(read["data"].clone()).unwrap(), event);
}

proptest! {
    /// The obvious way, which tries every split.
    #[test]
    fn a_pattern_takes_what_the_obvious_way_takes(pattern in "[ab*]{1,8}", text in "[ab]{0,10}") {
        fn obvious(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'*', rest)) => (0..=text.len()).any(|at| obvious(rest, &text[at..])),
                Some((first, rest)) => text.split_first().is_some_and(|(t, after)| t == first && obvious(rest, after)),
            }
        }
        prop_assert_eq!(is_like(&pattern, &text), obvious(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn a_pause_is_within_its_bounds(tries in 1_u32.., chance: u16, after in proptest::option::of(0_u64..1_000_000)) {
        let (now, expires) = (Timestamp::from_micros(0), Timestamp::from_micros(0).plus(MANNER.give_up));
        let outcome = Outcome::Failed(after.map(Duration::from_secs));
        let Next::Again(due) = MANNER.next(outcome, tries, now, expires, chance) else { panic!() };
        prop_assert!(due > now && due <= expires);
        let wait = due.since(now);
        prop_assert!(wait >= Duration::from_millis(3750));
        if after.is_none() {
            prop_assert!(wait <= MANNER.longest.mul_f64(1.25));
        }
    }

    /// Whatever is around it, and wherever it is cut.
    #[test]
    fn no_answer_shows_a_secret(before in "[a-z]{0,40}", secret in "[A-Z0-9]{8,20}", after in "[a-z]{0,40}", most in 0_usize..120) {
        let shown = masked(&format!("{before}{secret}{after}"), std::slice::from_ref(&secret), most);
        prop_assert!(!shown.contains(&secret) && shown.len() <= most);
        // Nor a part of it at the end.
        prop_assert!(!shown.bytes().any(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{}", shown);
    }

    /// What was read of an answer may end anywhere within one.
    #[test]
    fn no_beginning_of_a_secret_is_left_at_the_end(secret in "[A-Z]{8,40}", cut in 0_usize..40, times in 0_usize..3) {
        let answer = format!("{}{}", secret.repeat(times), &secret[..cut.min(secret.len() - 1)]);
        let shown = masked(&answer, std::slice::from_ref(&secret), 1024).replace("<secret>", "");
        prop_assert!(shown.len() < 4, "{}", shown);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in ".{0,80}") {
        drop(target(&text));
        drop(Key::parse(&text));
        let _: Option<Duration> = retry_after(&text, Timestamp::from_micros(0));
    }
}
