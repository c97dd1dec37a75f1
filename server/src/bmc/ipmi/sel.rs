//! The System Event Log (IPMI 2.0 sections 31 and 32).
use super::{Ipmi, STORAGE};
use crate::bmc::BmcError;
use pilotlight_types::{Timestamp, api::LogEntry};

const GET_INFO: u8 = 0x40;
const GET_ENTRY: u8 = 0x43;
/// How many entries are looked at: the largest logs hold some thousand.
const MOST: usize = 4096;

/// The newest entries, oldest first.
pub(super) async fn read(ipmi: &mut Ipmi, most: usize) -> Result<Vec<LogEntry>, BmcError> {
    let info = ipmi.ask(STORAGE, GET_INFO, &[]).await?;
    let count = match info.get(1..3) {
        Some(&[low, high]) => usize::from(u16::from_le_bytes([low, high])),
        _ => return Err(BmcError::Garbled("the log's size without a number".to_owned())),
    };
    let mut entries = Vec::new();
    if count == 0 || most == 0 {
        return Ok(entries);
    }
    // A log is read from its beginning, unless the newest entry is all that is new: 0xffff is the newest.
    let mut id: u16 = 0;
    for _ in 0..MOST.min(count.saturating_add(1)) {
        let [low, high] = id.to_le_bytes();
        let answer = match ipmi.ask(STORAGE, GET_ENTRY, &[0, 0, low, high, 0, 0xff]).await {
            Ok(answer) => answer,
            // It was cleared while it was read.
            Err(BmcError::Refused(_)) => break,
            Err(error) => return Err(error),
        };
        let (next, record) = answer
            .split_first_chunk::<2>()
            .and_then(|(next, rest)| Some((u16::from_le_bytes(*next), rest.first_chunk::<16>()?)))
            .ok_or_else(|| BmcError::Garbled("an entry of the log is cut short".to_owned()))?;
        if entries.len() == most {
            entries.remove(0);
        }
        entries.push(entry(record));
        // One that leads back to itself would be read for ever.
        if next == 0xffff || next == id {
            break;
        }
        id = next;
    }
    Ok(entries)
}

/// How many entries there are, and when the last was added and the log last cleared.
pub(super) async fn stamp(ipmi: &mut Ipmi) -> Result<String, BmcError> {
    let info = ipmi.ask(STORAGE, GET_INFO, &[]).await?;
    let (count, times) = (info.get(1..3), info.get(5..13));
    let (count, times) =
        count.zip(times).ok_or_else(|| BmcError::Garbled("the log's state is cut short".to_owned()))?;
    Ok(format!("{}-{}", hex::encode(count), hex::encode(times)))
}

/// A record in words.
pub(super) fn entry(record: &[u8; 16]) -> LogEntry {
    let [id0, id1, kind, t0, t1, t2, t3, .., sensor_type, sensor, event, d1, d2, d3] = *record;
    let id = u16::from_le_bytes([id0, id1]);
    let seconds = u32::from_le_bytes([t0, t1, t2, t3]);
    // Before its clock was set, a BMC counts from its own start: below 0x20000000 that is no date (section 37.1).
    let at = (seconds > 0x2000_0000 && seconds != u32::MAX && kind < 0xe0)
        .then(|| Timestamp::from_micros(i64::from(seconds).saturating_mul(1_000_000)));
    let data = format!("{d1:02x} {d2:02x} {d3:02x}");
    let (severity, message) = if kind == 0x02 {
        let gone = event & 0x80 != 0;
        let (severity, what) = said(sensor_type, event & 0x7f, d1 & 0x0f);
        let severity = if gone { "ok" } else { severity };
        let end = if gone { " is over" } else { "" };
        (severity, format!("{} sensor {sensor:#04x}: {what}{end} (data {data})", subject(sensor_type)))
    } else {
        ("unknown", format!("a record of type {kind:#04x} of its maker (data {data})"))
    };
    LogEntry { id: format!("{id:04x}"), at, severity: severity.to_owned(), message }
}

