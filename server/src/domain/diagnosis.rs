//! The diagnosis of a boot that does not get on: from what was seen of it, of its machine and of others beside it, to a cause in words.
//! Pure; [`table`] has the causes.
mod evidence;
pub mod table;
#[cfg(test)]
mod tests;

use self::table::Row;
use super::attempt::{self, Pinned};
use pilotlight_types::{
    api::{Boot, BootDevice, ConsoleLine, Diagnosis, Phase},
    resource::SubnetMode,
};
use std::net::Ipv4Addr;

/// How the detail of an Agent phase begins whose agent told of trouble.
pub const TROUBLE: &str = "trouble: ";

/// Less memory than this, and a live system does not come up.
const LEAST_MEMORY: u64 = 2 * 1024 * 1024 * 1024 - 256 * 1024 * 1024;

/// So many others of a network must have tried before it is to blame.
const ENOUGH: usize = 2;

/// All that a diagnosis may look at.
#[derive(Debug, Clone, Default)]
pub struct Case<'a> {
    /// The machine's name.
    pub machine: &'a str,
    /// The boot; none where the machine was switched on and no packet came.
    pub boot: Option<&'a Boot>,
    /// What the machine said last in it.
    pub console: &'a [ConsoleLine],
    /// Whether it is on, as its BMC says.
    pub on: Option<bool>,
    /// The boot device that its BMC did not keep.
    pub forgot: Option<BootDevice>,
    /// Why what was asked of its power last was not done.
    pub power_failed: Option<&'a str>,
    /// The network that it boots from, where that is known.
    pub segment: Option<Segment<'a>>,
    /// Its memory in bytes, as its agent measured it last.
    pub memory: Option<u64>,
}

/// A network, and how others do there.
#[derive(Debug, Clone)]
pub struct Segment<'a> {
    /// The subnet.
    pub name: &'a str,
    /// Whether we give the addresses there.
    pub mode: SubnetMode,
    /// How many other machines booted there lately.
    pub tried: usize,
    /// How many of those came further than this boot.
    pub further: usize,
    /// How many others there were switched on lately, and no packet came of them.
    pub silent: usize,
    /// Another DHCP server that was seen there lately.
    pub foreign: Option<Ipv4Addr>,
}

/// What it most likely is.
pub fn diagnose(case: &Case<'_>) -> Diagnosis {
    let row = cause(case);
    Diagnosis {
        code: row.code.to_owned(),
        text: row.text.to_owned(),
        look: row.look.to_owned(),
        evidence: evidence::of(case),
    }
}

/// Whether it may help to start the machine again. Of what nobody knows any more it may.
pub fn may_help(diagnosis: Option<&Diagnosis>) -> bool {
    diagnosis.and_then(|diagnosis| table::row(&diagnosis.code)).is_none_or(|row| row.again)
}

fn cause(case: &Case<'_>) -> &'static Row {
    match case.boot.and_then(|boot| Some((boot, boot.furthest()?))) {
        Some((boot, last)) => within(case, boot, last),
        None => before(case),
    }
}

/// No packet came.
fn before(case: &Case<'_>) -> &'static Row {
    let silent = case.segment.as_ref().is_some_and(|at| at.tried == 0 && at.silent >= ENOUGH);
    match case {
        Case { power_failed: Some(_), .. } => &table::POWER_FAILED,
        Case { on: Some(false), .. } => &table::POWER_OFF,
        Case { forgot: Some(_), .. } => &table::BOOT_ORDER_LOST,
        _ if silent => &table::SEGMENT_SILENT,
        _ => &table::NO_PACKET,
    }
}

fn within(case: &Case<'_>, boot: &Boot, last: Phase) -> &'static Row {
    let record = boot.phase(last);
    let whole = record.is_some_and(|record| record.ended.is_some());
    let segment = case.segment.as_ref();
    let nobody = segment.is_some_and(|at| at.tried >= ENOUGH && at.further == 0);
    match (last, whole) {
        (Phase::Dhcp, false) => match segment {
            Some(Segment { foreign: Some(_), .. }) => &table::OTHER_DHCP,
            Some(Segment { mode: SubnetMode::Proxy, .. }) => &table::PROXY_IGNORED,
            _ if nobody => &table::OFFERS_LOST,
            _ => &table::OFFER_NOT_TAKEN,
        },
        (Phase::Dhcp, true) if nobody => &table::SEGMENT_CUT_OFF,
        (Phase::Dhcp, true) => &table::BOOT_PROGRAM_NOT_ASKED,
        (Phase::BootProgram, false) if record.is_some_and(|record| record.bytes == 0) => &table::TFTP_BLOCKED,
        (Phase::BootProgram, false) => &table::TRANSFER_BROKE_OFF,
        (Phase::BootProgram, true) => &table::PROGRAM_SILENT,
        (Phase::Script, _) if attempt::loads(boot) == Some(false) => &table::TOLD_TO_WAIT,
        (Phase::Script, _) if said(case, &["ipxe.org/"]) => &table::IPXE_ERROR,
        (Phase::Script, _) => &table::NO_KERNEL,
        (Phase::Kernel, false) => &table::KERNEL_BROKE_OFF,
        (Phase::Kernel, true) => &table::NO_INITRAMFS,
        (Phase::Initramfs, false) => &table::INITRAMFS_BROKE_OFF,
        (Phase::Initramfs | Phase::Rootfs, _) if said(case, &["kernel panic"]) => &table::KERNEL_PANIC,
        (Phase::Initramfs | Phase::Rootfs, _) if is_small(case) => &table::LITTLE_MEMORY,
        (Phase::Initramfs, true) if !fetches_rootfs(boot) => &table::CONFIG_NOT_ASKED,
        (Phase::Initramfs, true) => &table::NO_ROOTFS,
        (Phase::Rootfs, false) => &table::ROOTFS_BROKE_OFF,
        (Phase::Rootfs, true) => &table::CONFIG_NOT_ASKED,
        (Phase::Ignition, false) => &table::CONFIG_NOT_MADE,
        (Phase::Ignition, true) if ignition_failed(case) => &table::IGNITION_FAILED,
        (Phase::Ignition, true) => &table::AGENT_SILENT,
        (Phase::Agent, _) => {
            let detail = record.and_then(|record| record.detail.as_deref()).unwrap_or_default();
            if detail.starts_with(TROUBLE) { &table::AGENT_TROUBLE } else { &table::AGENT_STOPPED }
        }
    }
}

/// Whether the machine said one of these, in whatever letters.
fn said(case: &Case<'_>, words: &[&str]) -> bool {
    case.console.iter().any(|line| {
        let text = line.text.to_ascii_lowercase();
        words.iter().any(|word| text.contains(word))
    })
}

fn ignition_failed(case: &Case<'_>) -> bool {
    case.console.iter().any(|line| {
        let whole = line.to_string().to_ascii_lowercase();
        whole.contains("ignition") && ["failed", "error", "crit"].iter().any(|word| whole.contains(word))
    })
}

fn is_small(case: &Case<'_>) -> bool {
    case.memory.is_some_and(|bytes| bytes < LEAST_MEMORY) || said(case, &["out of memory", "enomem"])
}

/// Whether the boot's image has a root file system of its own to fetch; so it is taken where that is not known.
fn fetches_rootfs(boot: &Boot) -> bool {
    Pinned::of(boot).is_none_or(|pinned| pinned.rootfs.is_some())
}
