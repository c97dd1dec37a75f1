use super::options::code;
use super::*;
use dhcproto::{Decodable as _, v4};
use proptest::prelude::*;

mod limits;
mod packet;
mod replay;

/// A request with these options, from a machine of the lab.
fn packet(kind: u8, options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = vec![0; 240];
    out[..4].copy_from_slice(&[1, 1, 6, 0]);
    out[4..8].copy_from_slice(&0x1234_5678_u32.to_be_bytes());
    out[28..34].copy_from_slice(&[0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    out[236..240].copy_from_slice(&[99, 130, 83, 99]);
    if kind != 0 {
        options::write(&mut out, code::KIND, &[kind]);
    }
    options.iter().for_each(|(code, data)| options::write(&mut out, *code, data));
    out.push(code::END);
    out
}

fn request(kind: u8, options: &[(u8, &[u8])]) -> Request {
    parse(&packet(kind, options)).unwrap()
}

fn offer(style: Style, file: &str) -> Reply {
    Reply {
        yiaddr: Some([10, 77, 0, 100].into()),
        lease: Some(LeaseTimes::of(3600)),
        mask: Some([255, 255, 255, 0].into()),
        routers: vec![[10, 77, 0, 1].into()],
        dns: vec![[10, 77, 0, 1].into(), [10, 77, 0, 2].into()],
        domain: Some("dc1.example".into()),
        hostname: Some("n1".into()),
        broadcast_address: Some([10, 77, 0, 255].into()),
        boot: Some(BootFields { file: file.into(), style }),
        ..Reply::new(ReplyKind::Offer, [10, 77, 0, 1].into())
    }
}

/// The options field of an encoded reply, in order.
fn sent(reply: &[u8]) -> Vec<(u8, Vec<u8>)> {
    options::walk(&reply[240..]).map(|(code, data)| (code, data.to_vec())).collect()
}

fn option(reply: &[u8], wanted: u8) -> Option<Vec<u8>> {
    sent(reply).into_iter().find(|(code, _)| *code == wanted).map(|(_, data)| data)
}

#[test]
fn a_bad_option_loses_neither_itself_nor_its_neighbours() {
    let got = request(
        1,
        &[
            (code::ARCHS, &[7]),
            (code::HOSTNAME, b"M\xfcnchen\0"),
            (code::UNDI, &[1, 3]),
            (code::REQUESTED, &[]),
            (81, &[0]),
            (
                code::MACHINE_ID,
                &[0, 0x44, 0x45, 0x4c, 0x4c, 0, 0, 0, 0x10, 0x80, 0, 0, 0, 3, 0x8a, 0x53, 0xe4],
            ),
        ],
    );
    assert_eq!(got.hostname.as_deref(), Some("M\u{fffd}nchen"));
    assert_eq!((got.archs, got.undi, got.requested), (vec![], None, None));
    assert_eq!(got.uuid.unwrap().to_string(), "4c4c4544-0000-1000-8000-0000038a53e4");
}

#[test]
fn parts_of_an_option_are_joined_wherever_they_stand() {
    let got = request(1, &[(code::HOSTNAME, b"ab"), (code::ARCHS, &[0, 7]), (code::HOSTNAME, b"cd")]);
    assert_eq!(got.hostname.as_deref(), Some("abcd"));
    let mut bytes = packet(1, &[(code::HOSTNAME, b"ab")]);
    bytes.pop();
    bytes.extend([code::PAD, code::HOSTNAME, 2, b'c', b'd', code::END, 7, 7, 7]);
    assert_eq!(
        parse(&bytes).unwrap().hostname.as_deref(),
        Some("abcd"),
        "a PAD between, and no END but the first"
    );
}

#[test]
fn a_kind_that_is_given_twice_is_the_first() {
    assert_eq!(request(1, &[(code::KIND, &[3])]).kind, MessageType::Discover);
}

#[test]
fn a_cut_off_option_loses_only_itself() {
    let mut bytes = packet(1, &[(code::ARCHS, &[0, 7])]);
    bytes.pop();
    for tail in [&[code::ARCHS][..], &[code::ARCHS, 9, 1], &[code::KIND, 200]] {
        let got = parse(&[&bytes[..], tail].concat()).unwrap();
        assert_eq!((got.kind, got.archs), (MessageType::Discover, vec![7]));
    }
}

#[test]
fn options_in_file_and_sname_are_read_when_52_says_so() {
    let mut bytes = packet(0, &[(code::OVERLOAD, &[3]), (code::HOSTNAME, b"a")]);
    bytes[108..117].copy_from_slice(&[code::KIND, 1, 1, code::PAD, code::HOSTNAME, 1, b'b', code::END, 9]);
    bytes[44..47].copy_from_slice(&[code::HOSTNAME, 1, b'c']);
    let got = parse(&bytes).unwrap();
    assert_eq!(
        (got.kind, got.hostname.as_deref()),
        (MessageType::Discover, Some("abc")),
        "field, file, sname"
    );
    let mut plain = packet(1, &[]);
    plain[108..111].copy_from_slice(&[code::HOSTNAME, 1, b'b']);
    assert_eq!(parse(&plain).unwrap().hostname, None);
}

#[test]
fn what_is_no_request_is_malformed() {
    let good = packet(1, &[]);
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        parse(&bytes).unwrap_err()
    };
    assert_eq!(parse(&good[..239]), Err(Malformed::Short(239)));
    assert_eq!(with(0, 2), Malformed::NotARequest(2));
    assert_eq!(with(2, 17), Malformed::HardwareLength(17));
    assert_eq!(with(236, 0), Malformed::Cookie);
    assert_eq!(parse(&packet(0, &[])), Err(Malformed::NotDhcp));
}

#[test]
fn a_guid_for_a_hardware_address_is_the_machines_uuid() {
    let mut bytes = packet(1, &[]);
    bytes[2] = 16;
    bytes[28..44]
        .copy_from_slice(&[0x44, 0x45, 0x4c, 0x4c, 0, 0, 0, 0x10, 0x80, 0, 0, 0, 3, 0x8a, 0x53, 0xe4]);
    let got = parse(&bytes).unwrap();
    assert_eq!(got.mac(), None);
    assert_eq!(got.uuid.unwrap().to_string(), "4c4c4544-0000-1000-8000-0000038a53e4");
    assert_eq!(encode(&got, &offer(Style::Plain, "f"))[28..44], bytes[28..44]);
}

#[test]
fn a_uuid_that_says_nothing_is_none_and_is_mirrored_all_the_same() {
    for raw in [&[0; 17][..], &[&[0][..], &[255; 16]].concat(), &[1; 17], &[0; 5], &[]] {
        let got = request(1, &[(code::MACHINE_ID, raw)]);
        assert_eq!(got.uuid, None, "{raw:?}");
        let mirrored = option(&encode(&got, &offer(Style::Plain, "f")), code::MACHINE_ID);
        assert_eq!(mirrored.unwrap_or_default(), raw);
    }
}

#[test]
fn group_addresses_and_zeros_are_no_mac() {
    for first in [[0, 0, 0, 0, 0, 0], [1, 0, 0x5e, 0, 0, 1], [255; 6]] {
        let mut bytes = packet(1, &[]);
        bytes[28..34].copy_from_slice(&first);
        assert_eq!(parse(&bytes).unwrap().mac(), None, "{first:?}");
    }
}

#[test]
fn every_answer_begins_with_its_kind_and_server_and_ends_with_the_relays_own_bytes() {
    let relay: &[u8] = &[1, 4, b'e', b't', b'h', b'1', 151, 1, 0, 151, 1, 1, 12, 0];
    let got = request(1, &[(code::RELAY_INFO, relay), (code::CLIENT_ID, &[1, 2, 3])]);
    for reply in [offer(Style::Pxe, "undionly.kpxe"), Reply::nak([10, 77, 0, 1].into(), "wrong network")] {
        let bytes = encode(&got, &reply);
        let all = sent(&bytes);
        assert_eq!(all[0].0, code::KIND);
        assert_eq!(all[1], (code::SERVER_ID, vec![10, 77, 0, 1]));
        assert_eq!(all.last(), Some(&(code::RELAY_INFO, relay.to_vec())));
        assert_eq!(option(&bytes, code::CLIENT_ID), Some(vec![1, 2, 3]));
        assert!(bytes.len() >= 300);
    }
    assert_eq!(got.relay_sub_option(1), Some(&b"eth1"[..]));
}

#[test]
fn a_nak_has_nothing_but_what_a_nak_may_have() {
    let got = request(3, &[(code::MACHINE_ID, &[0; 17]), (code::CLIENT_ID, &[1])]);
    let reply = Reply { kind: ReplyKind::Nak, message: Some("no".into()), ..offer(Style::Pxe, "f") };
    let bytes = encode(&got, &reply);
    let codes: Vec<u8> = sent(&bytes).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [code::KIND, code::SERVER_ID, code::MESSAGE, code::CLIENT_ID]);
    assert_eq!(bytes[12..24], [0; 12], "ciaddr, yiaddr, siaddr");
    assert_eq!(bytes[108], 0, "file");
}

