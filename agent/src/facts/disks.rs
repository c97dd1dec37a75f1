//! The disks.
use super::{Tree, smbios::meant};
use pilotlight_types::facts::{Disk, MAX_ITEMS, Transport, clean};

/// Devices that are made of others, or of memory, or are no disks; `zram` and `zd` (ZFS volumes) too.
const NO_DISKS: [&str; 12] =
    ["loop", "ram", "zram", "zd", "dm-", "md", "nbd", "rbd", "drbd", "bcache", "fd", "mtdblock"];

pub(super) fn disks(tree: &Tree) -> Vec<Disk> {
    let names = tree.names("sys/block");
    names
        .into_iter()
        .filter(|name| is_disk(name))
        .filter_map(|name| disk(tree, name))
        .take(MAX_ITEMS)
        .collect()
}

fn is_disk(name: &str) -> bool {
    // An eMMC's boot and replay-protected partitions show as devices of their own: mmcblk0boot0, mmcblk0rpmb.
    let part_of_mmc = name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb"));
    !part_of_mmc && !NO_DISKS.iter().any(|prefix| name.starts_with(prefix))
}

fn disk(tree: &Tree, name: String) -> Option<Disk> {
    let at = format!("sys/block/{name}");
    let file = |file: &str| format!("{at}/{file}");
    let flag = |path: &str| tree.value(&file(path)).as_deref() == Some("1");
    // Kernels hide the single paths of a multipath NVMe disk.
    if flag("hidden") {
        return None;
    }
    let size_bytes = tree.parsed::<u64>(&file("size"))?.saturating_mul(512);
    // A drive without a medium: CD-ROM, card reader.
    if size_bytes == 0 {
        return None;
    }
    let transport = transport(tree, &name, &at);
    let value = |path: &str| tree.value(&file(path));
    let udev = udev_record(tree, &at);
    let udev = |key: &str| {
        let line = udev.as_deref()?.lines().find_map(|line| line.strip_prefix("E:")?.strip_prefix(key))?;
        clean(line.strip_prefix('=')?)
    };
    let serial = value("serial")
        .or_else(|| value("device/serial"))
        .or_else(|| scsi_serial(tree, &file("device/vpd_pg80")))
        .or_else(|| udev("ID_SERIAL_SHORT"));
    let wwn = value("wwid")
        .or_else(|| value("device/wwid"))
        // SCSI's third kind of name is made of vendor, model and serial: nothing world-wide about it.
        .filter(|wwid| !wwid.starts_with("t10."))
        .or_else(|| Some(format!("naa.{}", udev("ID_WWN")?.strip_prefix("0x")?)));
    Some(Disk {
        path: format!("/dev/{}", name.replace('!', "/")),
        size_bytes,
        // A PCI number with virtio; a disk behind ATA has "ATA" there.
        vendor: value("device/vendor").filter(|vendor| !vendor.starts_with("0x") && vendor != "ATA"),
        model: value("device/model"),
        serial: serial.as_deref().and_then(meant),
        wwn,
        firmware: value("device/firmware_rev").or_else(|| value("device/rev")),
        rotational: flag("queue/rotational"),
        removable: flag("removable"),
        logical_sector_bytes: tree.parsed(&file("queue/logical_block_size")),
        physical_sector_bytes: tree.parsed(&file("queue/physical_block_size")),
        transport,
        name,
    })
}

fn transport(tree: &Tree, name: &str, at: &str) -> Option<Transport> {
    for (prefix, transport) in [
        ("nvme", Transport::Nvme),
        ("vd", Transport::Virtio),
        ("mmcblk", Transport::Mmc),
        ("xvd", Transport::Xen),
    ] {
        if name.starts_with(prefix) {
            return Some(transport);
        }
    }
    let path = tree.real_path(at)?;
    let path = path.to_str()?;
    // From the disk's end: a USB case has a SATA disk in it, an iSCSI session goes over a virtio NIC.
    let parts: Vec<&str> = path.split('/').collect();
    let of = |part: &&str| match part {
        p if p.starts_with("session") => Some(Transport::Iscsi),
        p if p.starts_with("rport-") => Some(Transport::Fc),
        p if p.starts_with("end_device-") => Some(Transport::Sas),
        p if p.starts_with("ata") => Some(Transport::Sata),
        p if p.starts_with("usb") => Some(Transport::Usb),
        p if p.starts_with("virtio") => Some(Transport::Virtio),
        _ => None,
    };
    let scsi = name.starts_with("sd") || name.starts_with("sr");
    Some(parts.iter().rev().find_map(of).unwrap_or(if scsi { Transport::Scsi } else { Transport::Other }))
}

/// SPC-4, 7.8.13: four bytes of header with the length, then the serial number.
fn scsi_serial(tree: &Tree, path: &str) -> Option<String> {
    let page = tree.bytes(path)?;
    let [_, 0x80, high, low, serial @ ..] = page.as_slice() else { return None };
    let serial = serial.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
    clean(&String::from_utf8_lossy(serial))
}

fn udev_record(tree: &Tree, at: &str) -> Option<String> {
    let number = tree.value(&format!("{at}/dev"))?;
    let wanted = number.chars().all(|c| c.is_ascii_digit() || c == ':');
    wanted.then(|| tree.text(&format!("run/udev/data/b{number}")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_disks_are_disks() {
        for name in ["sda", "vda", "nvme0n1", "mmcblk0", "xvda", "sr0", "cciss!c0d0"] {
            assert!(is_disk(name), "{name}");
        }
        for name in ["loop0", "ram1", "zram0", "dm-0", "md127", "nbd3", "fd0", "mmcblk0boot0", "mmcblk0rpmb"]
        {
            assert!(!is_disk(name), "{name}");
        }
    }
}
