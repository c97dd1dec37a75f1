//! Changes of what is declared: checked as a whole, written as a whole, or not at all.
mod plan;

use super::{
    boots::Boots,
    images::Images,
    journal::{Actor, Journal},
    machines::{MachineError, Machines},
    roster::Roster,
};
use crate::{
    domain::{
        document::{Meant, Spec, understand},
        inventory::{
            Inventory,
            check::{self, Findings},
        },
    },
    store::{StoreError, Write},
};
use pilotlight_types::{
    api::{AppliedItem, Mistake},
    resource::{Kind, Name},
};
use plan::{Step, current, step};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Changes what is declared.
#[derive(Debug, Clone)]
pub struct Changes {
    roster: Roster,
    journal: Journal,
    images: Images,
    machines: Machines,
    boots: Boots,
    // One change at a time: what is checked is what is written.
    one_at_a_time: Arc<Mutex<()>>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// What was sent has mistakes.
    #[error("{} of what was sent is wrong; nothing was changed", count(.0.len()))]
    Mistakes(Vec<Mistake>),
    /// There is no such resource.
    #[error("there is no {0} {1}")]
    NotFound(Kind, String),
    /// Others need it.
    #[error("{0} {1} cannot go: {2}")]
    Needed(Kind, Name, String),
    /// It is not what the caller thinks.
    #[error("{0} {1} is not as you read it: {2}")]
    Changed(Kind, Name, String),
    /// The stage does not allow that.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn count(mistakes: usize) -> String {
    if mistakes == 1 { "1 part".into() } else { format!("{mistakes} parts") }
}

/// How often documents are planned anew when machines change at the same moment.
const TRIES: usize = 20;

impl Changes {
    /// Changes what is declared.
    pub fn new(roster: Roster, journal: Journal, images: Images, machines: Machines, boots: Boots) -> Self {
        Self { roster, journal, images, machines, boots, one_at_a_time: Arc::default() }
    }

    /// Makes what is declared be as in these documents. All of them, or none.
    pub async fn apply(&self, documents: &[Value], actor: &Actor) -> Result<Vec<AppliedItem>, ChangeError> {
        self.apply_at(documents, None, actor).await
    }