#[test]
fn an_answer_to_inform_gives_neither_address_nor_lease() {
    let reply = Reply { kind: ReplyKind::Ack, ..offer(Style::Plain, "f") };
    let bytes = encode(&request(8, &[]), &reply);
    assert_eq!(bytes[16..20], [0; 4]);
    assert_eq!(option(&bytes, code::LEASE), None);
    assert!(option(&bytes, code::MASK).is_some());
}

/// The rows of the measurements that a style stands for: 60, 43, 175 when we give the address, and as a
/// proxy.
#[test]
fn each_firmware_is_told_in_the_way_that_was_seen_to_work() {
    let told = |style, yiaddr: Option<Ipv4Addr>| {
        let bytes = encode(&request(1, &[]), &Reply { yiaddr, ..offer(style, "boot/file") });
        assert_eq!(bytes[20..24], [10, 77, 0, 1], "siaddr: UEFI looks nowhere else");
        assert_eq!(&bytes[108..118], b"boot/file\0");
        assert_eq!(option(&bytes, code::BOOT_FILE).unwrap(), b"boot/file\0");
        [code::VENDOR_CLASS, code::VENDOR, code::IPXE].map(|code| option(&bytes, code).unwrap_or_default())
    };
    let us = Some([10, 77, 0, 100].into());
    assert_eq!(told(Style::Pxe, us), [&b"PXEClient"[..], &[6, 1, 8, 255], &[]], "row H");
    assert_eq!(told(Style::Plain, us), [&b""[..], &[], &[]], "row I");
    assert_eq!(told(Style::HttpClient, us), [&b"HTTPClient"[..], &[], &[]], "row HA");
    assert_eq!(told(Style::Ipxe, us), [&b""[..], &[], &[176, 1, 1]]);
    assert_eq!(told(Style::Pxe, None), [&b"PXEClient"[..], &[6, 1, 8, 255], &[]], "row B");
    assert_eq!(told(Style::Plain, None), [&b"PXEClient"[..], &[], &[]], "row A");
    assert_eq!(told(Style::HttpClient, None), [&b"HTTPClient"[..], &[], &[]], "row HE");
    assert_eq!(told(Style::Ipxe, None), [&b"PXEClient"[..], &[], &[]]);
}

