//! What Fedora CoreOS expects of partitions, beyond what Ignition does.
use super::convert::Converter;
use crate::domain::{ignition::place::upwards, yaml::Located};
use serde_json::Value;

/// The disk that the machine booted from, whose partitions are known.
const BOOT_DISK: &str = "/dev/disk/by-id/coreos-boot-disk";
const BOOT_PARTITIONS: [(&str, i64); 6] = [
    ("BIOS-BOOT", 1),
    ("PowerPC-PReP-boot", 1),
    ("reserved", 1),
    ("EFI-SYSTEM", 2),
    ("boot", 3),
    ("root", 4),
];

/// Warns where a partition will not be the one that is meant.
pub(super) fn check(converter: &mut Converter<'_>, config: &Value) {
    if converter.dialect.variant != "fcos" {
        return;
    }
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    for (d, disk) in list(config.pointer("/storage/disks")).iter().enumerate() {
        let boot = disk.get("device").and_then(Value::as_str) == Some(BOOT_DISK);
        let wiped = disk.get("wipeTable").and_then(Value::as_bool) == Some(true);
        for (p, partition) in list(disk.get("partitions")).iter().enumerate() {
            let Some(label) = partition.get("label").and_then(Value::as_str) else { continue };
            let number = partition.get("number").and_then(Value::as_i64).unwrap_or(0);
            let path = format!("storage.disks[{d}].partitions[{p}].number");
            if !boot && !wiped && number == 0 {
                let message = "a partition is not found again by its label: without a `number` (and without `wipe_table`) \
                               a new one is made at each provisioning";
                warn(converter, &path, message);
            }
            let own = BOOT_PARTITIONS.iter().find(|(name, _)| *name == label);
            if let Some((_, own)) = own.filter(|(_, own)| boot && number != 0 && number != *own) {
                warn(
                    converter,
                    &path,
                    &format!("`{label}` is partition {own} of the boot disk: this makes another one"),
                );
            }
        }
    }
}

fn warn(converter: &mut Converter<'_>, path: &str, message: &str) {
    if let Some(node) = upwards(path).find_map(|path| converter.places.get(path)) {
        converter.warnings.push(Located::new(node.pos, message));
    }
}
