use super::*;
use proptest::prelude::*;

fn mac(last: u8) -> Holder {
    Holder::Interface(Mac::new([0x52, 0x54, 0, 0, 0, last]))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn ranges(text: &str) -> Vec<Ipv6Range> {
    vec![text.parse().unwrap()]
}

fn pool(ranges: &[Ipv6Range]) -> Pool6<'_> {
    Pool6 {
        ranges,
        reserved: None,
        set_aside: &|_| false,
        in_use: &|_| false,
        gives_way: &|_| false,
        declared: true,
        kept: 0,
    }
}

#[test]
fn a_client_gets_the_same_address_again_long_after_its_lease_was_forgotten() {
    let ranges = ranges("2001:db8::1:0:0-2001:db8::1:ffff:ffff");
    let mut book = LeaseBook6::default();
    let first = book.offer(&mac(1), &[], pool(&ranges), at(0)).unwrap();
    book.bind(&mac(1), first.ip, at(3600), true);
    assert_eq!(book.sweep(at(90_000)).len(), 1);
    assert_eq!(book.held(at(90_000)), 0);
    assert_eq!(book.offer(&mac(1), &[], pool(&ranges), at(90_000)).unwrap().ip, first.ip);
    assert_ne!(book.offer(&mac(2), &[], pool(&ranges), at(90_000)).unwrap().ip, first.ip);
}

#[test]
fn who_moves_and_is_never_told_keeps_what_it_has() {
    let ranges = ranges("2001:db8::10-2001:db8::11");
    let mut book = LeaseBook6::default();
    let [a, b] = [ip("2001:db8::10"), ip("2001:db8::11")];
    let had = book.bind(&mac(1), a, at(3600), true).lease;
    let moved = book.bind(&mac(1), b, at(3600), true);
    assert_eq!(moved.former, Some(had));
    book.unbind(moved);
    assert!(!book.may_have(&mac(2), a, pool(&ranges), at(1)), "its client uses it");
    assert!(book.may_have(&mac(2), b, pool(&ranges), at(1)));
}

#[test]
fn who_asks_for_less_time_and_is_never_told_has_its_address_as_long_as_before() {
    let ranges = ranges("2001:db8::10");
    let mut book = LeaseBook6::default();
    book.bind(&mac(1), ip("2001:db8::10"), at(3600), true);
    let shorter = book.bind(&mac(1), ip("2001:db8::10"), at(60), true);
    book.unbind(shorter);
    assert!(!book.may_have(&mac(2), ip("2001:db8::10"), pool(&ranges), at(61)), "its client uses it");
    assert!(book.may_have(&mac(2), ip("2001:db8::10"), pool(&ranges), at(3601)));
}

#[test]
fn an_offer_ends_after_a_while_and_does_not_shorten_a_lease() {
    let ranges = ranges("2001:db8::10");
    let mut book = LeaseBook6::default();
    let offer = book.offer(&mac(1), &[], pool(&ranges), at(0)).unwrap();
    assert!(!offer.bound);
    assert_eq!(book.offer(&mac(2), &[], pool(&ranges), at(1)), Err(NoAddress::Exhausted));
    assert!(book.offer(&mac(2), &[], pool(&ranges), at(61)).is_ok());
    book.bind(&mac(2), offer.ip, at(1000), true);
    assert_eq!(book.offer(&mac(2), &[], pool(&ranges), at(500)).unwrap().expires, at(1000));
}

#[test]
fn a_reserved_address_goes_to_its_machine_and_to_nobody_else() {
    let ranges = ranges("2001:db8::10-2001:db8::11");
    let reserved = ip("2001:db8::10");
    let set_aside = |ip| ip == reserved;
    let mut book = LeaseBook6::default();
    let others = Pool6 { set_aside: &set_aside, ..pool(&ranges) };
    assert_eq!(book.offer(&mac(1), &[reserved], others, at(0)).unwrap().ip, ip("2001:db8::11"));
    assert_eq!(book.offer(&mac(2), &[], others, at(0)), Err(NoAddress::Exhausted));
    let its_own = Pool6 { reserved: Some(reserved), ..others };
    assert_eq!(book.offer(&mac(3), &[], its_own, at(0)).unwrap().ip, reserved);
    // Its second interface gets another one, if there is any.
    assert_eq!(book.offer(&mac(4), &[], its_own, at(0)), Err(NoAddress::Exhausted));
}

