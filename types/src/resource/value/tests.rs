use super::*;
use proptest::prelude::*;

#[test]
fn names_are_dns_labels() {
    for good in ["n1", "rack-a", "a", &"x".repeat(63)] {
        assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
    }
    for bad in ["", "-a", "a-", "A", "a.b", "a b", "ä", "${mac}", "a\n", &"x".repeat(64)] {
        assert!(bad.parse::<Name>().is_err(), "{bad}");
    }
}

#[test]
fn a_range_knows_its_ends_and_its_size() {
    let range: Ipv4Range = "10.77.0.100-10.77.0.200".parse().unwrap();
    assert_eq!(range.size(), 101);
    assert_eq!(range.nth(0), Some(range.first()));
    assert_eq!(range.nth(100), Some(range.last()));
    assert_eq!(range.nth(101), None);
    assert!(range.overlaps("10.77.0.200".parse().unwrap()));
    assert!(!range.overlaps("10.77.0.201-10.77.0.202".parse().unwrap()));
    assert!("10.77.0.2-10.77.0.1".parse::<Ipv4Range>().is_err());
    assert_eq!("0.0.0.0-255.255.255.255".parse::<Ipv4Range>().unwrap().size(), 1 << 32);
}

#[test]
fn durations_are_written_as_people_write_them() {
    for (text, seconds) in [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800), ("0s", 0)] {
        let duration: Duration = text.parse().unwrap();
        assert_eq!(duration.as_secs(), seconds);
        assert_eq!(duration.to_string(), text);
    }
    for bad in ["", "h", "1", "-1s", "1w", "1.5h", "99999999d", "+1s"] {
        assert!(bad.parse::<Duration>().is_err(), "{bad}");
    }
}

#[test]
fn a_label_that_could_leave_its_place_is_refused() {
    assert!(serde_json::from_str::<Labels>(r#"{"role":"worker"}"#).is_ok());
    for bad in [r#"{"role":"a b"}"#, r#"{"":"x"}"#, r#"{"a\n":"x"}"#, r#"{"a":"${x}"}"#] {
        assert!(serde_json::from_str::<Labels>(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_value_panic(text: String) {
        let _ = (text.parse::<Name>(), text.parse::<Ipv4Range>(), text.parse::<Duration>(), text.parse::<Sha256>());
    }

    #[test]
    fn digests_survive_printing(bytes: [u8; 32]) {
        let digest = Sha256::new(bytes);
        prop_assert_eq!(digest.to_string().parse::<Sha256>().unwrap(), digest);
    }
}

#[test]
fn link_rates_are_written_as_people_write_them() {
    for (text, bytes) in [("100Mbit", 12_500_000), ("1Gbit", 125_000_000), ("2500Mbit", 312_500_000)] {
        let rate: LinkRate = text.parse().unwrap();
        assert_eq!((rate.bytes(), rate.to_string().as_str()), (bytes, text));
    }
    assert_eq!("10000Mbit".parse::<LinkRate>().unwrap().to_string(), "10Gbit");
    for bad in ["", "1", "Gbit", "0Gbit", "-1Gbit", "+1Gbit", "1.5Gbit", "1 Gbit", "1gbit", "99999999Gbit"] {
        assert!(bad.parse::<LinkRate>().is_err(), "{bad}");
    }
}