/// What a type of sensor is about (table 42-3).
pub(super) fn subject(kind: u8) -> &'static str {
    match kind {
        0x01 => "temperature",
        0x02 => "voltage",
        0x03 => "current",
        0x04 => "fan",
        0x05 => "chassis intrusion",
        0x06 => "security violation",
        0x07 => "processor",
        0x08 => "power supply",
        0x09 => "power unit",
        0x0c => "memory",
        0x0d => "drive bay",
        0x0f => "system firmware",
        0x10 => "event log",
        0x11 | 0x23 => "watchdog",
        0x12 => "system event",
        0x13 => "critical interrupt",
        0x14 => "button",
        0x1d => "system boot",
        0x1e => "boot error",
        0x1f => "OS boot",
        0x20 => "OS stop",
        0x21 => "slot",
        0x22 => "ACPI power state",
        0x28 => "management controller",
        0x29 => "battery",
        0x2b => "version change",
        _ => "other",
    }
}

/// How bad it is, and what happened: thresholds (table 42-2), and of the sensor-specific ones those that say why a machine does not boot.
fn said(kind: u8, event: u8, offset: u8) -> (&'static str, &'static str) {
    match (event, kind, offset) {
        (0x01, _, 0 | 1) => ("warning", "below its lower warning threshold"),
        (0x01, _, 2 | 3) => ("critical", "below its lower critical threshold"),
        (0x01, _, 4 | 5) => ("critical", "below its lower non-recoverable threshold"),
        (0x01, _, 6 | 7) => ("warning", "above its upper warning threshold"),
        (0x01, _, 8 | 9) => ("critical", "above its upper critical threshold"),
        (0x01, _, 10 | 11) => ("critical", "above its upper non-recoverable threshold"),
        (0x6f, 0x07, 0) => ("critical", "processor internal error"),
        (0x6f, 0x07, 1) => ("critical", "thermal trip"),
        (0x6f, 0x07, 7) => ("ok", "present"),
        (0x6f, 0x08, 0) => ("ok", "present"),
        (0x6f, 0x08, 1) => ("critical", "failed"),
        (0x6f, 0x08, 2) => ("warning", "about to fail"),
        (0x6f, 0x08, 3) => ("critical", "its input is lost"),
        (0x6f, 0x09, 0) => ("ok", "power off"),
        (0x6f, 0x09, 1) => ("ok", "power cycle"),
        (0x6f, 0x09, 4) => ("critical", "AC lost"),
        (0x6f, 0x09, 5 | 6) => ("critical", "power control failed"),
        (0x6f, 0x0c, 0) => ("warning", "a memory error that was corrected"),
        (0x6f, 0x0c, 1) => ("critical", "a memory error that could not be corrected"),
        (0x6f, 0x0d, 0) => ("ok", "drive present"),
        (0x6f, 0x0d, 1) => ("critical", "drive fault"),
        (0x6f, 0x0f, 0) => ("critical", "the firmware stopped with an error"),
        (0x6f, 0x0f, 1) => ("critical", "the firmware hangs"),
        (0x6f, 0x0f, 2) => ("ok", "the firmware makes progress"),
        (0x6f, 0x10, 2) => ("ok", "the log was cleared"),
        (0x6f, 0x10, 4) => ("warning", "the log is full"),
        (0x6f, 0x13, _) => ("critical", "a bus error or an interrupt that nobody expected"),
        (0x6f, 0x14, 0) => ("ok", "the power button was pressed"),
        (0x6f, 0x1e, 0) => ("critical", "nothing to boot from"),
        (0x6f, 0x1e, 2) => ("critical", "no PXE server was found"),
        (0x6f, 0x1e, _) => ("critical", "it could not boot"),
        (0x6f, 0x20, _) => ("critical", "the operating system stopped"),
        (0x6f, 0x23, 0..=3) => ("critical", "the watchdog ran out"),
        _ => ("unknown", "an event"),
    }
}
