use super::*;
use proptest::prelude::*;

fn read(bytes: &[u8]) -> ReadRequest {
    match parse(bytes).unwrap() {
        Packet::Read(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_uefi_asks_is_read() {
    let request = read(b"\0\x01snponly.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0");
    let expected = ReadRequest {
        name: "snponly.efi".into(),
        block_size: Some(1468),
        window_size: Some(4),
        transfer_size: true,
        timeout: None,
    };
    assert_eq!(request, expected);
}

#[test]
fn options_are_read_in_any_case_and_netascii_is_taken_as_octet() {
    let request = read(b"\0\x01f\0NetASCII\0BLKSIZE\x00512\0Timeout\x003\0unknown\0x\0");
    assert_eq!((request.block_size, request.timeout), (Some(512), Some(3)));
}

#[test]
fn values_that_cannot_be_are_options_that_were_not_asked_for() {
    for (option, value) in [
        ("blksize", "7"),
        ("blksize", "65465"),
        ("blksize", "-1"),
        ("windowsize", "0"),
        ("timeout", "256"),
        ("timeout", ""),
    ] {
        let request = read(format!("\0\x01f\0octet\0{option}\0{value}\0").as_bytes());
        assert_eq!(request, ReadRequest { name: "f".into(), ..ReadRequest::default() }, "{option}={value}");
    }
}

#[test]
fn a_missing_last_nul_and_padding_are_tolerated() {
    assert_eq!(read(b"\0\x01f\0octet").name, "f");
    assert_eq!(read(b"\0\x01f\0octet\0blksize\x00512").block_size, Some(512));
    assert_eq!(read(b"\0\x01f\0octet\0\0\0\0\0").block_size, None);
    assert_eq!(read(b"\0\x01f\0octet\0blksize\x00512\0blksize\x001024\0").block_size, Some(512), "only once");
}

#[test]
fn what_is_no_packet_is_malformed() {
    for bytes in [&b""[..], b"\0", b"\0\x01", b"\0\x01f", b"\0\x03\0", b"\0\x04", b"\0\x05\0"] {
        assert_eq!(parse(bytes), Err(Malformed::Short), "{bytes:?}");
    }
    assert_eq!(parse(b"\0\x01\0octet\0"), Err(Malformed::Name));
    assert_eq!(parse(b"\0\x01f\0mail\0"), Err(Malformed::Mode));
    assert_eq!(parse(b"\0\x07"), Err(Malformed::Opcode(7)));
    assert_eq!(parse(b"\0\x02f\0octet\0"), Ok(Packet::Write));
}

#[test]
fn names_are_taken_as_firmware_sends_them_and_never_climb() {
    for (sent, cleaned) in [
        ("snponly.efi", "snponly.efi"),
        ("/snponly.efi", "snponly.efi"),
        ("\\Boot\\x64\\snponly.efi", "Boot/x64/snponly.efi"),
        ("//boot//./f", "boot/f"),
        ("52:54:00:12:34:56/ipxe.efi", "52:54:00:12:34:56/ipxe.efi"),
        ("a..b", "a..b"),
    ] {
        assert_eq!(clean_name(sent).as_deref(), Some(cleaned), "{sent}");
    }
    for bad in ["", "/", ".", "..", "../f", "a/../f", "a\\..\\f", "a\nb", "a\0b", "f\u{7f}"] {
        assert_eq!(clean_name(bad), None, "{bad:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, opcode in 0..8_u8) {
        let _ = parse(&bytes);
        let _ = parse(&[&[0, opcode][..], &bytes].concat());
    }

    #[test]
    fn no_name_gets_out(name: String) {
        if let Some(clean) = clean_name(&name) {
            prop_assert!(!clean.starts_with('/') && !clean.split('/').any(|part| part == ".." || part.is_empty()));
            prop_assert_eq!(clean_name(&clean), Some(clean.clone()));
        }
    }

    #[test]
    fn a_request_survives_the_wire(
        name in "[!-~]{1,80}", block_size in proptest::option::of(8..=65464_u16),
        window_size in proptest::option::of(1..=u16::MAX), transfer_size: bool, timeout in proptest::option::of(1..=255_u8),
    ) {
        let request = ReadRequest { name, block_size, window_size, transfer_size, timeout };
        prop_assert_eq!(read(&request.encode()), request);
    }
}
