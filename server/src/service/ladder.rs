//! The ladder: looks which machines are to boot and do not, and takes the next step with them.
use super::{
    bmcs::Bmcs,
    boots::Boots,
    configs::HEARTBEAT_SECONDS,
    deadlines::Deadlines,
    diagnoses::Diagnoses,
    journal::{Actor, Journal},
    machines::{self, MachineError, Machines},
    roster::Roster,
};
use crate::{
    domain::{
        deadlines::Stretch,
        ladder::{Next, Rules, View, is_answer, is_under_way, made_to_boot, next},
        machine::Machine,
        stage::Stage,
    },
    store::Write,
};
use futures_util::FutureExt;
use pilotlight_types::{
    MachineId,
    api::{Boot, Diagnosis, LadderAction},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Takes steps.
#[derive(Debug, Clone)]
pub struct Ladder {
    machines: Machines,
    roster: Roster,
    boots: Boots,
    bmcs: Bmcs,
    deadlines: Deadlines,
    diagnoses: Diagnoses,
    journal: Journal,
    rules: Arc<Rules>,
    counts: LadderCounts,
}

/// How many steps were taken since the start, by step; and how many machines were held.
#[derive(Debug, Clone, Default)]
pub struct LadderCounts(Arc<Mutex<BTreeMap<&'static str, u64>>>);

/// An agent that was heard within so many heartbeats is there.
const BEATS: u32 = 4;

impl LadderCounts {
    /// The numbers.
    pub fn get(&self) -> Vec<(&'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(step, count)| (*step, *count)).collect()
    }

    fn count(&self, step: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(step).or_default() += 1;
    }
}

/// What is to be done with a BMC, after it was written down.
#[derive(Debug, Clone)]
pub struct ResetBmc(Arc<Machine>);

impl Ladder {
    /// Takes steps by these rules.
    pub fn new(
        (machines, roster, boots, bmcs): (Machines, Roster, Boots, Bmcs),
        (deadlines, diagnoses): (Deadlines, Diagnoses),
        journal: Journal,
        rules: Arc<Rules>,
        counts: LadderCounts,
    ) -> Self {
        Self { machines, roster, boots, bmcs, deadlines, diagnoses, journal, rules, counts }
    }

    /// Takes the next step with each machine whose turn it is. BMCs that are to be restarted are left to the caller, who need not wait.
    pub async fn pass(&self) -> Result<Vec<ResetBmc>, MachineError> {
        let now = self.journal.now();
        let candidates: Vec<Arc<Machine>> = self.roster.read(|inventory| {
            let asked = |machine: &&Arc<Machine>| {
                let boots = matches!(machine.stage, Stage::Provisioning(_) | Stage::Failed { .. });
                machine.ladder.is_some() || boots && machine.spec.bmc.is_some()
            };
            inventory.machines().filter(asked).cloned().collect()
        });
        let under_way = candidates.iter().filter(|machine| is_under_way(machine, self.rules.pause, now));
        let mut under_way: HashSet<MachineId> = under_way.map(|machine| machine.id).collect();
        let mut resets = Vec::new();
        for machine in candidates {
            let others = under_way.len() - usize::from(under_way.contains(&machine.id));
            let wanted = self.next(&machine, others);
            if matches!(wanted, Next::Nothing | Next::Wait) {
                continue;
            }
            let taken = self.take(&machine, wanted, others).await?;
            if let (true, Next::Take(step, _)) = (taken, wanted) {
                under_way.insert(machine.id);
                if step == LadderAction::BmcReset {
                    resets.push(ResetBmc(machine));
                }
            }
        }
        Ok(resets)
    }

    fn next(&self, machine: &Machine, others: usize) -> Next {
        let boot = self.boots.of(machine.id);
        let view = View {
            machine,
            boot: boot.as_deref(),
            post: self.deadlines.of(machine.id, Stretch::Post).after,
            alive: Duration::from_secs(u64::from(HEARTBEAT_SECONDS * BEATS)),
            others,
            now: self.journal.now(),
        };
        next(&view, &self.rules)
    }

    async fn take(&self, machine: &Arc<Machine>, wanted: Next, others: usize) -> Result<bool, MachineError> {
        let boot = self.boots.of(machine.id);
        let answers = |boot: &&Boot| made_to_boot(machine).is_none_or(|began| is_answer(boot, began));
        let answer = boot.as_deref().filter(answers);
        let known = answer.and_then(|boot| boot.diagnosis.clone());
        let diagnosis = match known {
            Some(known) => known,
            None => self.diagnoses.of(machine, answer).await,
        };
        let also = self.told(machine, wanted, &diagnosis);
        let still = |machine: &Machine| self.next(machine, others);
        let taken = self.machines.climb(machine.id, wanted, still, &diagnosis, &also).await?;
        match wanted {
            Next::Take(step, _) if taken => self.counts.count(step.name()),
            Next::Hold if taken => self.counts.count("hold"),
            _ => {}
        }
        Ok(taken)
    }

    /// The event and the audit row of a step.
    fn told(&self, machine: &Machine, wanted: Next, diagnosis: &Diagnosis) -> Vec<Write> {
        let (name, of) = (&machine.name, self.rules.steps.len());
        let (kind, step, message) = match wanted {
            Next::Take(step, done) => (
                "machine.ladder",
                step.name(),
                format!("{name} does not boot; step {done} of {of}: {}", step.told()),
            ),
            Next::Hold => (
                "machine.ladder_end",
                "hold",
                format!("{name} does not boot, and nothing is left to try: it is held"),
            ),
            Next::Nothing | Next::Leave | Next::Wait => return Vec::new(),
        };
        let object = machines::object(name);
        let data = BTreeMap::from([
            ("step".to_owned(), json!(step)),
            ("diagnosis".to_owned(), json!(diagnosis.code)),
        ]);
        let message = format!("{message} ({}: {})", diagnosis.code, diagnosis.text);
        let after = json!({"ladder": step, "diagnosis": diagnosis.code});
        vec![
            self.journal.event_with(kind, &object, &Actor::daemon(), None, message, data),
            self.journal.audit(&Actor::daemon(), "climbed", object, None, Some(after)),
        ]
    }

    /// Restarts a BMC: once, for that it was asked is written down, and whether it did is not known if it does not say so.
    pub async fn reset_bmc(&self, ResetBmc(machine): ResetBmc) {
        let done = self.bmcs.ask(&machine, |bmc| bmc.restart().boxed()).await;
        let message = match &done {
            Ok(()) => format!("BMC of {} is restarted", machine.name),
            Err(error) => format!("BMC of {} was to be restarted: {error}", machine.name),
        };
        let object = machines::object(&machine.name);
        let event = self.journal.event("bmc.restarted", &object, &Actor::daemon(), None, message);
        self.journal.later(vec![event]);
    }
}
