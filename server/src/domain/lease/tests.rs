use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

fn mac(last: u8) -> Mac {
    Mac::new([0x52, 0x54, 0, 0, 0, last])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn pool(ranges: &[Ipv4Range]) -> Pool<'_> {
    Pool { ranges, reserved: None, set_aside: &|_| false, in_use: &|_| false, declared: true, kept: 0 }
}

#[test]
fn firmware_ipxe_and_the_os_get_the_same_address() {
    let ranges = ["10.77.0.100-10.77.0.200".parse().unwrap()];
    let mut book = LeaseBook::default();
    let first = book.offer(mac(1), None, pool(&ranges), at(0)).unwrap().lease;
    book.bind(mac(1), first.ip, at(3600), true);
    for later in [10, 1000, 4000, 90_000] {
        assert_eq!(book.offer(mac(1), None, pool(&ranges), at(later)).unwrap().lease.ip, first.ip);
    }
}

#[test]
fn who_moves_and_is_never_told_keeps_what_it_has() {
    let ranges = ["10.77.0.100-10.77.0.101".parse().unwrap()];
    let mut book = LeaseBook::default();
    let [a, b] = [[10, 77, 0, 100], [10, 77, 0, 101]].map(Ipv4Addr::from);
    let (had, _) = book.bind(mac(1), a, at(3600), true);
    let (moved, former) = book.bind(mac(1), b, at(3600), true);
    assert_eq!(former, Some(had));
    book.unbind(moved, former);
    assert!(!book.may_have(mac(2), a, pool(&ranges), at(1)), "its client uses it");
    assert!(book.may_have(mac(2), b, pool(&ranges), at(1)));
    // Somebody else was faster.
    let (moved, former) = book.bind(mac(1), b, at(3600), true);
    book.bind(mac(2), a, at(3600), true);
    book.unbind(moved, former);
    assert!(
        !book.may_have(mac(1), a, pool(&ranges), at(1)) && !book.may_have(mac(2), b, pool(&ranges), at(1))
    );
}

#[test]
fn who_asks_for_less_time_and_is_never_told_has_its_address_as_long_as_before() {
    let ranges = ["10.77.0.100-10.77.0.100".parse().unwrap()];
    let mut book = LeaseBook::default();
    let ip = Ipv4Addr::from([10, 77, 0, 100]);
    book.bind(mac(1), ip, at(3600), true);
    let (shorter, former) = book.bind(mac(1), ip, at(60), true);
    book.unbind(shorter, former);
    assert!(!book.may_have(mac(2), ip, pool(&ranges), at(61)), "its client uses it for an hour");
    assert!(book.may_have(mac(2), ip, pool(&ranges), at(3601)));
}

#[test]
fn a_reserved_address_goes_to_its_machine_and_to_nobody_else() {
    let ranges = ["10.77.0.100-10.77.0.101".parse().unwrap()];
    let reserved: Ipv4Addr = "10.77.0.100".parse().unwrap();
    let set_aside = |ip| ip == reserved;
    let mut book = LeaseBook::default();
    let others = Pool { set_aside: &set_aside, ..pool(&ranges) };
    assert_ne!(book.offer(mac(1), Some(reserved), others, at(0)).unwrap().lease.ip, reserved);
    assert_eq!(book.offer(mac(2), None, others, at(0)), Err(NoAddress::Exhausted));
    let its_own = Pool { reserved: Some(reserved), ..others };
    assert_eq!(book.offer(mac(3), None, its_own, at(0)).unwrap().lease.ip, reserved);
}

#[test]
fn an_address_that_somebody_else_uses_is_left_alone_for_an_hour() {
    let ranges = ["10.77.0.100".parse().unwrap()];
    let mut book = LeaseBook::default();
    let lease = book.offer(mac(1), None, pool(&ranges), at(0)).unwrap().lease;
    book.bind(mac(1), lease.ip, at(3600), true);
    assert!(book.decline(mac(2), lease.ip, at(1)).is_none(), "only its holder can decline it");
    assert!(book.decline(mac(1), lease.ip, at(1)).is_some());
    assert_eq!(book.offer(mac(1), None, pool(&ranges), at(2)), Err(NoAddress::Exhausted));
    assert!(book.offer(mac(1), None, pool(&ranges), at(3602)).is_ok());
}

#[test]
fn a_full_range_hands_out_the_lease_that_ended_first() {
    let ranges = ["10.77.0.100-10.77.0.101".parse().unwrap()];
    let mut book = LeaseBook::default();
    let a = book.offer(mac(1), None, pool(&ranges), at(0)).unwrap().lease.ip;
    book.bind(mac(1), a, at(100), true);
    let b = book.offer(mac(2), None, pool(&ranges), at(0)).unwrap().lease.ip;
    book.bind(mac(2), b, at(50), true);
    assert_eq!(book.offer(mac(3), None, pool(&ranges), at(20)), Err(NoAddress::Exhausted));
    assert_eq!(book.offer(mac(3), None, pool(&ranges), at(200)).unwrap().lease.ip, b);
}

