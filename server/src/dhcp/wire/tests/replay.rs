//! Captures of real firmware: every client packet in them is read, and is seen as the firmware that sent it.
use super::*;
use crate::domain::firmware::{Arch, Client, classify};
use std::{fs, path::PathBuf};

/// The UDP payloads of a pcap file of Ethernet frames, with their ports.
fn datagrams(name: &str) -> Vec<(u16, u16, Vec<u8>)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pcaps").join(name);
    let file = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(file[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    let mut rest = &file[24..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_le_bytes(*rest[8..].first_chunk().unwrap()) as usize;
        let frame = &rest[16..16 + len];
        rest = &rest[16 + len..];
        let ip = &frame[14..];
        if frame[12..14] == [8, 0] && ip[9] == 17 {
            let udp = &ip[usize::from(ip[0] & 15) * 4..];
            let port = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
            found.push((port(0), port(2), udp[8..].to_vec()));
        }
    }
    found
}

fn requests(name: &str) -> Vec<Request> {
    let sent = datagrams(name).into_iter().filter(|(_, to, bytes)| matches!(to, 67 | 4011) && bytes[0] == 1);
    sent.map(|(.., bytes)| parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"))).collect()
}

/// File, MAC's end, and for each stage of the boot the firmware, its arch and how many requests it sent.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, Option<Arch>, usize)]);

/// As the table of the lab has it: the file, and what each of its requests is from: firmware, arch, MAC's
/// end.
#[test]
fn every_client_of_the_lab_is_known_for_what_it_is() {
    let (pxe, http, ipxe, os) = ("pxe", "http-boot", "ipxe", "os");
    let (bios, x64) = (Some(Arch::Bios), Some(Arch::EfiX64));
    let table: &[Row] = &[
        ("bios-vendor-pxe.pcap", "3b:ae:ca", &[(pxe, bios, 3), (ipxe, bios, 3), (os, None, 2)]),
        ("bios-vendor-pxe-ipxe2.pcap", "c4:05:b7", &[(pxe, bios, 3), (ipxe, bios, 3)]),
        ("ipxe-rom.pcap", "e9:c4:cf", &[(ipxe, bios, 3)]),
        ("full-ipxe-rom.pcap", "f9:51:9d", &[(ipxe, bios, 3), (os, None, 2)]),
        ("uefi-pxe.pcap", "eb:05:e2", &[(pxe, x64, 2), (ipxe, x64, 3)]),
        ("uefi-http.pcap", "8a:53:e4", &[(http, x64, 2), (ipxe, x64, 3)]),
        ("uefi-ipxe-rom.pcap", "aa:e5:b5", &[(ipxe, x64, 3)]),
        ("relay-uefi-pxe.pcap", "bb:22:81", &[(pxe, x64, 2), (ipxe, x64, 3)]),
        ("proxy-bios-vendor-pxe.pcap", "fc:94:8d", &[(pxe, bios, 4), (ipxe, bios, 3)]),
        ("proxy-uefi-pxe.pcap", "84:6e:10", &[(pxe, x64, 3), (ipxe, x64, 3)]),
    ];
    for (file, mac, stages) in table {
        let expected: Vec<_> =
            stages.iter().flat_map(|&(kind, arch, times)| vec![(kind, arch); times]).collect();
        let got = requests(file);
        let seen: Vec<_> =
            got.iter().map(|r| classify(&r.identity())).map(|f| (f.client.name(), f.arch)).collect();
        assert_eq!(seen, expected, "{file}");
        for request in &got {
            assert_eq!(request.mac().unwrap().to_string(), format!("52:54:00:{mac}"), "{file}");
            let firmware = classify(&request.identity());
            if firmware.client != Client::Os {
                let uuid = request.uuid.unwrap_or_else(|| panic!("{file}: no uuid")).to_string();
                let end: String = mac.split(':').collect();
                assert!(
                    uuid.starts_with("4c4c4544-0000-1000-8000-") && uuid.ends_with(&end),
                    "{file}: {uuid}"
                );
            }
            if let Client::Ipxe { features } = firmware.client {
                assert!(features.http() && !features.https(), "{file}");
                let version = if file.contains("ipxe2") { (2, 0, 0) } else { (1, 0, 0) };
                assert_eq!(features.version, Some(version), "{file}");
                assert_eq!(features.efi(), firmware.arch == x64, "{file}");
            }
        }
    }
}

#[test]
fn the_relay_and_its_circuit_are_read() {
    for request in requests("relay-uefi-pxe.pcap") {
        assert_eq!(request.giaddr, Ipv4Addr::new(10, 78, 0, 1));
        assert_eq!(request.relay_sub_option(1), Some(&b"eth1"[..]));
        assert_eq!(request.link(), Some(request.giaddr));
    }
}

#[test]
fn the_request_at_4011_names_its_boot_item() {
    let bytes = datagrams("proxy-bios-vendor-pxe.pcap").into_iter().find(|(_, to, _)| *to == 4011).unwrap().2;
    let request = parse(&bytes).unwrap();
    assert_eq!(
        (request.kind, request.xid, request.boot_item),
        (MessageType::Request, 0, Some([0x80, 0, 0, 0]))
    );
    assert_eq!(request.ciaddr, Ipv4Addr::new(10, 77, 0, 230));
}

#[test]
fn uefi_says_1472_and_wants_a_broadcast() {
    for request in requests("uefi-pxe.pcap").iter().filter(|r| classify(&r.identity()).client == Client::Pxe)
    {
        assert!(request.broadcast && request.client_id.is_none());
        assert_eq!(request.undi, Some([1, 3, 0]));
        assert!(matches!(request.max_size, Some(1472 | 0xff00)));
    }
}
