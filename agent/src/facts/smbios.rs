//! The SMBIOS table (DSP0134): as much of it as is needed, and as little trust. Firmware gets lengths and string numbers wrong.
use pilotlight_types::{
    facts::{MemorySlot, clean},
    identity::is_filler,
};

/// More structures than any machine has.
const MOST_STRUCTURES: usize = 16 * 1024;
const MEMORY_DEVICE: u8 = 17;
const END_OF_TABLE: u8 = 127;
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// One structure: its formatted part, with the four bytes of header, and its strings.
struct Structure<'a> {
    kind: u8,
    formatted: &'a [u8],
    strings: &'a [u8],
}

/// The structures up to the end of the table, or to where it makes no sense any more.
fn structures(mut table: &[u8]) -> impl Iterator<Item = Structure<'_>> {
    std::iter::from_fn(move || {
        let [kind, length, ..] = *table else { return None };
        let length = usize::from(length);
        if length < 4 || kind == END_OF_TABLE {
            return None;
        }
        let (formatted, rest) = table.split_at_checked(length)?;
        // The strings end with two NULs, even if there are none.
        let end = rest.windows(2).position(|pair| pair == [0, 0])?;
        let (strings, rest) = rest.split_at_checked(end)?;
        table = rest.get(2..)?;
        Some(Structure { kind, formatted, strings })
    })
    .take(MOST_STRUCTURES)
}

impl Structure<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.formatted.get(at).copied()
    }

    fn word(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.formatted.get(at..)?.first_chunk().copied()?))
    }

    fn double_word(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.formatted.get(at..)?.first_chunk().copied()?))
    }

    /// The string whose number, from 1, is at `at`.
    fn string(&self, at: usize) -> Option<String> {
        let number = usize::from(self.byte(at)?).checked_sub(1)?;
        meant(&String::from_utf8_lossy(self.strings.split(|&b| b == 0).nth(number)?))
    }
}

/// The slots for memory modules.
pub(super) fn memory_slots(table: &[u8]) -> impl Iterator<Item = MemorySlot> {
    structures(table)
        .filter(|structure| structure.kind == MEMORY_DEVICE)
        .map(|structure| memory_slot(&structure))
}

/// DSP0134, 7.18. Older tables end sooner.
fn memory_slot(of: &Structure<'_>) -> MemorySlot {
    let size_bytes = match of.word(0x0c) {
        None | Some(0xffff) => None,
        Some(0x7fff) => of.double_word(0x1c).map(|mib| u64::from(mib & 0x7fff_ffff) * MIB),
        Some(kib) if kib & 0x8000 != 0 => Some(u64::from(kib & 0x7fff) * KIB),
        Some(mib) => Some(u64::from(mib) * MIB),
    };
    let locator = of.string(0x10).or_else(|| of.string(0x11));
    if size_bytes == Some(0) {
        // What firmware says of the module in an empty slot is left over or made up.
        return MemorySlot { locator, size_bytes, ..MemorySlot::default() };
    }
    let speed = |at, extended_at| match of.word(at) {
        None | Some(0) => None,
        Some(0xffff) => of.double_word(extended_at).map(|mts| mts & 0x7fff_ffff).filter(|&mts| mts != 0),
        Some(mts) => Some(mts.into()),
    };
    MemorySlot {
        locator,
        size_bytes,
        kind: of.byte(0x12).and_then(memory_kind),
        speed_mts: speed(0x15, 0x54),
        configured_speed_mts: speed(0x20, 0x58),
        manufacturer: of.string(0x17),
        serial: of.string(0x18),
        part_number: of.string(0x1a),
    }
}

/// DSP0134, 7.18.2.
fn memory_kind(number: u8) -> Option<String> {
    let name = match number {
        0 | 2 => return None,
        0x01 => "other",
        0x03 => "DRAM",
        0x07 => "RAM",
        0x08 => "ROM",
        0x09 => "flash",
        0x0f => "SDRAM",
        0x12 => "DDR",
        0x13 => "DDR2",
        0x14 => "DDR2 FB-DIMM",
        0x18 => "DDR3",
        0x1a => "DDR4",
        0x1b => "LPDDR",
        0x1c => "LPDDR2",
        0x1d => "LPDDR3",
        0x1e => "LPDDR4",
        0x1f => "non-volatile",
        0x20 => "HBM",
        0x21 => "HBM2",
        0x22 => "DDR5",
        0x23 => "LPDDR5",
        0x24 => "HBM3",
        number => return Some(format!("type {number}")),
    };
    Some(name.to_owned())
}

