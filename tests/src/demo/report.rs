//! What the demo shows when the machines are up: their facts beside what they were given.

use std::fmt::Write;

use pilotlight_types::api::Machine;
use pilotlight_types::facts::{Facts, FirmwareMode};

use super::fleet::Member;
use super::live::shortened;
use super::screen::Paint;
use crate::sim::Firmware;

/// How many machines are shown in full.
pub const IN_FULL: usize = 3;
const COLUMN: usize = 20;

/// One fact.
struct Check {
    what: &'static str,
    given: String,
    found: String,
}

/// The facts of the fleet as a table, and whether all are as they should be.
pub fn facts(paint: Paint, fleet: &[Member], machines: &[Machine]) -> (String, bool) {
    let mut all_right = true;
    let columns: Vec<(&Member, Vec<Check>)> = fleet
        .iter()
        .map(|member| {
            let found = machines.iter().find(|machine| machine.name == member.name);
            (member, checks(member, found.and_then(|machine| machine.facts.as_ref())))
        })
        .collect();
    let mut text = String::new();
    let _ = write!(text, "{:<10}", "");
    for (member, _) in columns.iter().take(IN_FULL) {
        let _ = write!(text, "{}", paint.bold(&format!("{:<width$}", member.name, width = COLUMN + 3)));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    let rows = columns.first().map_or(0, |(_, checks)| checks.len());
    for row in 0..rows {
        let mut differing = String::new();
        for (place, (member, checks)) in columns.iter().enumerate() {
            let Some(Check { what, given, found }) = checks.get(row) else { continue };
            let right = given == found;
            all_right &= right;
            if place == 0 {
                let _ = write!(text, "{what:<10}");
            }
            if place < IN_FULL {
                let mark = if right { paint.done("ok") } else { paint.bad("NO") };
                let shown = shortened(found, COLUMN - 2);
                let _ = write!(text, "{mark} {shown:<COLUMN$}");
            }
            if !right {
                let _ = writeln!(
                    differing,
                    "  {}: {what} differs: it was given `{given}` and reports `{found}`",
                    member.name
                );
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text.push_str(&differing);
    }
    if columns.len() > IN_FULL && all_right {
        let _ = writeln!(text, "and so for the other {}", columns.len() - IN_FULL);
    }
    (text, all_right)
}

fn checks(member: &Member, facts: Option<&Facts>) -> Vec<Check> {
    let spec = &member.spec;
    let nothing = Facts::default();
    let facts = facts.unwrap_or(&nothing);
    let system = &facts.system;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mode = |bios| if bios { "BIOS" } else { "UEFI" };
    let disks = |disks: Vec<(u64, String)>| {
        let mut disks: Vec<String> =
            disks.into_iter().map(|(bytes, serial)| format!("{} GiB {serial}", bytes >> 30)).collect();
        disks.sort();
        disks
    };
    let given_disks = disks(spec.disks.iter().map(|disk| (disk.bytes, disk.serial.clone())).collect());
    let found_disks = disks(facts.disks.iter().map(|disk| (disk.size_bytes, text(&disk.serial))).collect());
    let mut checks = vec![
        Check { what: "vendor", given: spec.vendor.clone(), found: text(&system.vendor) },
        Check { what: "product", given: spec.product.clone(), found: text(&system.product) },
        Check { what: "serial", given: spec.serial.clone(), found: text(&system.serial) },
        Check {
            what: "uuid",
            given: spec.uuid.to_string(),
            found: system.uuid.map(|uuid| uuid.to_string()).unwrap_or_default(),
        },
        Check {
            what: "firmware",
            given: mode(spec.firmware == Firmware::Bios).into(),
            found: match system.firmware.mode {
                Some(found) => mode(found == FirmwareMode::Bios).into(),
                None => String::new(),
            },
        },
        Check { what: "cpus", given: spec.cpus.to_string(), found: facts.cpus.threads.to_string() },
        Check {
            what: "memory",
            given: mebibytes(spec.memory_bytes),
            found: facts.memory.installed_bytes.map(mebibytes).unwrap_or_default(),
        },
        Check {
            what: "nic",
            given: spec.mac.to_string(),
            found: facts.nics.iter().filter(|nic| nic.booted).map(|nic| nic.mac.to_string()).collect(),
        },
    ];
    for number in 0..spec.disks.len().max(found_disks.len()) {
        let at = |disks: &[String]| disks.get(number).cloned().unwrap_or_default();
        checks.push(Check { what: "disk", given: at(&given_disks), found: at(&found_disks) });
    }
    checks
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
