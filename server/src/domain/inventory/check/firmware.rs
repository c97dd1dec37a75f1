//! Rows of the firmware table, and those who name one.
use super::{Findings, Inventory};
use crate::domain::firmware::table::{self, Table};
use pilotlight_types::resource::{FirmwareSpec, Name};

/// What a TFTP block holds at least where we are asked (RFC 1350), and at most (RFC 2348 section 2).
const BLOCKS: std::ops::RangeInclusive<u16> = 512..=65464;

/// The longest path of a boot program: it is to fit into the DHCP header's field for it, with its NUL (RFC 2131 table 1).
const LONGEST_PATH: usize = 127;

/// Checks a row.
pub(super) fn check_row(spec: &FirmwareSpec, found: &mut Findings) {
    if let Some(class) = spec.matches.as_ref().and_then(|matches| matches.vendor_class.as_ref())
        && (class.is_empty() || class.len() > 255 || class.contains(char::is_control))
    {
        found.error("spec.match.vendorClass", "up to 255 printable characters are expected");
    }
    for (index, reply) in spec.replies.iter().enumerate() {
        if spec.replies.iter().take(index).any(|other| other == reply) {
            found.error(format!("spec.replies[{index}]"), format!("`{}` is here twice", reply.name()));
        }
    }
    for (index, program) in spec.programs.iter().enumerate() {
        if !is_plain_path(program) {
            let detail = format!(
                "a path below ipxe.dir is expected, of letters, digits, `.`, `_`, `-` and `/`, up to {LONGEST_PATH} long"
            );
            found.error(format!("spec.programs[{index}]"), detail);
        }
    }
    if spec.block_size.is_some_and(|size| !BLOCKS.contains(&size)) {
        let detail = format!("a block has {} to {} bytes", BLOCKS.start(), BLOCKS.end());
        found.error("spec.blockSize", detail);
    }
    if spec.window == Some(0) {
        found.error("spec.window", "1 turns windows off");
    }
}

/// Checks that the row that a subnet or a machine names is there.
pub(super) fn check_named(inventory: &Inventory, name: Option<&Name>, found: &mut Findings) {
    let table = Table { declared: &inventory.firmware, has: &|_| true };
    if let Some(name) = name.filter(|name| table.row(name).is_none()) {
        let shipped: Vec<&str> = table::shipped().iter().map(|(name, _)| name.as_str()).collect();
        let detail =
            format!("there is no firmware {name}; there is {}, and what you apply", shipped.join(", "));
        found.error("spec.firmware", detail);
    }
}

fn is_plain_path(path: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    path.len() <= LONGEST_PATH && path.split('/').all(plain)
}