/// A text of the maker's, unless it is one of those that stand where somebody forgot to put a value.
pub(super) fn meant(text: &str) -> Option<String> {
    clean(text).filter(|text| !is_filler(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn structure(kind: u8, fields: &[u8], strings: &[&str]) -> Vec<u8> {
        let length = u8::try_from(fields.len() + 4).unwrap();
        let mut bytes = vec![kind, length, 0x34, 0x12];
        bytes.extend(fields);
        for string in strings {
            bytes.extend(string.as_bytes());
            bytes.push(0);
        }
        bytes.extend(if strings.is_empty() { &[0, 0][..] } else { &[0] });
        bytes
    }

    /// The fields of SMBIOS 2.8 from offset 4, with the words that matter set.
    fn module(size: u16, extended_mib: u32, speed: u16) -> Vec<u8> {
        let mut fields = vec![0; 0x28 - 4];
        let mut put = |at: usize, bytes: &[u8]| fields[at - 4..at - 4 + bytes.len()].copy_from_slice(bytes);
        put(0x0c, &size.to_le_bytes());
        put(0x10, &[1, 2, 0x1a]);
        put(0x15, &speed.to_le_bytes());
        put(0x17, &[3, 4, 0, 5]);
        put(0x1c, &extended_mib.to_le_bytes());
        put(0x20, &2933u16.to_le_bytes());
        fields
    }

    const STRINGS: [&str; 5] = ["A1", "P0 CHANNEL A", "Samsung", "0x8F2A", "M393A4K40  "];

    fn slots(table: &[u8]) -> Vec<MemorySlot> {
        memory_slots(table).collect()
    }

    #[test]
    fn a_module_is_read_with_all_that_identifies_it() {
        let mut table = structure(16, &[0; 19], &[]);
        table.extend(structure(17, &module(0x7fff, 64 * 1024, 3200), &STRINGS));
        table.extend(structure(127, &[], &[]));
        table.extend(structure(17, &module(1, 0, 0), &["after the end"]));
        let expected = MemorySlot {
            locator: Some("A1".into()),
            size_bytes: Some(64 << 30),
            kind: Some("DDR4".into()),
            speed_mts: Some(3200),
            configured_speed_mts: Some(2933),
            manufacturer: Some("Samsung".into()),
            serial: Some("0x8F2A".into()),
            part_number: Some("M393A4K40".into()),
        };
        assert_eq!(slots(&table), [expected]);
    }

    #[test]
    fn sizes_come_in_four_ways() {
        let size = |size, extended| slots(&structure(17, &module(size, extended, 0), &STRINGS))[0].size_bytes;
        assert_eq!(size(8192, 0), Some(8 << 30));
        assert_eq!(size(0x8000 | 512, 0), Some(512 << 10));
        assert_eq!(size(0x7fff, 0x7fff_ffff), Some(0x7fff_ffff << 20));
        assert_eq!(size(0xffff, 0), None);
    }

    #[test]
    fn an_empty_slot_keeps_only_its_place() {
        let table = structure(17, &module(0, 0, 3200), &["A2", "", "Samsung"]);
        let empty = MemorySlot { locator: Some("A2".into()), size_bytes: Some(0), ..MemorySlot::default() };
        assert_eq!(slots(&table), [empty]);
    }

    #[test]
    fn a_short_structure_of_an_old_firmware_gives_what_it_has() {
        let table = structure(17, &module(1024, 0, 0)[..0x15 - 4], &["DIMM0", "BANK0"]);
        let slot = &slots(&table)[0];
        assert_eq!((slot.size_bytes, slot.speed_mts, slot.serial.clone()), (Some(1 << 30), None, None));
    }

    #[test]
    fn string_numbers_that_point_nowhere_are_no_strings() {
        let table = structure(17, &module(1024, 0, 0), &["only one"]);
        let slot = &slots(&table)[0];
        assert_eq!((slot.locator.as_deref(), slot.manufacturer.as_deref()), (Some("only one"), None));
    }

    #[test]
    fn what_somebody_forgot_to_fill_in_is_no_value() {
        for text in [
            "To Be Filled By O.E.M.",
            "Default string",
            " None ",
            "0123456789",
            "00000000",
            "xxxxxxxx",
            "N/A",
            ".",
        ] {
            assert_eq!(meant(text), None, "{text}");
        }
        for text in ["7XK4D93", "VMware-56 4d", "10000000", "X", "F00"] {
            assert_eq!(meant(text).as_deref(), Some(text).filter(|t| *t != "X"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(table: Vec<u8>) {
            let _ = slots(&table);
        }

        #[test]
        fn no_damage_to_a_good_table_makes_it_panic(at in 0usize..80, byte: u8, cut in 0usize..80) {
            let mut table = structure(17, &module(0x7fff, 64 * 1024, 0xffff), &STRINGS);
            table[at % 60] = byte;
            table.truncate(cut);
            let _ = slots(&table);
        }
    }
}
