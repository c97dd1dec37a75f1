//! The machine as its maker describes it.
use super::{Tree, smbios::meant};
use pilotlight_types::{
    facts::{Board, Chassis, Firmware, FirmwareMode, System},
    identity::is_shared_uuid,
};
use uuid::Uuid;

const SECURE_BOOT: &str = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

pub(super) fn system(tree: &Tree) -> System {
    let dmi = |name: &str| meant(&tree.value(&format!("sys/class/dmi/id/{name}"))?);
    System {
        vendor: dmi("sys_vendor"),
        // Boards without SMBIOS (most of the smaller ARM ones) say who they are in the device tree; its texts end with NUL.
        product: dmi("product_name").or_else(|| tree.value("proc/device-tree/model")),
        version: dmi("product_version"),
        sku: dmi("product_sku"),
        family: dmi("product_family"),
        serial: dmi("product_serial").or_else(|| meant(&tree.value("proc/device-tree/serial-number")?)),
        uuid: uuid(tree),
        chassis: Chassis {
            kind: tree.parsed("sys/class/dmi/id/chassis_type").and_then(chassis_kind),
            vendor: dmi("chassis_vendor"),
            serial: dmi("chassis_serial"),
            asset_tag: dmi("chassis_asset_tag"),
        },
        board: Board {
            vendor: dmi("board_vendor"),
            product: dmi("board_name"),
            version: dmi("board_version"),
            serial: dmi("board_serial"),
        },
        firmware: firmware(tree, dmi),
    }
}

fn uuid(tree: &Tree) -> Option<Uuid> {
    let text = tree.value("sys/class/dmi/id/product_uuid")?;
    let uuid = Uuid::parse_str(&text).ok().filter(|uuid| !is_shared_uuid(*uuid));
    if uuid.is_none() {
        tree.problem(format!(
            "the SMBIOS UUID `{text}` is left out: it is malformed, or many machines have it"
        ));
    }
    uuid
}

fn firmware(tree: &Tree, dmi: impl Fn(&str) -> Option<String>) -> Firmware {
    let mode = if tree.has("sys/firmware/efi") {
        Some(FirmwareMode::Uefi)
    } else {
        tree.has("sys/class/dmi/id").then_some(FirmwareMode::Bios)
    };
    // Four bytes of attributes, then the value.
    let secure_boot = match tree.bytes(SECURE_BOOT).as_deref() {
        Some([_, _, _, _, value]) => Some(*value == 1),
        _ => None,
    };
    Firmware {
        vendor: dmi("bios_vendor"),
        version: dmi("bios_version"),
        date: dmi("bios_date"),
        mode,
        secure_boot,
    }
}

/// DSP0134, 7.4.1.
fn chassis_kind(number: u8) -> Option<String> {
    const KINDS: [&str; 36] = [
        "other",
        "unknown",
        "desktop",
        "low profile desktop",
        "pizza box",
        "mini tower",
        "tower",
        "portable",
        "laptop",
        "notebook",
        "hand held",
        "docking station",
        "all in one",
        "sub notebook",
        "space-saving",
        "lunch box",
        "main server chassis",
        "expansion chassis",
        "sub chassis",
        "bus expansion chassis",
        "peripheral chassis",
        "raid chassis",
        "rack mount chassis",
        "sealed-case pc",
        "multi-system chassis",
        "compact pci",
        "advanced tca",
        "blade",
        "blade enclosure",
        "tablet",
        "convertible",
        "detachable",
        "iot gateway",
        "embedded pc",
        "mini pc",
        "stick pc",
    ];
    // The highest bit says that the case has a lock.
    match number & 0x7f {
        0 | 2 => None,
        n => {
            Some(KINDS.get(usize::from(n) - 1).map_or_else(|| format!("type {n}"), |kind| (*kind).to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chassis_has_its_name_with_or_without_a_lock() {
        assert_eq!(chassis_kind(23).as_deref(), Some("rack mount chassis"));
        assert_eq!(chassis_kind(0x80 | 28).as_deref(), Some("blade"));
        assert_eq!(chassis_kind(36).as_deref(), Some("stick pc"));
        assert_eq!(chassis_kind(99).as_deref(), Some("type 99"));
        assert_eq!(chassis_kind(2), None);
        assert_eq!(chassis_kind(0), None);
    }
}
