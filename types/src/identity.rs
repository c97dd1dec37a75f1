//! What firmware says where nobody gave a machine a serial number or a UUID. Many machines say the same then, so none is told from
//! another by it.
use uuid::Uuid;

/// Texts that stand where somebody forgot to put a value, in lower case.
const FORGOTTEN: [&str; 38] = [
    "0123456789",
    "1234567890",
    "123456789",
    "12345678",
    "asset tag",
    "base board serial number",
    "chassis serial number",
    "default",
    "default string",
    "empty",
    "filled by o.e.m.",
    "invalid",
    "n/a",
    "na",
    "nil",
    "no asset information",
    "no asset tag",
    "no dimm",
    "none",
    "not applicable",
    "not available",
    "not provided",
    "not set",
    "not specified",
    "null",
    "o.e.m.",
    "oem",
    "serial",
    "serial number",
    "system serial number",
    "tbd",
    "to be filled by o.e.m",
    "to be filled by o.e.m.",
    "to be filled by oem",
    "undefined",
    "unknow",
    "unknown",
    "unspecified",
];

/// UUIDs that makers put on whole series of boards, beside those that [`is_shared_uuid`] knows by their pattern.
const SHARED: [Uuid; 13] = [
    // AMI's default, read in either order of its bytes.
    Uuid::from_u128(0x0300_0200_0400_0500_0006_0007_0008_0009),
    Uuid::from_u128(0x0002_0003_0004_0005_0006_0007_0008_0009),
    // Dell boards without a service tag.
    Uuid::from_u128(0x4c4c_4544_0000_2010_8020_80c0_4f20_2020),
    // Counted up by hand.
    Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
    Uuid::from_u128(0x0403_0201_0605_0807_090a_0b0c_0d0e_0f10),
    Uuid::from_u128(0x0709_0201_0103_0301_0807_0605_0403_0201),
    Uuid::from_u128(0x1122_3344_5566_7788_99aa_bbcc_ddee_ff00),
    Uuid::from_u128(0x3322_1100_5544_7766_8899_aabb_ccdd_eeff),
    Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
    Uuid::from_u128(0x1234_5678_1234_5678_90ab_cdde_efaa_bbcc),
    // Seen on many machines of several makers.
    Uuid::from_u128(0xdc69_8397_fa54_4cf2_82c8_b1b5_307a_6a7f),
    Uuid::from_u128(0x8e27_5844_178f_44a8_aceb_a7d7_e517_8c63),
    Uuid::from_u128(0x890e_2d14_cacd_45d1_ae66_bc80_e8bf_eb0f),
];

/// Whether a text says nothing: it stands where a value was forgotten, or is one character over and over.
pub fn is_filler(text: &str) -> bool {
    let lower = text.trim().to_ascii_lowercase();
    let mut chars = lower.chars();
    let Some(first) = chars.next() else { return true };
    let same = chars.all(|c| c == first);
    let filler = matches!(first, '0' | 'f' | 'x' | '-' | '.' | '*' | '?' | '#' | '_');
    same && filler || FORGOTTEN.contains(&lower.as_str())
}

/// Whether many machines have this UUID.
pub fn is_shared_uuid(uuid: Uuid) -> bool {
    let bytes = uuid.as_bytes();
    let [first, .., last] = bytes;
    // All zeros and all ones are SMBIOS's own words for "none" (7.2.1); some boards fill all but the first field.
    let unfilled = |byte: u8| bytes.iter().skip(4).all(|b| *b == byte);
    first == last && bytes.iter().all(|byte| byte == first)
        || unfilled(0)
        || unfilled(0xff)
        || SHARED.contains(&uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_where_nothing_was_filled_in_is_no_serial() {
        for text in [
            "",
            "  ",
            "0",
            "00000000",
            "FFFFFFFF",
            "XXXXXXXX",
            "....",
            "None",
            "N/A",
            "Default string",
            "To Be Filled By O.E.M.",
            "To be filled by O.E.M.",
            " System Serial Number ",
            "Not Specified",
            "0123456789",
            "123456789",
            "INVALID",
        ] {
            assert!(is_filler(text), "{text:?}");
        }
        for text in ["8F2A", "CN70163", "0000001", "VMware-56 4d 1c", "X1", "1", "none-1", "F0F0"] {
            assert!(!is_filler(text), "{text:?}");
        }
    }

    #[test]
    fn a_uuid_of_many_machines_is_known() {
        for text in [
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "fefefefe-fefe-fefe-fefe-fefefefefefe",
            "58585858-5858-5858-5858-585858585858",
            "93309712-ffff-ffff-ffff-ffffffffffff",
            "10000000-0000-0000-0000-000000000000",
            "03000200-0400-0500-0006-000700080009",
            "00020003-0004-0005-0006-000700080009",
            "4c4c4544-0000-2010-8020-80c04f202020",
            "dc698397-fa54-4cf2-82c8-b1b5307a6a7f",
        ] {
            assert!(is_shared_uuid(text.parse().unwrap()), "{text}");
        }
        for text in [
            "4c4c4544-0000-1000-8000-0000038a53e4",
            "00000000-0000-0000-0000-525400123456",
            "36383031-3330-4d32-3236-303430334b31",
        ] {
            assert!(!is_shared_uuid(text.parse().unwrap()), "{text}");
        }
    }
}