#[test]
fn the_boot_item_that_a_rom_chose_at_4011_comes_back() {
    let mut bytes = packet(3, &[(code::VENDOR, &[71, 4, 0x80, 0, 0, 0, 255])]);
    bytes[12..16].copy_from_slice(&[10, 77, 0, 230]);
    let got = parse(&bytes).unwrap();
    assert_eq!(got.boot_item, Some([0x80, 0, 0, 0]));
    let reply = Reply { kind: ReplyKind::Ack, yiaddr: None, ..offer(Style::Pxe, "undionly.kpxe") };
    let bytes = encode(&got, &reply);
    assert_eq!(option(&bytes, code::VENDOR).unwrap(), [71, 4, 0x80, 0, 0, 0, 255]);
    assert_eq!(bytes[12..16], [10, 77, 0, 230], "ciaddr is kept");
}

#[test]
fn hostname_and_domain_are_for_those_who_ask() {
    let asked = request(1, &[(code::PARAMETERS, &[1, 3, 12])]);
    let bytes = encode(&asked, &offer(Style::Plain, "f"));
    assert!(option(&bytes, code::HOSTNAME).is_some() && option(&bytes, code::ROUTERS).is_some());
    assert!(option(&bytes, code::DOMAIN).is_none() && option(&bytes, code::BROADCAST).is_none());
}

#[test]
fn replies_go_where_rfc_2131_says() {
    let mut got = request(1, &[]);
    let (give, nak) = (offer(Style::Plain, "f"), Reply::nak([10, 77, 0, 1].into(), "no"));
    let (mac, yiaddr) = ("52:54:00:12:34:56".parse().unwrap(), [10, 77, 0, 100].into());
    assert_eq!(destination(&got, &give), Destination::HardwareUnicast { mac, yiaddr });
    assert_eq!(
        destination(&got, &Reply { yiaddr: None, ..give.clone() }),
        Destination::Broadcast,
        "a proxy's offer"
    );
    got.broadcast = true;
    assert_eq!(destination(&got, &give), Destination::Broadcast);
    got.ciaddr = [10, 77, 0, 9].into();
    assert_eq!(destination(&got, &give), Destination::Unicast(got.ciaddr));
    assert_eq!(destination(&got, &nak), Destination::Broadcast);
    for group in [[224, 0, 0, 1], [255, 255, 255, 255]] {
        assert_eq!(
            destination(&Request { ciaddr: group.into(), ..got.clone() }, &give),
            Destination::Broadcast
        );
    }
    got.broadcast = false;
    got.giaddr = [10, 78, 0, 1].into();
    assert_eq!(destination(&got, &give), Destination::Relay(got.giaddr));
    assert_eq!(destination(&got, &nak), Destination::Relay(got.giaddr));
    assert_eq!(encode(&got, &nak)[10], 0x80, "the relay is told to broadcast it");
    assert_eq!(encode(&got, &give)[10], 0);
}

