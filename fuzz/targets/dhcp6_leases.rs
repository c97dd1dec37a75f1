//! Whatever clients ask by DHCPv6, one after the other, while time passes: no address is held by two, and what is given is of the
//! range. An input is a row of packets: how many seconds later, a length in two bytes, and so many bytes.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pilotlight::{
    dhcp6::wire,
    domain::{
        dhcp6::{Asks, Heard, Named, Sender, hear},
        lease6::{Holder, LeaseBook6, Pool6},
    },
};
use pilotlight_types::{Timestamp, resource::Ipv6Range};
use std::{collections::HashMap, net::Ipv6Addr};

const PEER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fuzz_target!(|bytes: &[u8]| {
    let ranges: [Ipv6Range; 1] = ["2001:db8:77::1000-2001:db8:77::1007".parse().expect("a range")];
    let reserved: Ipv6Addr = "2001:db8:77::1001".parse().expect("an address");
    let set_aside = |ip: Ipv6Addr| ip == reserved;
    let mut book = LeaseBook6::default();
    let mut held: HashMap<Ipv6Addr, (Holder, Timestamp)> = HashMap::new();
    let (mut rest, mut seconds) = (bytes, 0_i64);
    while let [later, a, b, after @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*a, *b])).min(after.len());
        let (packet, next) = after.split_at(len);
        (rest, seconds) = (next, seconds + i64::from(*later));
        let now = Timestamp::from_micros(seconds * 1_000_000);
        let Ok(question) = wire::parse(packet) else { continue };
        let message = &question.message;
        let Some(client) = &message.client else { continue };
        let server = if message.server.is_some() { Named::Us } else { Named::Nobody };
        if hear(message.asks, true, server, !message.associations.is_empty(), false) != Heard::Take {
            continue;
        }
        let relay = question.relays.last();
        let peer = relay.map_or(PEER, |relay| relay.peer);
        let sender = Sender::new(Some(client), relay.and_then(|relay| relay.mac), peer);
        for ended in book.sweep(now) {
            held.remove(&ended.ip);
        }
        for association in &message.associations {
            let holder = sender.holder(client, association.id);
            let pool = Pool6 {
                ranges: &ranges,
                reserved: None,
                set_aside: &set_aside,
                in_use: &|_| false,
                gives_way: &|_| false,
                declared: false,
                kept: 25,
            };
            match message.asks {
                Asks::Solicit => drop(book.offer(&holder, &association.addresses, pool, now)),
                Asks::Request | Asks::Renew | Asks::Rebind => {
                    let Ok(ip) = book.pick(&holder, &association.addresses, pool, now) else { continue };
                    assert!(ranges[0].contains(ip) && ip != reserved, "{ip}");
                    let end = now.plus(std::time::Duration::from_secs(120));
                    let other = held.get(&ip).filter(|(other, until)| *other != holder && *until > now);
                    assert_eq!(other, None, "{ip} was given to {holder} too");
                    // Who gets another address lets go of the one that it had.
                    held.retain(|_, (before, _)| *before != holder);
                    book.bind(&holder, ip, end, false);
                    held.insert(ip, (holder, end));
                }
                Asks::Release | Asks::Decline => {
                    for ip in &association.addresses {
                        let back = match message.asks {
                            Asks::Release => book.release(&holder, *ip).is_some(),
                            _ => book.decline(&holder, *ip, now).is_some(),
                        };
                        if back {
                            held.remove(ip);
                        }
                    }
                }
                Asks::Confirm | Asks::Information => {}
            }
        }
        assert!(book.held(now) <= 8, "{} of 8 addresses", book.held(now));
    }
});
