use super::*;
use proptest::prelude::*;

fn mac(last: u8) -> Mac {
    Mac::new([0x52, 0x54, 0, 0, 0, last])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn pool(ranges: &[Ipv4Range]) -> Pool<'_> {
    Pool { ranges, reserved: None, set_aside: &|_| false }
}

#[test]
fn firmware_ipxe_and_the_os_get_the_same_address() {
    let ranges = ["10.77.0.100-10.77.0.200".parse().unwrap()];
    let mut book = LeaseBook::default();
    let first = book.offer(mac(1), None, pool(&ranges), at(0)).unwrap();
    book.bind(mac(1), first.ip, at(3600));
    for later in [10, 1000, 4000, 90_000] {
        assert_eq!(book.offer(mac(1), None, pool(&ranges), at(later)).unwrap().ip, first.ip);
    }
}

#[test]
fn a_reserved_address_goes_to_its_machine_and_to_nobody_else() {
    let ranges = ["10.77.0.100-10.77.0.101".parse().unwrap()];
    let reserved: Ipv4Addr = "10.77.0.100".parse().unwrap();
    let set_aside = |ip| ip == reserved;
    let mut book = LeaseBook::default();
    let others = Pool { ranges: &ranges, reserved: None, set_aside: &set_aside };
    assert_ne!(book.offer(mac(1), Some(reserved), others, at(0)).unwrap().ip, reserved);
    assert_eq!(book.offer(mac(2), None, others, at(0)), Err(NoAddress::Exhausted));
    let its_own = Pool { reserved: Some(reserved), ..others };
    assert_eq!(book.offer(mac(3), None, its_own, at(0)).unwrap().ip, reserved);
}

#[test]
fn an_address_that_somebody_else_uses_is_left_alone_for_an_hour() {
    let ranges = ["10.77.0.100".parse().unwrap()];
    let mut book = LeaseBook::default();
    let lease = book.offer(mac(1), None, pool(&ranges), at(0)).unwrap();
    book.bind(mac(1), lease.ip, at(3600));
    assert!(book.decline(mac(2), lease.ip, at(1)).is_none(), "only its holder can decline it");
    assert!(book.decline(mac(1), lease.ip, at(1)).is_some());
    assert_eq!(book.offer(mac(1), None, pool(&ranges), at(2)), Err(NoAddress::Exhausted));
    assert!(book.offer(mac(1), None, pool(&ranges), at(3602)).is_ok());
}

#[test]
fn a_full_range_hands_out_the_lease_that_ended_first() {
    let ranges = ["10.77.0.100-10.77.0.101".parse().unwrap()];
    let mut book = LeaseBook::default();
    let a = book.offer(mac(1), None, pool(&ranges), at(0)).unwrap().ip;
    book.bind(mac(1), a, at(100));
    let b = book.offer(mac(2), None, pool(&ranges), at(0)).unwrap().ip;
    book.bind(mac(2), b, at(50));
    assert_eq!(book.offer(mac(3), None, pool(&ranges), at(20)), Err(NoAddress::Exhausted));
    assert_eq!(book.offer(mac(3), None, pool(&ranges), at(200)).unwrap().ip, b);
}

proptest! {
    #[test]
    fn no_address_is_ever_given_to_two_clients_at_once(
        steps in prop::collection::vec((0..12u8, 0..6u8, 0..400i64, any::<bool>()), 1..200)
    ) {
        let ranges = ["10.77.0.100-10.77.0.104".parse().unwrap()];
        let mut book = LeaseBook::default();
        let mut held: HashMap<Ipv4Addr, (Mac, Timestamp)> = HashMap::new();
        let mut now = 0;
        for (client, what, wait, by_name) in steps {
            now += wait;
            let client = mac(client);
            match what {
                0..=2 => {
                    let asked = by_name.then(|| "10.77.0.102".parse().unwrap());
                    if let Ok(lease) = book.offer(client, asked, pool(&ranges), at(now)) {
                        prop_assert!(ranges[0].contains(lease.ip));
                        prop_assert!(held.get(&lease.ip).is_none_or(|(mac, end)| *mac == client || *end <= at(now)));
                        if by_name && book.may_have(client, lease.ip, pool(&ranges), at(now)) {
                            book.bind(client, lease.ip, at(now + 300));
                            held.retain(|_, (mac, _)| *mac != client);
                            held.insert(lease.ip, (client, at(now + 300)));
                        }
                    }
                }
                3 => {
                    if let Some(lease) = book.of(client, at(now)) {
                        book.release(client, lease.ip);
                        held.remove(&lease.ip);
                    }
                }
                4 => {
                    if let Some(lease) = book.of(client, at(now)) && book.decline(client, lease.ip, at(now)).is_some() {
                        held.remove(&lease.ip);
                    }
                }
                _ => {}
            }
            for (ip, (mac, end)) in &held {
                if *end > at(now) { prop_assert_eq!(book.holder(*ip, at(now)), Some(*mac)); }
            }
        }
    }
}