#[test]
fn a_reserved_address_goes_from_the_firmware_to_the_system_of_one_machine() {
    let reserved = ip("2001:db8::10");
    let mut book = LeaseBook6::default();
    let its_own = Pool6 { reserved: Some(reserved), ..pool(&[]) };
    book.bind(&mac(1), reserved, at(120), true);
    let duid: Duid = "0002000009bf01".parse().unwrap();
    let system = Holder::Client { duid, association: 1 };
    assert_eq!(book.pick(&system, &[], its_own, at(1)), Err(NoAddress::NoRange));
    let same = Pool6 { gives_way: &|holder| *holder == mac(1), ..its_own };
    let offer = book.offer(&system, &[], same, at(1)).unwrap();
    assert_eq!((offer.ip, offer.holder, offer.bound), (reserved, Some(system.clone()), false));
    book.bind(&system, reserved, at(3600), true);
    assert_eq!((book.of(&mac(1), at(2)), book.held(at(2))), (None, 1));
}

#[test]
fn an_address_that_somebody_else_uses_is_left_alone_for_an_hour() {
    let ranges = ranges("2001:db8::10");
    let mut book = LeaseBook6::default();
    book.bind(&mac(1), ip("2001:db8::10"), at(3600), true);
    assert_eq!(book.decline(&mac(2), ip("2001:db8::10"), at(1)), None, "only its holder can decline it");
    assert!(book.decline(&mac(1), ip("2001:db8::10"), at(1)).is_some());
    assert_eq!(book.offer(&mac(1), &[], pool(&ranges), at(2)), Err(NoAddress::Exhausted));
    assert_eq!(book.sweep(at(3602)).len(), 1);
    assert!(book.offer(&mac(1), &[], pool(&ranges), at(3602)).is_ok());
}

#[test]
fn an_address_of_a_boot_that_goes_on_is_nobody_elses() {
    let ranges = ranges("2001:db8::10");
    let book = LeaseBook6::default();
    let used = Pool6 { in_use: &|_| true, ..pool(&ranges) };
    assert_eq!(book.pick(&mac(1), &[], used, at(0)), Err(NoAddress::Exhausted));
}

#[test]
fn strangers_leave_some_for_declared_machines_and_never_take_more_than_memory_has() {
    let ten = ranges("2001:db8::10-2001:db8::19");
    let mut book = LeaseBook6::default();
    let stranger = |ranges| Pool6 { declared: false, kept: 30, ..pool(ranges) };
    let given = (0..20).filter(|n| book.offer(&mac(*n), &[], stranger(&ten), at(0)).is_ok()).count();
    assert_eq!(given, 7);
    assert_eq!(book.pick(&mac(99), &[], stranger(&ten), at(0)), Err(NoAddress::Kept));
    assert!(book.pick(&mac(99), &[], pool(&ten), at(0)).is_ok());
    let half_the_world = ranges("2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
    assert_eq!(stranger(&half_the_world).most_of_strangers(), MOST_OF_STRANGERS);
}

#[test]
fn holders_are_read_as_they_were_written() {
    let duid: Duid = "000400112233445566778899aabbccddeeff".parse().unwrap();
    for holder in [mac(1), Holder::Client { duid, association: u32::MAX }] {
        assert_eq!(holder.to_string().parse(), Ok(holder));
    }
    for bad in ["", "/", "52:54:00", "0004/1", "00040011/x", "00040011/4294967296"] {
        assert_eq!(bad.parse::<Holder>(), Err(NoHolder), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_address_is_held_by_two(steps in proptest::collection::vec((0u8..6, 0u8..5, 0u16..8, 0i64..4000), 1..60)) {
        let ranges = ranges("2001:db8::0-2001:db8::4");
        let (mut book, mut now) = (LeaseBook6::default(), 0);
        for (client, does, address, wait) in steps {
            let (holder, ip) = (mac(client), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, address));
            now += wait;
            let before: HashMap<Ipv6Addr, Holder> = book.by_ip.iter()
                .filter(|(_, lease)| lease.expires > at(now))
                .filter_map(|(ip, lease)| Some((*ip, lease.holder.clone()?))).collect();
            let given = match does {
                0 => book.offer(&holder, &[ip], pool(&ranges), at(now)).ok().map(|lease| lease.ip),
                1 => book.may_have(&holder, ip, pool(&ranges), at(now))
                    .then(|| book.bind(&holder, ip, at(now + 1000), true).lease.ip),
                2 => { book.release(&holder, ip); None }
                3 => { book.decline(&holder, ip, at(now)); None }
                _ => { book.sweep(at(now)); None }
            };
            if let Some(given) = given {
                prop_assert!(before.get(&given).is_none_or(|other| *other == holder), "{given} was another's");
            }
            // The four indexes tell the same.
            prop_assert_eq!(book.by_ip.len(), book.ends.len());
            prop_assert_eq!(book.by_ip.values().filter(|lease| lease.holder.is_some()).count(), book.by_holder.len());
            for (holder, ip) in &book.by_holder {
                prop_assert_eq!(book.by_ip[ip].holder.as_ref(), Some(holder));
            }
            prop_assert_eq!(book.strangers, 0);
        }
    }
}
