//! No packet makes the reader or the rules panic, and every answer is readable by those who get it.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pilotlight::{
    dhcp6::wire::{
        self, AssociationKind, Given, MOST_ASSOCIATIONS, MOST_RELAYS, Reply, ReplyKind, Status, StatusCode,
    },
    domain::{
        dhcp6::{Named, Sender, hear},
        duid::Duid,
    },
};
use std::net::Ipv6Addr;

const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 0x1000);

fuzz_target!(|bytes: &[u8]| {
    let Ok(question) = wire::parse(bytes) else { return };
    let message = &question.message;
    assert!(question.relays.len() <= MOST_RELAYS && message.associations.len() <= MOST_ASSOCIATIONS);
    for server in [Named::Nobody, Named::Us, Named::Another] {
        for unicast in [false, true] {
            let _ = hear(message.asks, message.client.is_some(), server, true, unicast);
        }
    }
    let relay = question.relays.last();
    let peer = relay.map_or(ADDRESS, |relay| relay.peer);
    let sender = Sender::new(message.client.as_ref(), relay.and_then(|relay| relay.mac), peer);
    assert!(sender.mac().is_none_or(|mac| mac.is_host()));

    let server: Duid = "000400112233445566778899aabbccddeeff".parse().expect("a DUID");
    let given = |association: &wire::Association| Given {
        kind: association.kind,
        id: association.id,
        addresses: if association.kind == AssociationKind::Addresses {
            vec![(ADDRESS, 120)]
        } else {
            Vec::new()
        },
        status: Some(Status::new(StatusCode::Success, "")),
    };
    let reply = Reply {
        associations: message.associations.iter().map(given).collect(),
        dns: vec![ADDRESS],
        domain: Some("dc1.example".into()),
        boot_file: Some("tftp://[2001:db8:77::1]/snponly.efi".into()),
        vendor_class: message.vendor_class.clone(),
        ..Reply::new(ReplyKind::Advertise)
    };
    let mut sent = wire::encode(&question, &server, &reply);
    assert!(sent.len() <= 2 * bytes.len() + 1024, "{} for {}", sent.len(), bytes.len());
    // Each relay takes its own part off; what is left is for the client.
    for relay in &question.relays {
        assert_eq!(sent[..2], [13, relay.hops]);
        assert_eq!((&sent[2..18], &sent[18..34]), (&relay.link.octets()[..], &relay.peer.octets()[..]));
        let before: usize = relay.echo.iter().map(|(_, data)| 4 + data.len()).sum();
        assert_eq!(sent[34 + before..36 + before], [0, 9]);
        sent.drain(..38 + before);
    }
    assert_eq!(sent[..4], [2, message.transaction[0], message.transaction[1], message.transaction[2]]);
    // It is read as a question of the same client, were it one.
    sent[0] = 1;
    let read = wire::parse(&sent).expect("our own answer").message;
    assert_eq!((&read.client, read.server), (&message.client, Some(server)));
    assert_eq!(read.associations.len(), message.associations.len());
});
