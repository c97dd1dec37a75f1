use super::*;
use proptest::prelude::*;

/// A Solicit as OVMF of 2022 sends it for HTTP Boot: client id, IA_NA, elapsed time, options asked, vendor class, architecture, NII.
const OVMF_HTTP: &str = "01a1b2c3\
    0001001200040011223344556677889900aabbccddee\
    0003000c525400120000000000000000\
    000800020000\
    00060008003b003c00170010\
    001000270000015700214854545043 6c69656e743a417263683a30303031363a554e44493a303033303136\
    003d00020010\
    003e0003010310";

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.split_whitespace().collect::<String>()).unwrap()
}

fn option(code: u16, data: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

/// The bytes as a relay forwards them.
fn relayed(inner: &[u8], hops: u8, more: &[u8]) -> Vec<u8> {
    let link: Ipv6Addr = "2001:db8:78::1".parse().unwrap();
    let peer: Ipv6Addr = "fe80::5054:ff:fe12:3456".parse().unwrap();
    [&[12, hops][..], &link.octets(), &peer.octets(), more, &option(9, inner)].concat()
}

fn address(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, last)
}

#[test]
fn what_http_boot_firmware_asks_is_understood() {
    let Question { relays, message } = parse(&bytes(OVMF_HTTP)).unwrap();
    assert!(relays.is_empty());
    assert_eq!((message.asks, message.transaction), (Asks::Solicit, [0xa1, 0xb2, 0xc3]));
    assert_eq!(message.client.unwrap().to_string(), "00040011223344556677889900aabbccddee");
    assert_eq!(message.server, None);
    let wanted = Association { kind: AssociationKind::Addresses, id: 0x5254_0012, addresses: vec![] };
    assert_eq!(message.associations, [wanted]);
    assert_eq!(message.requested, [59, 60, 23, 16]);
    let class = VendorClass { enterprise: INTEL, text: "HTTPClient:Arch:00016:UNDI:003016".into() };
    assert_eq!((message.vendor_class, message.archs), (Some(class), vec![16]));
}

#[test]
fn user_classes_and_the_addresses_of_a_renewal_are_read() {
    let had = [&address(0x1000).octets()[..], &[0; 8]].concat();
    let association = [&7u32.to_be_bytes()[..], &[0; 8], &option(5, &had)].concat();
    let packet = [
        &[5, 0, 0, 1][..],
        &option(1, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 1]),
        &option(2, &[0, 4, 1, 2, 3]),
        &option(3, &association),
        &option(25, &[0; 12]),
        &option(15, b"\0\x04iPXE\0\x05other"),
        &option(14, &[]),
    ]
    .concat();
    let message = parse(&packet).unwrap().message;
    assert_eq!(message.user_classes, [b"iPXE".to_vec(), b"other".to_vec()]);
    assert_eq!(message.associations[0].addresses, [address(0x1000)]);
    assert_eq!(message.associations[1].kind, AssociationKind::Prefixes);
    assert!(message.rapid_commit && message.server.is_some());
}

#[test]
fn relays_are_read_from_ours_to_the_clients() {
    let inner = bytes(OVMF_HTTP);
    let nearest = relayed(&inner, 0, &option(79, &[0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]));
    let packet = relayed(&nearest, 1, &[option(18, b"eth7"), option(135, &[0, 0])].concat());
    let question = parse(&packet).unwrap();
    let [ours, its] = &question.relays[..] else { panic!("two relays") };
    assert_eq!((ours.hops, ours.echo.len(), ours.has_own_port(), ours.mac), (1, 2, true, None));
    assert_eq!((its.hops, its.has_own_port()), (0, false));
    assert_eq!(its.mac, Some(Mac::new([0x52, 0x54, 0, 0x12, 0x34, 0x56])));
    assert_eq!(question.message.asks, Asks::Solicit);
}

#[test]
fn no_more_relays_than_the_standard_allows() {
    let mut packet = bytes(OVMF_HTTP);
    for hops in 0..8 {
        packet = relayed(&packet, hops, &[]);
    }
    assert_eq!(parse(&packet).unwrap().relays.len(), MOST_RELAYS);
    assert_eq!(parse(&relayed(&packet, 8, &[])), Err(Malformed::TooDeep));
}