#[test]
fn strangers_leave_some_addresses_for_declared_machines() {
    let ranges = ["10.77.0.100-10.77.0.107".parse().unwrap()];
    let mut book = LeaseBook::default();
    let stranger = Pool { declared: false, kept: 2, ..pool(&ranges) };
    for n in 0..6 {
        assert!(book.offer(mac(n), None, stranger, at(0)).is_ok());
    }
    assert_eq!(book.offer(mac(6), None, stranger, at(0)), Err(NoAddress::Kept));
    let free =
        (100..108).map(|last| Ipv4Addr::from([10, 77, 0, last])).find(|ip| book.holder(*ip, at(0)).is_none());
    assert!(!book.may_have(mac(6), free.unwrap(), stranger, at(0)), "nor by asking for one outright");
    assert!(book.offer(mac(0), None, stranger, at(1)).is_ok(), "one that has an address keeps it");
    for n in 10..12 {
        assert!(book.offer(mac(n), None, Pool { kept: 2, ..pool(&ranges) }, at(1)).is_ok());
    }
    let ended = 1 + i64::try_from(STRANGERS_OFFER_TIME.as_secs()).unwrap();
    assert_eq!(book.held(at(ended)), 2, "what strangers were offered and did not take is free soon");
    assert!(book.offer(mac(6), None, stranger, at(ended)).is_ok());
}

#[test]
fn a_flood_of_made_up_clients_leaves_no_more_behind_than_the_range_is_large() {
    let ranges = ["10.77.0.0-10.77.255.255".parse().unwrap()];
    let mut book = LeaseBook::default();
    let stranger = Pool { declared: false, kept: 16_384, ..pool(&ranges) };
    for n in 0..200_000_u32 {
        let [a, b, c, d] = n.to_be_bytes();
        let _ = book.offer(Mac::new([2, 0, a, b, c, d]), None, stranger, at(i64::from(n) / 10_000));
    }
    assert_eq!(book.by_ip.len(), 49_152);
    assert_eq!((book.by_mac.len(), book.live.len(), book.ended.len()), (49_152, 49_152, 0));
    book.sweep(at(1000));
    assert_eq!((book.by_ip.len(), book.by_mac.len(), book.strangers), (0, 0, 0));
}

#[test]
fn an_address_where_a_probe_found_nobody_is_given_first_and_needs_no_other_look() {
    let ranges = ["10.77.0.100-10.77.0.110".parse().unwrap()];
    let mut book = LeaseBook::default();
    assert!(book.offer(mac(1), None, pool(&ranges), at(0)).unwrap().unprobed);
    let next = book.to_probe(pool(&ranges), 3, at(0));
    assert_eq!(next.len(), 3);
    next.iter().for_each(|ip| book.nobody_at(*ip, at(0)));
    assert!(book.to_probe(pool(&ranges), 3, at(1)).is_empty(), "enough are ready");
    let given = book.offer(mac(2), None, pool(&ranges), at(1)).unwrap();
    assert!(next.contains(&given.lease.ip) && !given.unprobed);
    assert_eq!(book.to_probe(pool(&ranges), 3, at(1)).len(), 1, "one more takes its place");
    assert!(!book.offer(mac(2), None, pool(&ranges), at(2)).unwrap().unprobed, "it is its own now");
    assert!(book.offer(mac(3), None, pool(&ranges), at(100)).unwrap().unprobed, "that is too long ago");
}

#[test]
fn an_address_where_somebody_answers_is_left_alone_and_comes_back() {
    let ranges = ["10.77.0.100".parse().unwrap()];
    let ip: Ipv4Addr = "10.77.0.100".parse().unwrap();
    let mut book = LeaseBook::default();
    book.offer(mac(1), None, pool(&ranges), at(0)).unwrap();
    assert_eq!(book.somebody_at(ip, Some(mac(1)), at(0)), None, "that is who it was offered to");
    assert_eq!(book.somebody_at(ip, Some(mac(9)), at(0)).unwrap().mac, None);
    assert!(!book.may_have(mac(1), ip, pool(&ranges), at(1)), "the offer does not hold any more");
    assert_eq!(book.offer(mac(1), None, pool(&ranges), at(1)), Err(NoAddress::Exhausted));
    assert!(book.offer(mac(1), None, pool(&ranges), at(3601)).is_ok());
    book.bind(mac(1), ip, at(4000), true);
    assert_eq!(book.somebody_at(ip, Some(mac(9)), at(3602)), None, "its holder looks for himself");
    // The lease has ended, and its holder is still there: a slow download in iPXE, which never renews.
    assert_eq!(book.somebody_at(ip, Some(mac(1)), at(4001)).unwrap().mac, Some(mac(1)));
    assert_eq!(book.offer(mac(2), None, pool(&ranges), at(4002)), Err(NoAddress::Exhausted));
    assert!(book.may_have(mac(1), ip, pool(&ranges), at(4002)));
}

