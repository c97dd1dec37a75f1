//! The ladder: what is tried, step by step, with a machine that is to boot and does not. Bounded, spaced, never on a machine that reports
//! in, and never on more than so many at once; at its top the machine is held, and people are told.
//!
//! Where a machine is on the ladder is written down together with what is asked of its power, before anything is done: a daemon that is
//! killed at any moment goes on from there, and does nothing twice.
#[cfg(test)]
mod tests;

pub use pilotlight_types::api::LadderAction as Step;

use super::{diagnosis::may_help, machine::Machine, stage::Stage};
use pilotlight_types::{
    Timestamp,
    api::{Boot, BootDevice, Diagnosis, LadderStep, Outcome, PowerAction},
    resource::BmcProtocol,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What an operator set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether anything is done at all.
    pub enabled: bool,
    /// The steps, the first one first.
    pub steps: Vec<Step>,
    /// How long after a step of a machine the next one comes at the earliest.
    pub pause: Duration,
    /// How many steps may be begun within that time, on all machines together.
    pub at_once: usize,
}

/// Where a machine is on the ladder, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// How many of the steps are behind it, those that it cannot take included.
    pub next: usize,
    /// What was tried, the oldest first.
    pub tried: Vec<LadderStep>,
    /// Why it does not get on, as of the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    /// When it came to the end of the ladder, and was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// All that the next step may depend on.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// Its newest boot.
    pub boot: Option<&'a Boot>,
    /// How long after it was switched on its first packet may come.
    pub post: Duration,
    /// Within this time of its last word the agent counts as there.
    pub alive: Duration,
    /// How many steps were begun on other machines within the pause.
    pub others: usize,
    /// Now.
    pub now: Timestamp,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it does well, or it is not ours to do.
    Nothing,
    /// It is off the ladder: what was remembered is forgotten.
    Leave,
    /// It may still come, or it is not its turn yet.
    Wait,
    /// This step is taken; so many are behind it then.
    Take(Step, usize),
    /// Nothing is left to try: it is held.
    Hold,
}

/// What a machine that was to boot made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// There is nothing to be seen to.
    Well,
    /// That is not known yet.
    Pending,
    /// It did not get there.
    Failed,
}

/// A boot that began so long before its power was seen to be on is the one that this began: BMCs are slow to say.
const SLACK: Duration = Duration::from_secs(60);

/// What failed so long ago is left to people, unless something was tried already: they may be at it.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// What is to be done about a machine.
pub fn next(view: &View<'_>, rules: &Rules) -> Next {
    let View { machine, .. } = view;
    let place = machine.ladder.as_ref();
    if !matches!(machine.stage, Stage::Provisioning(_) | Stage::Failed { .. }) {
        return if place.is_some() { Next::Leave } else { Next::Nothing };
    }
    let Some(bmc) = machine.spec.bmc.as_ref().filter(|_| rules.enabled) else { return Next::Nothing };
    if machine.hold.is_some() || reports(view) || place.is_some_and(|place| place.ended.is_some()) {
        return Next::Nothing;
    }
    match made(view) {
        Made::Well => return Next::Nothing,
        Made::Pending => return Next::Wait,
        Made::Failed => {}
    }
    if last(machine).is_some_and(|step| view.now.since(step.at) < rules.pause) {
        return Next::Wait;
    }
    let done = place.map_or(0, |place| place.next);
    let left = rules.steps.iter().enumerate().skip(done);
    match left.into_iter().find(|(_, step)| can(bmc.protocol, **step)) {
        None => Next::Hold,
        Some(_) if view.others >= rules.at_once => Next::Wait,
        Some((at, step)) => Next::Take(*step, at + 1),
    }
}

/// What a step asks of the machine's power, with the machine as it is; nothing, where it is the BMC that is restarted.
pub fn asks(step: Step, on: Option<bool>) -> Option<(PowerAction, BootDevice)> {
    use BootDevice::{Http, Pxe};
    Some(match (step, on) {
        (Step::Restart, Some(true)) => (PowerAction::Reset, Pxe),
        (Step::Restart, Some(false)) => (PowerAction::On, Pxe),
        // Of one whose BMC does not say, a cycle does either.
        (Step::Restart, None) | (Step::Cycle, _) => (PowerAction::Cycle, Pxe),
        (Step::Http, _) => (PowerAction::Cycle, Http),
        (Step::BmcReset, _) => return None,
    })
}

/// Whether a step was begun so lately that it counts as under way.
pub fn is_under_way(machine: &Machine, pause: Duration, now: Timestamp) -> bool {
    last(machine).is_some_and(|step| now.since(step.at) < pause)
}

/// Whether a boot is the one that the machine was last switched on for, or a later one.
pub fn is_answer(boot: &Boot, began: Timestamp) -> bool {
    boot.started.plus(SLACK) >= began
}

/// When the machine was last made to boot: switched on by whomever, or by a step.
pub fn made_to_boot(machine: &Machine) -> Option<Timestamp> {
    last(machine).map(|step| step.at).max(machine.power.switched_on())
}

fn last(machine: &Machine) -> Option<&LadderStep> {
    machine.ladder.as_ref().and_then(|place| place.tried.last())
}

fn reports(view: &View<'_>) -> bool {
    view.machine.seen.is_some_and(|seen| view.now.since(seen) < view.alive)
}

fn can(protocol: BmcProtocol, step: Step) -> bool {
    step != Step::Http || protocol == BmcProtocol::Redfish
}

fn made(view: &View<'_>) -> Made {
    let View { machine, boot, post, now, .. } = *view;
    if machine.power.wanted.is_some() || boot.is_some_and(|boot| boot.ended.is_none()) {
        return Made::Pending;
    }
    let stepped = last(machine);
    // After the BMC was restarted no boot is to be expected: the pause is all that it needs.
    if stepped.is_some_and(|step| step.step == Step::BmcReset) {
        return Made::Failed;
    }
    let began = made_to_boot(machine);
    let is_old = |at: Timestamp| stepped.is_none() && now.since(at) >= STALE;
    let answer = boot.filter(|boot| began.is_none_or(|began| is_answer(boot, began)));
    if let Some(boot) = answer {
        let mends = matches!(boot.outcome, Some(Outcome::Failed { .. })) && may_help(boot.diagnosis.as_ref());
        return if mends && !boot.ended.is_some_and(is_old) { Made::Failed } else { Made::Well };
    }
    let Some(began) = began else { return Made::Well };
    let result = machine.power.result.as_ref();
    let refused = result
        .is_some_and(|result| result.failed.is_some() && stepped.is_some_and(|step| result.at >= step.at));
    // One that was armed while it was on runs something, and nobody asked it to boot.
    let ours = !is_old(began) && (stepped.is_some() || began.plus(SLACK) >= machine.since);
    match (ours, refused) {
        (false, _) => Made::Well,
        (true, true) => Made::Failed,
        (true, false) if now.since(began) >= post => Made::Failed,
        (true, false) => Made::Pending,
    }
}