    /// The same, if the first document's resource is at the revision that the caller knows.
    pub async fn apply_at(
        &self,
        documents: &[Value],
        expected: Option<i64>,
        actor: &Actor,
    ) -> Result<Vec<AppliedItem>, ChangeError> {
        let meant = understand(documents).map_err(ChangeError::Mistakes)?;
        // Fetching takes its time, and harms nobody if the rest is refused.
        self.plan(&meant)?;
        self.take_images(&meant).await.map_err(ChangeError::Mistakes)?;
        let _guard = self.one_at_a_time.lock().await;
        let mut tries = 0..TRIES;
        let planned = loop {
            if let (Some(expected), Some(first)) = (expected, meant.first()) {
                self.expect(first.spec.kind(), &first.name, expected)?;
            }
            let planned = self.plan(&meant)?;
            let writes = planned.iter().flat_map(|(step, _)| step.writes(&self.journal, actor)).collect();
            match self.journal.commit(writes).await {
                Ok(()) => break planned,
                // A machine went on with its life meanwhile: what is declared of it goes on top of that.
                Err(StoreError::Conflict { .. }) if tries.next().is_some() => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        };
        self.roster.change(|inventory| planned.iter().try_for_each(|(step, _)| step.put(inventory)))?;
        self.machines.arm_ready(actor).await?;
        let item = |(step, warnings): (Step, Vec<String>)| {
            let name = step.name.to_string();
            AppliedItem { kind: step.kind, name, change: step.change, warnings }
        };
        Ok(planned.into_iter().map(item).collect())
    }

    /// Deletes a resource. `expected` is the revision that the caller knows.
    pub async fn delete(
        &self,
        kind: Kind,
        name: &str,
        expected: Option<i64>,
        actor: &Actor,
    ) -> Result<(), ChangeError> {
        let not_found = || ChangeError::NotFound(kind, name.chars().take(80).collect());
        let parsed: Name = name.parse().map_err(|_| not_found())?;
        let _guard = self.one_at_a_time.lock().await;
        let (before, revision, machine, needed) = self
            .roster
            .read(|inventory| {
                let (spec, revision) = current(inventory, kind, &parsed)?;
                let machine =
                    inventory.machine_named(name).filter(|_| kind == Kind::Machine).map(|machine| machine.id);
                Some((spec, revision, machine, check::needed_by(inventory, kind, &parsed)))
            })
            .ok_or_else(not_found)?;
        if let Some(why) = needed {
            return Err(ChangeError::Needed(kind, parsed, why));
        }
        if expected.is_some_and(|expected| expected != revision) {
            return Err(ChangeError::Changed(kind, parsed, format!("it is at revision {revision}")));
        }
        let object = object(kind, &parsed);
        let delete = machine.map_or_else(|| Write::NoResource(kind, parsed.clone()), Write::NoMachine);
        let told = self.journal.event(
            "resource.deleted",
            &object,
            actor,
            None,
            format!("{kind} {parsed} was deleted"),
        );
        self.journal
            .commit(vec![delete, self.journal.audit(actor, "deleted", object, Some(before), None), told])
            .await?;
        self.roster.change(|inventory| match (kind, machine) {
            (_, Some(id)) => inventory.remove(id),
            (Kind::Firmware, _) => drop(inventory.firmware.remove(&parsed)),
            (Kind::Subnet, _) => drop(inventory.subnets.remove(&parsed)),
            (Kind::Image, _) => drop(inventory.images.remove(&parsed)),
            (Kind::Profile, _) => drop(inventory.profiles.remove(&parsed)),
            (Kind::Group, _) => inventory.groups.remove(&parsed),
            (Kind::Machine, None) => {}
        });
        if let Some(id) = machine {
            self.boots.forget(id);
        }
        Ok(())
    }

    fn expect(&self, kind: Kind, name: &Name, expected: i64) -> Result<(), ChangeError> {
        let now = self.roster.read(|inventory| current(inventory, kind, name)).map(|(_, revision)| revision);
        let changed = |why: String| Err(ChangeError::Changed(kind, name.clone(), why));
        match now {
            Some(now) if now == expected => Ok(()),
            Some(now) => changed(format!("it is at revision {now}")),
            None => changed("it is not there".into()),
        }
    }

    /// What each document changes, with warnings; or everything that is wrong.
    fn plan(&self, meant: &[Meant]) -> Result<Vec<(Step, Vec<String>)>, ChangeError> {
        let now = self.journal.now();
        let mut after = self.roster.read(Inventory::clone);
        let mut steps = Vec::with_capacity(meant.len());
        for one in meant {
            let step = step(&after, one, now)?;
            step.put(&mut after)?;
            steps.push(step);
        }
        let found: Vec<Findings> = check::check(&after, meant.iter().map(|one| (one.spec.kind(), &one.name)));
        let mistakes: Vec<Mistake> =
            meant.iter().zip(&found).flat_map(|(one, found)| mistakes(one, &found.errors)).collect();
        if !mistakes.is_empty() {
            return Err(ChangeError::Mistakes(mistakes));
        }
        Ok(steps.into_iter().zip(found.into_iter().map(|found| found.warnings)).collect())
    }

    async fn take_images(&self, meant: &[Meant]) -> Result<(), Vec<Mistake>> {
        let mut all = Vec::new();
        for one in meant {
            if let Spec::Image(spec) = &one.spec
                && let Err(findings) = self.images.take(spec).await
            {
                all.extend(mistakes(one, &findings));
            }
        }
        if all.is_empty() { Ok(()) } else { Err(all) }
    }
}

fn mistakes(one: &Meant, findings: &[check::Finding]) -> Vec<Mistake> {
    let mistake = |finding: &check::Finding| Mistake {
        document: one.document,
        path: finding.path.clone(),
        position: finding.position,
        detail: format!("{} {}: {}", one.spec.kind(), one.name, finding.detail),
    };
    findings.iter().map(mistake).collect()
}

/// A resource, as events and the audit log name it.
fn object(kind: Kind, name: &Name) -> String {
    format!("{}/{name}", kind.name().to_lowercase())
}