#[test]
fn what_is_no_question_says_why() {
    for (packet, why) in [
        (vec![], Malformed::Short("header")),
        (vec![1, 0, 0], Malformed::Short("header")),
        (vec![7, 0, 0, 1], Malformed::NotForServers(7)),
        (vec![13; 60], Malformed::NotForServers(13)),
        (vec![12; 20], Malformed::Short("relay's header")),
        (vec![12, 0].into_iter().chain([0; 32]).collect(), Malformed::NothingRelayed),
        ([&[1, 0, 0, 1][..], &option(1, &[0])].concat(), Malformed::Duid),
        ([&[1, 0, 0, 1][..], &option(1, &[0; 131])].concat(), Malformed::Duid),
        (vec![1, 0, 0, 1, 0, 1, 0, 9, 0], Malformed::Short("options")),
        ([&[1, 0, 0, 1][..], &option(3, &[0; 11])].concat(), Malformed::Short("identity association")),
        (
            [&[1, 0, 0, 1][..], &option(3, &[&[0; 12][..], &option(5, &[0; 20])].concat())].concat(),
            Malformed::Short("identity association"),
        ),
    ] {
        assert_eq!(parse(&packet), Err(why), "{packet:?}");
    }
}

#[test]
fn the_number_of_associations_is_bounded() {
    let one = option(3, &[0; 12]);
    let packet = [vec![1, 0, 0, 1], one.repeat(1000)].concat();
    assert_eq!(parse(&packet).unwrap().message.associations.len(), MOST_ASSOCIATIONS);
}

fn server() -> Duid {
    "000400112233445566778899aabbccddeeff".parse().unwrap()
}

#[test]
fn an_advert_has_what_http_boot_takes_a_url_by() {
    let question = parse(&bytes(OVMF_HTTP)).unwrap();
    let given = Given {
        kind: AssociationKind::Addresses,
        id: 0x5254_0012,
        addresses: vec![(address(0x1000), 120)],
        status: None,
    };
    let reply = Reply {
        associations: vec![given],
        dns: vec![address(1)],
        domain: Some("rack.example".into()),
        boot_file: Some("http://[2001:db8:77::1]:8080/boot/files/ipxe.efi".into()),
        vendor_class: Some(VendorClass { enterprise: INTEL, text: "HTTPClient".into() }),
        ..Reply::new(ReplyKind::Advertise)
    };
    let sent = hex::encode(encode(&question, &server(), &reply));
    let expected = bytes(
        "02a1b2c3 0001 0012 00040011223344556677889900aabbccddee 0002 0012 000400112233445566778899aabbccddeeff \
         0007 0001 ff \
         0003 0028 52540012 0000003c 00000060 0005 0018 20010db8007700000000000000001000 00000078 00000078 \
         0017 0010 20010db8007700000000000000000001 0018 000e 047261636b076578616d706c6500 \
         0010 0010 00000157 000a 48545450436c69656e74 \
         003b 0030 687474703a2f2f5b323030313a6462383a37373a3a315d3a383038302f626f6f742f66696c65732f697078652e656669",
    );
    assert_eq!(sent, hex::encode(expected));
}

#[test]
fn a_status_stands_where_it_belongs() {
    let question = parse(&bytes(OVMF_HTTP)).unwrap();
    let none = Given {
        kind: AssociationKind::Prefixes,
        id: 9,
        addresses: vec![],
        status: Some(Status::new(StatusCode::NoPrefixAvail, "no")),
    };
    let status = Some(Status::new(StatusCode::NotOnLink, "a"));
    let reply = Reply { associations: vec![none], status, ..Reply::new(ReplyKind::Reply) };
    let sent = hex::encode(encode(&question, &server(), &reply));
    assert!(sent.starts_with("07a1b2c3") && sent.contains("000d0003000461"), "{sent}");
    assert!(sent.ends_with("00190014000000090000000000000000000d000400066e6f"), "{sent}");
}

#[test]
fn the_answer_goes_back_through_each_relay() {
    let inner = bytes(OVMF_HTTP);
    let packet =
        relayed(&relayed(&inner, 0, &option(18, b"port 3")), 1, &option(79, &[0, 1, 2, 0, 0, 0, 0, 1]));
    let question = parse(&packet).unwrap();
    let reply = Reply::new(ReplyKind::Reply);
    let direct = encode(&Question { relays: vec![], ..question.clone() }, &server(), &reply);
    let mut sent = encode(&question, &server(), &reply);
    for (hops, echo) in [(1, vec![]), (0, option(18, b"port 3"))] {
        assert_eq!(sent[..2], [13, hops]);
        assert_eq!(sent[2..34], relayed(&[], 0, &[])[2..34], "link and peer as they were");
        assert!(sent[34..].starts_with(&echo));
        sent = sent[34 + echo.len() + 4..].to_vec();
    }
    assert_eq!(sent, direct);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(packet in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&packet);
    }

    #[test]
    fn no_mutation_of_a_real_packet_makes_it_panic(
        depth in 0u8..10,
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..12),
        cut in any::<usize>(),
    ) {
        let mut packet = bytes(OVMF_HTTP);
        for hops in 0..depth {
            packet = relayed(&packet, hops, &option(18, b"eth0"));
        }
        for (at, byte) in changes {
            let at = at % packet.len();
            packet[at] = byte;
        }
        packet.truncate(cut % (packet.len() + 1));
        if let Ok(question) = parse(&packet) {
            prop_assert!(question.relays.len() <= MOST_RELAYS);
            let sent = encode(&question, &server(), &Reply::new(ReplyKind::Reply));
            prop_assert!(sent.len() < packet.len() + 512, "an answer is not much longer than the question");
        }
    }
}