#[test]
fn the_link_is_what_the_relay_selects_or_its_own_address() {
    let mut got = request(1, &[(code::RELAY_INFO, &[1, 1, 9, 5, 4, 10, 9, 0, 0])]);
    got.giaddr = [10, 78, 0, 1].into();
    assert_eq!(got.link(), Some([10, 9, 0, 0].into()));
    got.relay_info = None;
    assert_eq!(got.link(), Some([10, 78, 0, 1].into()));
    got.giaddr = Ipv4Addr::UNSPECIFIED;
    assert_eq!(got.link(), None);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_options_make_it_panic_and_every_answer_is_bounded(
        raw in proptest::collection::vec(any::<u8>(), 0..1300),
        fixed: [u8; 8],
        file in "[a-z/:.]{0,300}",
    ) {
        let mut bytes = packet(1, &[]);
        bytes.pop();
        bytes.extend(&raw);
        bytes[1] = fixed[0];
        bytes[2] = fixed[1] % 17;
        bytes[12..16].copy_from_slice(&fixed[2..6]);
        let got = parse(&bytes).unwrap();
        for style in [Style::Pxe, Style::Plain, Style::RaspberryPi, Style::HttpClient, Style::Ipxe] {
            let reply = encode(&got, &offer(style, &file));
            prop_assert!(reply.len() >= 300 && reply.len() <= 1472);
            prop_assert!(reply.len() <= usize::from(got.max_size.unwrap_or(0).max(576)) - 28);
            prop_assert!(v4::Message::decode(&mut v4::Decoder::new(&reply)).is_ok());
        }
    }

    #[test]
    fn what_is_written_is_read(
        xid: u32, host in "[a-z]{1,60}", class in "[ -~]{1,300}", archs: Vec<u16>, id in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let raw: Vec<u8> = archs.iter().flat_map(|code| code.to_be_bytes()).collect();
        let mut bytes = packet(3, &[
            (code::HOSTNAME, host.as_bytes()), (code::VENDOR_CLASS, class.as_bytes()), (code::ARCHS, &raw), (code::CLIENT_ID, &id),
        ]);
        bytes[4..8].copy_from_slice(&xid.to_be_bytes());
        let got = parse(&bytes).unwrap();
        prop_assert_eq!((got.kind, got.xid), (MessageType::Request, xid));
        prop_assert_eq!(got.hostname, Some(host));
        prop_assert_eq!(got.vendor_class, Some(class));
        prop_assert_eq!(got.archs, archs);
        prop_assert_eq!(got.client_id, Some(id));
    }

    #[test]
    fn another_codec_reads_the_answer_as_it_was_meant(yiaddr: u32, lease: u32, file in "[a-z/.]{1,127}") {
        let reply = Reply { yiaddr: Some(yiaddr.into()), lease: Some(LeaseTimes::of(lease)), ..offer(Style::Pxe, &file) };
        let bytes = encode(&request(1, &[]), &reply);
        let read = v4::Message::decode(&mut v4::Decoder::new(&bytes)).unwrap();
        prop_assert_eq!(read.yiaddr(), Ipv4Addr::from(yiaddr));
        prop_assert_eq!(read.siaddr(), Ipv4Addr::new(10, 77, 0, 1));
        prop_assert_eq!(read.opts().msg_type(), Some(v4::MessageType::Offer));
        prop_assert_eq!(read.opts().get(v4::OptionCode::AddressLeaseTime), Some(&v4::DhcpOption::AddressLeaseTime(lease)));
        let expected = v4::DhcpOption::DomainNameServer(vec![[10, 77, 0, 1].into(), [10, 77, 0, 2].into()]);
        prop_assert_eq!(read.opts().get(v4::OptionCode::DomainNameServer), Some(&expected));
    }
}