#[test]
fn an_address_that_a_boot_uses_goes_to_nobody_else_even_after_its_lease() {
    let ranges = ["10.77.0.100-10.77.0.101".parse().unwrap()];
    let mut book = LeaseBook::default();
    let ip = book.offer(mac(1), None, pool(&ranges), at(0)).unwrap().lease.ip;
    book.bind(mac(1), ip, at(120), true);
    let in_use = |used| used == ip;
    let other = Pool { in_use: &in_use, ..pool(&ranges) };
    assert_ne!(book.offer(mac(2), Some(ip), other, at(200)).unwrap().lease.ip, ip);
    assert!(!book.may_have(mac(3), ip, other, at(200)));
    assert_eq!(book.offer(mac(3), None, other, at(200)), Err(NoAddress::Exhausted));
    assert_eq!(book.offer(mac(1), None, pool(&ranges), at(200)).unwrap().lease.ip, ip);
}

/// What the book says of itself in three places is the same.
fn is_sound(book: &LeaseBook) {
    let dated: HashSet<_> = book.live.iter().chain(&book.ended).copied().collect();
    assert_eq!(dated.len(), book.live.len() + book.ended.len());
    assert_eq!(dated, book.by_ip.values().map(|lease| (lease.expires, lease.ip)).collect());
    let holders = book.by_ip.values().filter_map(|lease| Some((lease.mac?, lease.ip)));
    assert_eq!(book.by_mac, holders.collect::<HashMap<_, _>>());
    let strange = book.live.iter().filter(|(_, ip)| !book.by_ip[ip].declared).count();
    assert_eq!(book.strangers, u64::try_from(strange).unwrap());
}

proptest! {
    #[test]
    fn no_address_is_ever_given_to_two_clients_at_once(
        steps in prop::collection::vec((0..12u8, 0..9u8, 0..400i64, 0..7u8), 1..200),
        kept in 0..5u64,
    ) {
        let ranges: [Ipv4Range; 1] = ["10.77.0.100-10.77.0.104".parse().unwrap()];
        let mut book = LeaseBook::default();
        let mut held: HashMap<Ipv4Addr, (Mac, Timestamp)> = HashMap::new();
        let mut now = 0;
        for (client, what, wait, last) in steps {
            now += wait;
            let declared = client % 2 == 0;
            let pool = Pool { declared, kept, ..pool(&ranges) };
            let (client, ip) = (mac(client), Ipv4Addr::from([10, 77, 0, 99 + last]));
            match what {
                0..=1 => if let Ok(offered) = book.offer(client, (last > 3).then_some(ip), pool, at(now)) {
                    let ip = offered.lease.ip;
                    prop_assert!(ranges[0].contains(ip));
                    prop_assert!(held.get(&ip).is_none_or(|(mac, end)| *mac == client || *end <= at(now)));
                },
                2..=4 => {
                    // With or without an offer, as a client that comes back does.
                    let ip = book.of(client, at(now)).map_or(ip, |lease| lease.ip);
                    let strangers = book.strangers;
                    if book.may_have(client, ip, pool, at(now)) {
                        prop_assert!(ranges[0].contains(ip));
                        prop_assert!(held.get(&ip).is_none_or(|(mac, end)| *mac == client || *end <= at(now)));
                        book.bind(client, ip, at(now + 300), declared);
                        prop_assert!(declared || book.strangers <= strangers.max(5 - kept));
                        held.retain(|_, (mac, _)| *mac != client);
                        held.insert(ip, (client, at(now + 300)));
                    }
                }
                5 => if let Some(lease) = book.of(client, at(now)) {
                    book.release(client, lease.ip);
                    held.remove(&lease.ip);
                },
                6 => if let Some(lease) = book.of(client, at(now)) && book.decline(client, lease.ip, at(now)).is_some() {
                    held.remove(&lease.ip);
                },
                7 => drop(book.somebody_at(ip, (last > 3).then_some(client), at(now))),
                _ => book.to_probe(pool, 2, at(now)).iter().for_each(|ip| book.nobody_at(*ip, at(now))),
            }
            for (ip, (mac, end)) in &held {
                if *end > at(now) { prop_assert_eq!(book.holder(*ip, at(now)), Some(*mac)); }
            }
            is_sound(&book);
        }
    }
}