#[test]
fn a_message_is_told_in_words() {
    let view = Packet::read(&relayed(&bytes(OVMF_HTTP), 0, &option(18, b"eth1"))).unwrap().view();
    assert_eq!(view.kind, "Relay-forward: Solicit");
    let said: Vec<String> = view.fields.iter().map(|f| format!("{}={}", f.name, f.value)).collect();
    for part in [
        "link-address=2001:db8:78::1",
        "peer-address=fe80::5054:ff:fe12:3456",
        "interface id=eth1",
        "transaction-id=a1b2c3",
        "client identifier=DUID-UUID 00112233-4455-6677-8899-00aabbccddee, or 33221100-5544-7766-8899-00aabbccddee: 00040011223344556677889900aabbccddee",
        "addresses (IA_NA)=id 52540012",
        "elapsed time=0.00 s",
        "option request=59, 60, 23, 16",
        "vendor class=HTTPClient:Arch:00016:UNDI:003016 (enterprise 343)",
        "client architecture=16 (efi-x64)",
        "client interface (UNDI)=type 1, version 3.16",
    ] {
        assert!(said.iter().any(|line| line == part), "{part}: {said:#?}");
    }
}

#[test]
fn what_a_server_says_is_read_back() {
    let question = parse(&bytes(OVMF_HTTP)).unwrap();
    let server: Duid = "00030001020000000001".parse().unwrap();
    let given =
        |addresses: Vec<_>, status| Given { kind: AssociationKind::Addresses, id: 1, addresses, status };
    let url = "http://[2001:db8:77::1]/a.efi";
    let reply = Reply {
        associations: vec![given(vec![(address(5), 600)], None)],
        domain: Some("rack.example".into()),
        dns: vec![address(1)],
        boot_file: Some(url.into()),
        vendor_class: Some(VendorClass { enterprise: INTEL, text: "HTTPClient".into() }),
        ..Reply::new(ReplyKind::Advertise)
    };
    let packet = Packet::read(&encode(&question, &server, &reply)).unwrap();
    assert_eq!((packet.name(), packet.transaction), ("Advertise".into(), [0xa1, 0xb2, 0xc3]));
    assert_eq!((packet.server(), packet.boot_file().as_deref()), (Some(server.clone()), Some(url)));
    assert_eq!((packet.addresses(), packet.complaint()), (vec![(address(5), 600)], None));
    assert_eq!(packet.vendor_class().map(|class| class.text).as_deref(), Some("HTTPClient"));
    let said = packet.view().to_string();
    for part in [
        "server identifier        DUID-LL of 02:00:00:00:00:01: ",
        "id 00000001, again in 300 s; address 2001:db8:77::5 for 600 s",
        "  7 preference               255",
        " 24 domain search            rack.example",
        " 23 DNS servers              2001:db8:77::1",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    let none = Some(Status::new(StatusCode::NoAddrsAvail, "all are taken"));
    let reply = Reply { associations: vec![given(vec![], none)], ..Reply::new(ReplyKind::Reply) };
    let packet = Packet::read(&encode(&question, &server, &reply)).unwrap();
    assert_eq!(packet.complaint().as_deref(), Some("NoAddrsAvail: all are taken"));
}

proptest! {
    #[test]
    fn whatever_comes_is_told_in_words(
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        (at, byte, cut) in (0..200_usize, any::<u8>(), 0..200_usize),
    ) {
        let mut damaged = relayed(&bytes(OVMF_HTTP), 0, &option(18, b"eth1"));
        let (at, cut) = (at % damaged.len(), cut % damaged.len());
        damaged[at] = byte;
        for bytes in [&noise[..], &damaged, &damaged[..cut]] {
            if let Ok(packet) = Packet::read(bytes) {
                let shown = packet.view().to_string();
                prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown}");
                let _ = (packet.server(), packet.boot_file(), packet.addresses(), packet.complaint());
            }
            // Whatever is a question can be shown.
            prop_assert!(parse(bytes).is_err() || Packet::read(bytes).is_ok());
        }
    }
}
