//! The section `[ladder]`: what is tried with machines that are to boot and do not.
use super::{super::fragment, parsed};
use pilotlight_types::{api::LadderAction, resource::Duration};

/// What is tried.
#[derive(Debug, Clone)]
pub struct LadderSettings {
    /// Whether anything is.
    pub enabled: bool,
    /// The steps.
    pub steps: Vec<LadderAction>,
    /// How long after a step of a machine the next one comes at the earliest.
    pub pause: Duration,
    /// How many steps are begun within that time at the most.
    pub at_once: usize,
}

/// Two restarts, for the boot device gets lost; then what costs more.
const STEPS: [LadderAction; 6] = [
    LadderAction::Restart,
    LadderAction::Restart,
    LadderAction::Cycle,
    LadderAction::BmcReset,
    LadderAction::Cycle,
    LadderAction::Http,
];

/// A ladder has an end.
const MOST: usize = 20;

/// The section, with what is wrong with it.
pub(super) fn ladder(
    from: &fragment::Ladder,
    found: &mut impl FnMut(&str, String),
) -> Option<LadderSettings> {
    let steps = match &from.steps {
        None => STEPS.to_vec(),
        Some(all) => all.iter().filter_map(|text| parsed("ladder.steps", text, found)).collect(),
    };
    if from.steps.as_ref().is_some_and(|all| all.len() > MOST) {
        found("ladder.steps", format!("up to {MOST} steps are expected"));
    }
    let pause = parsed::<Duration>("ladder.pause", from.pause.as_deref().unwrap_or("5m"), found);
    if pause.is_some_and(|pause| pause.as_secs() == 0) {
        found("ladder.pause", "at least 1s is expected".into());
    }
    let at_once = from.at_once.unwrap_or(10);
    if at_once == 0 {
        found("ladder.at-once", "at least 1 is expected; `ladder.enabled = false` tries nothing".into());
    }
    Some(LadderSettings { enabled: from.enabled.unwrap_or(true), steps, pause: pause?, at_once })
}
