use super::*;
use crate::domain::{
    firmware::{Identity, classify},
    inventory::Declared,
};
use pilotlight_types::{Timestamp, resource::Labels};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

const MAC: &str = "52:54:00:12:34:56";

fn firmware(class: &str, archs: &[u16]) -> Firmware {
    classify(&Identity { vendor_class: Some(class), archs, ..Identity::default() })
}

fn rows(specs: &[(&str, Value)]) -> ByName<FirmwareSpec> {
    let row = |(name, spec): &(&str, Value)| {
        let spec = Arc::new(serde_json::from_value(spec.clone()).unwrap());
        let row = Declared { labels: Labels::default(), spec, revision: 1, updated: Timestamp::default() };
        (name.parse().unwrap(), row)
    };
    specs.iter().map(row).collect()
}

fn choose(declared: &ByName<FirmwareSpec>, firmware: &Firmware, mac: &str, attempt: usize) -> Option<Chosen> {
    let there = [
        "undionly.kpxe",
        "snponly.efi",
        "ipxe.efi",
        "ipxe-arm64.efi",
        "raspberry-pi/start4.elf",
        "old/ipxe.efi",
    ];
    let table = Table { declared, has: &|program| there.contains(&program) };
    table.choose(firmware, mac.parse().unwrap(), [None, None], None, attempt)
}

#[test]
fn the_shipped_table_is_whole() {
    assert_eq!(shipped().len(), include_str!("../table.yaml").matches("kind: Firmware").count());
    for (name, row) in shipped() {
        assert!(
            row.matches.is_some()
                && !row.replies.is_empty()
                && !row.programs.is_empty()
                && row.leave.is_some(),
            "{name}"
        );
    }
}

#[test]
fn every_code_that_we_know_has_a_row() {
    for &(code, arch, http) in super::super::ARCHS {
        let class = if http { "HTTPClient" } else { "PXEClient" };
        // A BIOS that boots by HTTP has a code, and nobody ever built one.
        let built = !(http && arch == super::super::Arch::Bios);
        let row = choose(&BTreeMap::new(), &firmware(class, &[code]), MAC, 0);
        assert_eq!(row.is_some(), built, "{code}");
    }
}

#[test]
fn each_gets_the_first_program_that_is_there() {
    let program =
        |class: &str, arch| choose(&BTreeMap::new(), &firmware(class, &[arch]), MAC, 0).unwrap().program;
    assert_eq!(program("PXEClient", 0).as_deref(), Some("undionly.kpxe"));
    assert_eq!(program("PXEClient", 7).as_deref(), Some("snponly.efi"), "the signed ones are not there");
    assert_eq!(program("HTTPClient", 19).as_deref(), Some("ipxe-arm64.efi"));
    assert_eq!(program("PXEClient", 22).as_deref(), Some("ipxe-arm64.efi"), "U-Boot");
    assert_eq!(program("PXEClient", 6), None);
}

#[test]
fn a_raspberry_pi_is_known_by_its_mac_for_it_says_that_it_is_a_bios() {
    let pi =
        choose(&BTreeMap::new(), &firmware("PXEClient:Arch:00000:UNDI:002001", &[0]), "dc:a6:32:01:02:03", 0)
            .unwrap();
    assert_eq!((pi.row.as_str(), pi.reply), ("raspberry-pi", ReplyStyle::RaspberryPi));
    assert_eq!(pi.window, Some(1));
}

#[test]
fn who_asks_again_is_answered_in_another_way_and_what_worked_comes_first() {
    let bios = firmware("PXEClient:Arch:00000:UNDI:002001", &[0]);
    let replies: Vec<ReplyStyle> =
        (0..3).map(|attempt| choose(&BTreeMap::new(), &bios, MAC, attempt).unwrap().reply).collect();
    assert_eq!(replies, [ReplyStyle::Pxe, ReplyStyle::Plain, ReplyStyle::Pxe]);
    let table = Table { declared: &BTreeMap::new(), has: &|_| true };
    let mac = MAC.parse().unwrap();
    let known = table.choose(&bios, mac, [None, None], Some(ReplyStyle::Plain), 0).unwrap();
    assert_eq!(known.reply, ReplyStyle::Plain);
    let strange = table.choose(&bios, mac, [None, None], Some(ReplyStyle::Http), 0).unwrap();
    assert_eq!(strange.reply, ReplyStyle::Pxe, "what the row does not have is not tried");
}

