//! The network interfaces.
use super::{Live, Tree};
use ipnet::IpNet;
use pilotlight_types::{
    Mac,
    facts::{MAX_ITEMS, Nic, OtherInterface},
};
use std::{collections::BTreeMap, path::Component};

const MOST_OTHERS: usize = 64;
const MOST_ADDRESSES: usize = 64;

/// The interfaces that are hardware, and some of those that are not.
pub(super) fn nics(tree: &Tree, live: &Live, boot_mac: Option<Mac>) -> (Vec<Nic>, Vec<OtherInterface>) {
    let boot_mac = boot_mac.or_else(|| bootif(&tree.text("proc/cmdline")?));
    let permanent = bonded(tree);
    let (mut nics, mut others) = (Vec::new(), Vec::new());
    for name in tree.names("sys/class/net") {
        let at = format!("sys/class/net/{name}");
        // A file among the interfaces: bonding_masters.
        if !tree.has(&format!("{at}/address")) {
            continue;
        }
        // A virtual function has a device, too: its parent is the hardware.
        let hardware = tree.has(&format!("{at}/device")) && !tree.has(&format!("{at}/device/physfn"));
        match hardware.then(|| nic(tree, live, &name, &at, permanent.get(&name).copied(), boot_mac)).flatten()
        {
            Some(nic) => nics.push(nic),
            None => others.push(OtherInterface { addresses: addresses(live, &name), name }),
        }
    }
    if nics.len() > MAX_ITEMS {
        tree.problem(format!("only the first {MAX_ITEMS} of {} network interfaces are told", nics.len()));
        nics.truncate(MAX_ITEMS);
    }
    // A node has an interface for each pod; those with addresses (bonds, VLANs) tell more.
    others.sort_by_key(|other| other.addresses.is_empty());
    others.truncate(MOST_OTHERS);
    (nics, others)
}

fn nic(
    tree: &Tree,
    live: &Live,
    name: &str,
    at: &str,
    permanent: Option<Mac>,
    boot_mac: Option<Mac>,
) -> Option<Nic> {
    let file = |file: &str| format!("{at}/{file}");
    let Some(current) = tree.parsed::<Mac>(&file("address")) else {
        // InfiniBand has addresses of 20 bytes.
        tree.problem(format!("{name} is left out: it has no Ethernet address"));
        return None;
    };
    let mac = permanent.unwrap_or(current);
    let current_mac = (current != mac).then_some(current);
    Some(Nic {
        name: name.to_owned(),
        mac,
        current_mac,
        driver: tree.link_name(&file("device/driver")),
        bus_path: bus_path(tree, &file("device")),
        link: tree.value(&file("carrier")).map(|carrier| carrier == "1"),
        // -1 when unknown, which is no u32; 0 and u32::MAX by some drivers.
        speed_mbps: tree.parsed(&file("speed")).filter(|&speed: &u32| speed != 0 && speed != u32::MAX),
        mtu: tree.parsed(&file("mtu")),
        booted: boot_mac == Some(mac),
        addresses: addresses(live, name),
    })
}

fn addresses(live: &Live, interface: &str) -> Vec<IpNet> {
    live.addresses(interface).filter(|net| !net.addr().is_loopback()).take(MOST_ADDRESSES).collect()
}

/// The PCI address nearest to the device (a virtio device hangs below one), or the device's name.
fn bus_path(tree: &Tree, device: &str) -> Option<String> {
    let path = tree.real_path(device)?;
    let parts = || {
        path.components().rev().filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
    };
    parts().find(|part| is_pci_address(part)).or_else(|| parts().next()).map(str::to_owned)
}

/// As in 0000:3b:00.1.
fn is_pci_address(text: &str) -> bool {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let parts: Vec<&str> = text.split([':', '.']).collect();
    text.len() >= 12 && parts.len() == 4 && parts.iter().all(|part| hex(part))
}

/// All members of a bond show the bond's address; its own report has their permanent ones.
fn bonded(tree: &Tree) -> BTreeMap<String, Mac> {
    let mut macs = BTreeMap::new();
    for bond in tree.names("proc/net/bonding") {
        let mut member = None;
        for line in tree.text(&format!("proc/net/bonding/{bond}")).unwrap_or_default().lines() {
            if let Some(name) = line.strip_prefix("Slave Interface: ") {
                member = Some(name.trim().to_owned());
            } else if let Some(mac) = line.strip_prefix("Permanent HW addr: ")
                && let (Some(name), Ok(mac)) = (member.take(), mac.trim().parse())
            {
                macs.insert(name, mac);
            }
        }
    }
    macs
}

/// The kernel argument that boot loaders give: BOOTIF=01-52-54-00-12-34-56, 01 being Ethernet.
fn bootif(cmdline: &str) -> Option<Mac> {
    let value = cmdline.split_whitespace().find_map(|argument| argument.strip_prefix("BOOTIF="))?;
    value.strip_prefix("01-").unwrap_or(value).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_interface_is_found_on_the_kernel_command_line() {
        let mac = Some(Mac::new([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        assert_eq!(bootif("quiet BOOTIF=01-52-54-00-12-34-56 console=ttyS0\n"), mac);
        assert_eq!(bootif("BOOTIF=52:54:00:12:34:56"), mac);
        assert_eq!(bootif("BOOTIF=eth0"), None);
        assert_eq!(bootif("XBOOTIF=01-52-54-00-12-34-56"), None);
    }

    #[test]
    fn pci_addresses_are_told_from_other_names() {
        assert!(is_pci_address("0000:3b:00.1"));
        assert!(is_pci_address("10000:e1:00.0"));
        for name in ["virtio2", "1-1:1.0", "pci0000:00", "0000:3b", "usb1"] {
            assert!(!is_pci_address(name), "{name}");
        }
    }
}
