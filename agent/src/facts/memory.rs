//! The memory.
use super::{Tree, smbios};
use pilotlight_types::facts::{MAX_ITEMS, Memory};

pub(super) fn memory(tree: &Tree) -> Memory {
    let table = tree.bytes("sys/firmware/dmi/tables/DMI");
    let slots: Vec<_> = smbios::memory_slots(table.as_deref().unwrap_or_default()).take(MAX_ITEMS).collect();
    let sizes = slots.iter().filter_map(|slot| slot.size_bytes);
    let installed = sizes.reduce(u64::saturating_add);
    Memory { usable_bytes: usable(tree), installed_bytes: installed, slots }
}

fn usable(tree: &Tree) -> Option<u64> {
    let text = tree.text("proc/meminfo")?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
