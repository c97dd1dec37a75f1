//! Recorded machines: `tests/fixtures/NAME/tree.txt` holds the files (see `plant`), `addresses.txt` and `systemctl.txt` what the
//! running system said, `expected.json` what comes out. With UPDATE_FIXTURES=1 the last one is written instead of compared.
use super::*;
use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// Makes the files that `text` lists, one a line: `path = text` (`\n` a new line), `path = hex: 0a 0b`, `link -> target`,
/// `directory/`. Blank lines and those with `#` in front are for people.
fn plant(root: &Path, text: &str) {
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let make = |path: &str| -> PathBuf {
            let path = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        if let Some((link, target)) = line.split_once(" -> ") {
            symlink(target, make(link)).unwrap();
        } else if let Some((path, value)) = line.split_once(" = ") {
            let bytes = match value.strip_prefix("hex: ") {
                Some(hex) => hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect(),
                None => format!("{}\n", value.replace("\\n", "\n")).into_bytes(),
            };
            fs::write(make(path), bytes).unwrap();
        } else {
            fs::create_dir_all(make(line)).unwrap();
        }
    }
}

fn fixture(name: &str) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let file = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
    let root = tempfile::tempdir().unwrap();
    plant(root.path(), &file("tree.txt"));
    let systemd = Some(file("systemctl.txt")).filter(|text| !text.is_empty());
    let live = Live::recorded(systemd, &file("addresses.txt"));
    let mut facts = collect(&Tree::new(root.path()), &live, None);
    facts.check().unwrap();
    facts.agent = "0.0.0".into();
    let json = format!("{}\n", serde_json::to_string_pretty(&facts).unwrap());
    if env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(dir.join("expected.json"), &json).unwrap();
    }
    assert_eq!(json, file("expected.json"));
    assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
}

#[test]
fn a_bios_virtual_machine_with_virtio_is_measured() {
    fixture("qemu-bios-virtio");
}

#[test]
fn a_uefi_virtual_machine_with_e1000_and_nvme_is_measured() {
    fixture("qemu-uefi-nvme");
}

#[test]
fn a_server_with_two_sockets_a_bond_and_many_disks_is_measured() {
    fixture("two-socket-server");
}

#[test]
fn an_arm_board_without_smbios_is_measured() {
    fixture("arm-board");
}

#[test]
fn an_empty_tree_is_no_reason_to_fail() {
    let root = tempfile::tempdir().unwrap();
    let facts = collect(&Tree::new(root.path()), &Live::none(), None);
    assert_eq!(facts.problems, Vec::<String>::new());
    assert_eq!(facts.check(), Ok(()));
    assert_eq!(facts.system.firmware.mode, None);
}

#[test]
fn the_configured_boot_interface_wins_over_the_kernel_command_line() {
    let root = tempfile::tempdir().unwrap();
    plant(
        root.path(),
        "proc/cmdline = BOOTIF=01-52-54-00-00-00-01\n\
         sys/class/net/eth0/address = 52:54:00:00:00:01\nsys/class/net/eth0/device/\n\
         sys/class/net/eth1/address = 52:54:00:00:00:02\nsys/class/net/eth1/device/",
    );
    let booted = |mac| {
        let facts = collect(&Tree::new(root.path()), &Live::none(), mac);
        facts.nics.into_iter().filter(|nic| nic.booted).map(|nic| nic.name).collect::<Vec<_>>()
    };
    assert_eq!(booted(None), ["eth0"]);
    assert_eq!(booted(Some(Mac::new([0x52, 0x54, 0, 0, 0, 2]))), ["eth1"]);
}

#[test]
fn a_tree_full_of_junk_still_gives_facts_that_pass() {
    let root = tempfile::tempdir().unwrap();
    let junk = "x".repeat(5000);
    let files = [
        "sys/class/dmi/id/sys_vendor = hex: 1b 5b 32 4a ff fe 00 41".to_owned(),
        format!("sys/class/dmi/id/product_name = {junk}"),
        "sys/class/dmi/id/product_uuid = not-a-uuid".to_owned(),
        "sys/class/dmi/id/chassis_type = 99999".to_owned(),
        "sys/firmware/dmi/tables/DMI = hex: 11 ff 00 00".to_owned(),
        "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c = hex: 01".to_owned(),
        format!("proc/meminfo = MemTotal: {junk} kB"),
        "proc/cpuinfo = processor : -1\\nphysical id : 9\\nprocessor : 4294967295\\nmodel name : \\n"
            .to_owned(),
        "proc/uptime = nan".to_owned(),
        "sys/block/sda/size = 99999999999999999999".to_owned(),
        "sys/block/sdb/size = 18446744073709551615".to_owned(),
        "sys/block/sdb/dev = ../../../etc".to_owned(),
        "sys/block/sdb/device/vpd_pg80 = hex: 00 80 ff ff 41".to_owned(),
        "sys/class/net/ib0/address = 80:00:02:08:fe:80:00:00:00:00:00:00:e4:1d:2d:03:00:aa:bb:cc".to_owned(),
        "sys/class/net/ib0/device/".to_owned(),
        format!("etc/os-release = ID={junk}"),
    ];
    plant(root.path(), &files.join("\n"));
    let facts = collect(&Tree::new(root.path()), &Live::none(), None);
    assert_eq!(facts.check(), Ok(()));
    assert_eq!(facts.system.vendor.as_deref(), Some("[2J\u{fffd}\u{fffd}A"));
    assert_eq!(facts.cpus.threads, 1);
    assert_eq!(facts.disks.len(), 1);
    assert_eq!(
        facts.problems,
        [
            "ib0 is left out: it has no Ethernet address",
            "the SMBIOS UUID `not-a-uuid` is left out: it is malformed, or many machines have it"
        ]
    );
}
