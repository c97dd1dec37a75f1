//! One attempt to boot: what belongs to it, how far it got, and when it has been silent for too long.
use super::stage::Revision;
use pilotlight_types::{
    BootId, Mac, Timestamp,
    api::{Boot, DecisionRecord, Phase, PhaseRecord},
    resource::Name,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a boot is served, fixed when its script is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The profile.
    pub profile: Revision,
    /// The image.
    pub image: Name,
    /// Its kernel, as a file of the content store.
    pub kernel: String,
    /// Its initramfs, as a file of the content store.
    pub initramfs: String,
    /// Its root file system, as a file of the content store.
    pub rootfs: Option<String>,
}

impl Pinned {
    /// What a boot is served, once that is fixed.
    pub fn of(boot: &Boot) -> Option<Self> {
        #[derive(Deserialize)]
        struct Made {
            pinned: Option<Pinned>,
        }
        boot.decision.read::<Made>()?.pinned
    }
}

/// A boot of which nothing has been seen yet.
pub fn new(id: BootId, machine: &Name, mac: Mac, now: Timestamp) -> Boot {
    Boot {
        id,
        machine: machine.to_string(),
        mac,
        address: None,
        started: now,
        ended: None,
        outcome: None,
        diagnosis: None,
        powered: None,
        decision: DecisionRecord::default(),
        phases: Vec::new(),
    }
}

/// Whether a machine that asks in this phase is still in this boot, or has started again. Firmware that asks after iPXE did, or
/// iPXE after the kernel was fetched, has been through a reset.
pub fn goes_on(boot: &Boot, phase: Phase, ipxe: bool) -> bool {
    let Some(furthest) = boot.furthest() else { return boot.ended.is_none() };
    let latest = match (phase, ipxe) {
        (Phase::Dhcp, false) => Phase::BootProgram,
        (Phase::Dhcp, true) => Phase::Script,
        _ => Phase::Agent,
    };
    boot.ended.is_none() && furthest <= latest
}

/// Puts what was seen into the boot; says whether that phase is new to it.
pub fn record(boot: &mut Boot, seen: PhaseRecord) -> bool {
    let Some(there) = boot.phases.iter_mut().find(|record| record.phase == seen.phase) else {
        boot.phases.push(seen);
        return true;
    };
    there.ended = seen.ended.or(there.ended);
    there.last = seen.last;
    there.bytes = there.bytes.saturating_add(seen.bytes);
    there.requests = there.requests.saturating_add(seen.requests);
    there.detail = seen.detail.or_else(|| there.detail.take());
    false
}

/// Whether a phase is known to this: the machine only asks once more, and is told the same.
pub fn is_more_of(boot: &Boot, seen: &PhaseRecord) -> bool {
    boot.phase(seen.phase).is_some_and(|there| {
        there.detail == seen.detail && there.ended.is_some() == seen.ended.is_some() && seen.bytes == 0
    })
}

/// Whether a phase has had what it needs.
fn whole(boot: &Boot, phase: Phase) -> bool {
    boot.phase(phase).is_some_and(|record| record.ended.is_some())
}

/// Whether the machine has what iPXE loads, and has not asked for its root file system yet.
pub fn kernel_starts(boot: &Boot) -> bool {
    whole(boot, Phase::Kernel) && whole(boot, Phase::Initramfs) && boot.phase(Phase::Rootfs).is_none()
}

/// Whether the machine has its image, and what follows is small.
pub fn has_loaded(boot: &Boot) -> bool {
    let whole = |phase| whole(boot, phase);
    if boot.ended.is_some() || boot.furthest().is_some_and(|phase| phase >= Phase::Ignition) {
        return true;
    }
    if whole(Phase::Rootfs) {
        return true;
    }
    let last = whole(Phase::Kernel) && whole(Phase::Initramfs);
    last && Pinned::of(boot).is_some_and(|pinned| pinned.rootfs.is_none())
}

/// Whether the machine was told to load its image, or to wait; none when it was told something else.
pub fn loads(boot: &Boot) -> Option<bool> {
    let made = boot.decision.read::<Value>()?;
    match made.pointer("/decision/plan").and_then(Value::as_str) {
        Some("boot") => Some(true),
        Some("hold") => Some(false),
        _ => None,
    }
}

/// When something was last seen of the boot.
pub fn last_sign(boot: &Boot) -> Timestamp {
    boot.phases.iter().map(|record| record.last).max().unwrap_or(boot.started)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(phases: &[Phase]) -> Boot {
        let mut boot = new(
            "01940000-0000-7000-8000-000000000000".parse().unwrap(),
            &"n1".parse().unwrap(),
            Mac::new([2, 0, 0, 0, 0, 1]),
            Timestamp::default(),
        );
        for phase in phases {
            let done = Some(Timestamp::from_micros(1));
            record(
                &mut boot,
                PhaseRecord {
                    phase: *phase,
                    started: Timestamp::default(),
                    last: Timestamp::default(),
                    ended: done,
                    bytes: 1,
                    requests: 1,
                    detail: None,
                },
            );
        }
        boot
    }

    #[test]
    fn firmware_then_ipxe_then_the_script_are_one_boot() {
        assert!(goes_on(&boot(&[]), Phase::Dhcp, false));
        assert!(goes_on(&boot(&[Phase::Dhcp, Phase::BootProgram]), Phase::Dhcp, true));
        assert!(goes_on(&boot(&[Phase::Dhcp, Phase::BootProgram]), Phase::Script, true));
    }

    #[test]
    fn a_machine_that_starts_over_begins_a_new_boot() {
        let all = boot(&Phase::ALL);
        assert!(!goes_on(&all, Phase::Dhcp, false));
        assert!(!goes_on(&all, Phase::Dhcp, true));
        assert!(!goes_on(&boot(&[Phase::Dhcp, Phase::Script]), Phase::Dhcp, false));
        assert!(!goes_on(&boot(&[Phase::Dhcp, Phase::Script, Phase::Kernel]), Phase::Dhcp, true));
        let ended = Boot { ended: Some(Timestamp::default()), ..boot(&[Phase::Dhcp]) };
        assert!(!goes_on(&ended, Phase::Script, true));
    }
}