#[test]
fn an_operators_row_says_what_it_says_and_the_shipped_one_the_rest() {
    let declared = rows(&[
        (
            "old-uefi",
            json!({"match": {"archs": [7], "vendorClass": "PXEClient:*:UNDI:00301*"}, "programs": ["old/ipxe.efi"], "blockSize": 1024}),
        ),
        ("all-uefi", json!({"match": {"archs": [7]}, "window": 1})),
    ]);
    let old = choose(&declared, &firmware("PXEClient:Arch:00007:UNDI:003016", &[7]), MAC, 0).unwrap();
    assert_eq!(
        (old.row.as_str(), old.program.as_deref(), old.block_size),
        ("old-uefi", Some("old/ipxe.efi"), Some(1024))
    );
    assert_eq!(
        (old.reply, old.leave, old.window),
        (ReplyStyle::Plain, Some(Leave::Exit), None),
        "the most specific, then the shipped"
    );
    let new = choose(&declared, &firmware("PXEClient:Arch:00007:UNDI:004000", &[7]), MAC, 0).unwrap();
    assert_eq!((new.row.as_str(), new.window), ("all-uefi", Some(1)));
}

#[test]
fn a_row_of_a_shipped_name_takes_its_place_and_one_that_is_named_comes_first() {
    let declared = rows(&[(
        "bios",
        json!({"match": {"client": "pxe", "archs": [0]}, "replies": ["plain"], "programs": ["ipxe.efi"]}),
    )]);
    let bios = firmware("PXEClient:Arch:00000:UNDI:002001", &[0]);
    let chosen = choose(&declared, &bios, MAC, 0).unwrap();
    assert_eq!(
        (chosen.reply, chosen.program.as_deref(), chosen.leave),
        (ReplyStyle::Plain, Some("ipxe.efi"), None)
    );
    let table = Table { declared: &declared, has: &|_| true };
    let (pi, x64) = ("raspberry-pi".parse().unwrap(), "efi-x64".parse().unwrap());
    let named = table.choose(
        &bios,
        MAC.parse().unwrap(),
        [Some(("the machine", &pi)), Some(("its subnet", &x64))],
        None,
        0,
    );
    assert_eq!(named.unwrap().row, pi, "the machine's word counts more than its subnet's");
}

#[test]
fn operating_systems_and_management_controllers_have_no_row() {
    assert_eq!(choose(&rows(&[("all", json!({"match": {}}))]), &firmware("udhcp 1.36", &[]), MAC, 0), None);
    assert_eq!(choose(&rows(&[("all", json!({"match": {}}))]), &firmware("iDRAC", &[7]), MAC, 0), None);
}

#[test]
fn a_star_stands_for_any_text() {
    for (text, pattern) in
        [("abc", "abc"), ("abc", "*"), ("abc", "a*"), ("abc", "*c"), ("abcabc", "a*b*c"), ("", "*"), ("", "")]
    {
        assert!(is_like(text, pattern), "{text} {pattern}");
    }
    for (text, pattern) in
        [("abc", "ab"), ("abc", "b*"), ("abc", "a*d"), ("ab", "ab*b"), ("", "a*"), ("abc", "")]
    {
        assert!(!is_like(text, pattern), "{text} {pattern}");
    }
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(class: String, archs: Vec<u16>, pattern: String, attempt: usize, mac: [u8; 6]) {
        let declared = rows(&[("a", json!({"match": {"vendorClass": pattern}}))]);
        let mac = Mac::new(mac);
        let table = Table { declared: &declared, has: &|_| false };
        let chosen = table.choose(&firmware(&class, &archs), mac, [None, None], None, attempt);
        prop_assert!(chosen.is_none_or(|chosen| chosen.program.is_none()));
    }
}
