//! What Fedora CoreOS expects of partitions and mount points, beyond what Ignition does.
use super::convert::Converter;
use crate::domain::{ignition::place::upwards, yaml::Located};
use serde_json::Value;

/// The disk that the machine booted from, whose partitions are known.
const BOOT_DISK: &str = "/dev/disk/by-id/coreos-boot-disk";
/// The partitions of its image.
const BOOT_PARTITIONS: [(&str, i64); 5] =
    [("BIOS-BOOT", 1), ("PowerPC-PReP-boot", 1), ("EFI-SYSTEM", 2), ("boot", 3), ("root", 4)];
/// Less than this is too small for the root file system.
const SMALL_ROOT_MIB: i64 = 8192;

/// Warns where a partition will not be the one that is meant (since fcos 1.6).
pub(super) fn check_reuse(converter: &mut Converter<'_>, config: &Value) {
    if !converter.dialect.is_fcos(6) {
        return;
    }
    for (d, disk) in list(config.pointer("/storage/disks")).iter().enumerate() {
        let boot = disk.get("device").and_then(Value::as_str) == Some(BOOT_DISK);
        if boot || is_wiped(disk) {
            continue;
        }
        for (p, partition) in list(disk.get("partitions")).iter().enumerate() {
            if number(partition, "number") == 0 && label(partition).is_some() {
                let message = "a partition is not found again by its label: without a `number` (and without `wipe_table`) \
                               a new one is made at each provisioning";
                warn(converter, &format!("storage.disks[{d}].partitions[{p}].number"), message);
            }
        }
    }
}

/// Warns where the disk that the machine boots from will have partitions that nobody meant.
pub(super) fn check_boot_disk(converter: &mut Converter<'_>, config: &Value) {
    if !converter.dialect.is_fcos(3) {
        return;
    }
    for (d, disk) in list(config.pointer("/storage/disks")).iter().enumerate() {
        let partitions = list(disk.get("partitions"));
        for (p, partition) in partitions.iter().enumerate() {
            let Some(label) = label(partition) else { continue };
            let path = format!("storage.disks[{d}].partitions[{p}]");
            if label == "root" && converter.dialect.is_fcos(7) {
                check_root(converter, partition, partitions.get(p + 1..).unwrap_or_default(), &path);
            }
            let own = BOOT_PARTITIONS.iter().find(|(name, _)| *name == label);
            if let Some((_, own)) = own
                && !is_wiped(disk)
                && number(partition, "number") != *own
            {
                let message =
                    format!("`{label}` is partition {own} of the boot disk: this makes another one");
                warn(converter, &format!("{path}.label"), &message);
            }
        }
    }
}

fn check_root(converter: &mut Converter<'_>, root: &Value, later: &[Value], path: &str) {
    match number(root, "sizeMiB") {
        0 if later.iter().any(|partition| number(partition, "startMiB") == 0) => {
            let message = "the root file system cannot grow: a later partition without `start_mib` comes right after it";
            warn(converter, &format!("{path}.label"), message);
        }
        size @ 1..SMALL_ROOT_MIB => {
            let message =
                format!("{size} MiB are too few for the root file system: at least {SMALL_ROOT_MIB}");
            warn(converter, &format!("{path}.sizeMiB"), &message);
        }
        _ => {}
    }
}

fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}

fn is_wiped(disk: &Value) -> bool {
    disk.get("wipeTable").and_then(Value::as_bool) == Some(true)
}

fn label(partition: &Value) -> Option<&str> {
    partition.get("label").and_then(Value::as_str)
}

fn number(partition: &Value, name: &str) -> i64 {
    partition.get(name).and_then(Value::as_i64).unwrap_or(0)
}

fn warn(converter: &mut Converter<'_>, path: &str, message: &str) {
    if let Some(node) = upwards(path).find_map(|path| converter.places.get(path)) {
        converter.warnings.push(Located::new(node.pos, message));
    }
}
