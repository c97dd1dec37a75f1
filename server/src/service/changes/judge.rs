//! What comes of a draft, whether it is the plan that was seen, and whether it may be.
use super::{
    ChangeError, Changes, NeedsAllowed, Options,
    draft::{Draft, Gone},
};
use crate::{domain::rights::Rights, service::next_boots::Effects, store::StoreError};
use pilotlight_types::api::{Change, Guard};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A draft, and what comes of it.
pub(super) struct Judged {
    pub(super) draft: Draft,
    pub(super) effects: Effects,
    /// Each thing that would be done, in one line: the same only if it is the same to the last byte.
    pub(super) facts: Vec<String>,
    /// The hash of those.
    pub(super) hash: String,
    pub(super) guard: Guard,
    /// Machines that are deleted, unasked by name, while they run something.
    running: Vec<String>,
}

impl Changes {
    /// Finds out what comes of a draft, for whoever has these rights.
    pub(super) async fn judge(&self, draft: Draft, rights: &Rights) -> Result<Judged, ChangeError> {
        let (foresight, limit, rights) = (self.foresight.clone(), self.guard, rights.clone());
        // It takes a processor for a while, and others wait for this thread.
        let judged = tokio::task::spawn_blocking(move || {
            let effects = if draft.is_empty() {
                Effects::default()
            } else {
                foresight.compare(&draft.before, &draft.after, draft.changed(), &rights)
            };
            judged(draft, effects, limit)
        });
        judged.await.map_err(|_| StoreError::Stopped.into())
    }

    /// Refuses what is not the plan that was seen, and what changes more machines than was said.
    pub(super) fn allow(
        &self,
        judged: &Judged,
        options: &Options,
        rights: &Rights,
    ) -> Result<(), ChangeError> {
        if let Some(expected) = options.expect_plan.as_ref().filter(|expected| **expected != judged.hash) {
            // Any machine may be among what differs.
            let differs = if rights.hides() {
                "What differs is not told to whom some objects are hidden: make a new plan, and look at it"
                    .to_owned()
            } else {
                self.plans.differs(expected, &judged.facts)
            };
            let expected = expected.chars().take(64).collect();
            return Err(ChangeError::NotThePlan { expected, differs });
        }
        let Guard { needs: Some(needs), limit, .. } = judged.guard else { return Ok(()) };
        if options.allow_machines.is_some_and(|allowed| allowed >= needs) {
            return Ok(());
        }
        Err(ChangeError::Guard(NeedsAllowed {
            needs,
            allowed: options.allow_machines,
            limit,
            machines: judged.effects.guarded.difference(&judged.effects.hidden).cloned().collect(),
            running: judged.running.clone(),
        }))
    }
}

fn judged(draft: Draft, effects: Effects, limit: usize) -> Judged {
    let running: Vec<String> = draft.gone.iter().filter(|_| draft.pruned).filter_map(Gone::runs).collect();
    let counted = effects.guarded.len();
    let needs = (counted > limit || !running.is_empty()).then_some(counted.max(running.len()));
    let facts = facts(&draft, &effects);
    let hash = hex::encode(Sha256::digest(facts.join("\n")));
    Judged { draft, facts, hash, guard: Guard { limit, counted, needs }, effects, running }
}

fn facts(draft: &Draft, effects: &Effects) -> Vec<String> {
    let short = |value: Option<&Value>| {
        let hash = value.map(|value| hex::encode(Sha256::digest(value.to_string()))).unwrap_or_default();
        hash.get(..16).unwrap_or("nothing").to_owned()
    };
    let mut facts = Vec::new();
    for (step, _) in draft.steps.iter().filter(|(step, _)| step.change != Change::Unchanged) {
        let (before, after) = (short(step.before.as_ref()), short(Some(&step.after)));
        facts.push(format!("{} {} is {}, from {before} to {after}", step.kind, step.name, step.change));
    }
    for gone in &draft.gone {
        facts.push(format!("{} {} is deleted, from {}", gone.kind, gone.name, short(Some(&gone.content))));
    }
    facts.sort();
    facts.extend(effects.facts.iter().cloned());
    facts
}
