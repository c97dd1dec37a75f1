//! Packets in words: real ones, our own, and whatever anybody sends.
use super::*;
use pilotlight_types::api::PacketView;

/// What a field says.
fn says<'a>(view: &'a PacketView, name: &str) -> Option<&'a str> {
    view.fields.iter().find(|field| field.name == name).map(|field| field.value.as_str())
}

fn view(bytes: &[u8]) -> PacketView {
    Packet::read(bytes).unwrap().view()
}

#[test]
fn a_clients_options_are_said_by_name() {
    let id =
        [&[0][..], &[0x44, 0x45, 0x4c, 0x4c, 0, 0, 0, 0x10, 0x80, 0, 0x52, 0x54, 0, 0xeb, 5, 0xe2]].concat();
    let bytes = packet(
        1,
        &[
            (code::VENDOR_CLASS, b"PXEClient:Arch:00007:UNDI:003000"),
            (code::ARCHS, &[0, 7, 0, 99]),
            (code::UNDI, &[1, 3, 0]),
            (code::MAX_SIZE, &[5, 192]),
            (code::MACHINE_ID, &id),
            (code::USER_CLASS, b"iPXE"),
            (code::IPXE, &[0xeb, 3, 1, 21, 1, 0x13, 1, 1, 0x24, 1, 1]),
            (code::RELAY_INFO, b"\x01\x04eth1\x05\x04\x0a\x4e\x00\x00"),
            (code::PARAMETERS, &[1, 3, 43]),
            (code::HOSTNAME, b"a\x1b[31mb"),
            (250, &[1, 2]),
        ],
    );
    let view = view(&bytes);
    assert_eq!(view.kind, "DHCPDISCOVER");
    for (name, value) in [
        ("chaddr", "52:54:00:12:34:56"),
        ("xid", "12345678"),
        ("client architecture", "7 (efi-x64), 99 (other)"),
        ("client interface (UNDI)", "type 1, version 3.0"),
        ("largest message", "1472"),
        ("machine identifier", "4c4c4544-0000-1000-8000-525400eb05e2"),
        ("user class", "iPXE"),
        ("iPXE options", "iPXE 1.21.1, http, efi"),
        ("relay agent information", "1 circuit id 65:74:68:31 (`eth1`); 5 link selection 10.78.0.0"),
        ("parameter request list", "1 3 43"),
        ("host name", "a\\u{1b}[31mb"),
        ("unknown", "01:02"),
    ] {
        assert_eq!(says(&view, name), Some(value), "{name}");
    }
    assert!(!view.to_string().contains('\u{1b}'), "nothing that a terminal obeys");
}

#[test]
fn our_own_answers_are_read_back_overload_and_all() {
    let sent = request(1, &[(code::MAX_SIZE, &[2, 64])]);
    for (style, class) in
        [(Style::Pxe, Some("PXEClient")), (Style::Ipxe, None), (Style::HttpClient, Some("HTTPClient"))]
    {
        let reply = offer(style, "http://10.77.0.1/a");
        let packet = Packet::read(&encode(&sent, &reply)).unwrap();
        assert_eq!((packet.op, packet.kind), (2, Some(MessageType::Offer)));
        assert_eq!((packet.xid, packet.mac()), (sent.xid, sent.mac()));
        assert_eq!(Some(packet.yiaddr), reply.yiaddr);
        assert_eq!(packet.server_id(), Some(reply.server_id));
        assert_eq!(packet.vendor_class().as_deref(), class);
        assert_eq!(packet.boot_file().as_deref(), Some("http://10.77.0.1/a"));
        let view = packet.view();
        assert_eq!(says(&view, "lease time"), Some("3600 s"));
        assert_eq!(says(&view, "DNS servers"), Some("10.77.0.1, 10.77.0.2"));
        let vendor = (style == Style::Pxe)
            .then_some("6 discovery control 8 (boot the file named here; ask nobody else)");
        assert_eq!(says(&view, "vendor options"), vendor);
    }
    let long = "/a".repeat(100);
    let moved = encode(&sent, &offer(Style::Pxe, &long));
    let packet = Packet::read(&moved).unwrap();
    assert_eq!(packet.boot_file(), Some(long));
    let overloaded = packet.options.get(code::OVERLOAD).is_some();
    assert!(!overloaded || packet.file.is_none() || packet.sname.is_none(), "options are no names");
}

#[test]
fn what_has_no_form_is_shown_as_it_is() {
    let bytes = packet(
        3,
        &[(code::LEASE, &[1]), (code::ARCHS, &[7]), (code::REQUESTED, &[1, 2, 3]), (code::UNDI, &[])],
    );
    let view = view(&bytes);
    assert_eq!(says(&view, "lease time"), Some("01"));
    assert_eq!(says(&view, "client architecture"), Some("07"));
    assert_eq!(says(&view, "requested address"), Some("01:02:03"));
    assert_eq!(says(&view, "client interface (UNDI)"), Some(""));
    assert_eq!(Packet::read(&bytes[..239]), Err(Malformed::Short(239)));
    assert_eq!(Packet::read(&[0; 240]), Err(Malformed::Cookie));
    let mut bootp = packet(0, &[]);
    assert_eq!(view_kind(&bootp), "BOOTP request");
    bootp[0] = 2;
    assert_eq!(view_kind(&bootp), "BOOTP reply");
}

fn view_kind(bytes: &[u8]) -> String {
    view(bytes).kind
}

proptest! {
    #[test]
    fn any_bytes_can_be_shown(options in prop::collection::vec(any::<u8>(), 0..600), overload in 0..4_u8) {
        let mut bytes = packet(1, &[(code::OVERLOAD, &[overload])]);
        bytes.pop();
        bytes.extend(options);
        let shown = view(&bytes).to_string();
        prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    }
}
