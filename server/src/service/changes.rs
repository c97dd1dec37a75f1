//! Changes of what is declared: checked as a whole, written as a whole, or not at all.
mod plan;

use super::{
    boots::Boots,
    images::Images,
    journal::{Actor, Journal},
    machines::{MachineError, Machines},
    roster::Roster,
    scopes::permits,
};
use crate::{
    domain::{
        document::{Meant, Spec, understand},
        inventory::{
            Inventory,
            check::{self, Findings},
        },
        scope::{OutOfScope, Scope},
    },
    store::{StoreError, Write},
};
use pilotlight_types::{
    MachineId,
    api::{AppliedItem, Change, Mistake, PlannedItem},
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

/// What the caller of a change expects to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Anything,
    /// Nothing of that name.
    Absent,
    /// Something of that name.
    Present,
    /// It, at one of these revisions.
    OneOf(Vec<i64>),
}

impl From<Option<i64>> for Expected {
    fn from(revision: Option<i64>) -> Self {
        revision.map_or(Self::Anything, |revision| Self::OneOf(vec![revision]))
    }
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
    /// It is not in the caller's scope.
    #[error(transparent)]
    OutOfScope(#[from] OutOfScope),
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
        self.apply_at(documents, Expected::Anything, actor).await
    }

    /// The same, if the first document's resource is as the caller expects.
    pub async fn apply_at(
        &self,
        documents: &[Value],
        expected: impl Into<Expected>,
        actor: &Actor,
    ) -> Result<Vec<AppliedItem>, ChangeError> {
        let expected = expected.into();
        let meant = understand(documents).map_err(ChangeError::Mistakes)?;
        self.in_scope(&meant, &actor.scope)?;
        // Fetching takes its time, and harms nobody if the rest is refused.
        self.plan(&meant)?;
        self.take_images(&meant).await.map_err(ChangeError::Mistakes)?;
        let _guard = self.one_at_a_time.lock().await;
        let mut tries = 0..TRIES;
        let planned = loop {
            self.in_scope(&meant, &actor.scope)?;
            if let Some(first) = meant.first() {
                self.expect(first.spec.kind(), &first.name, &expected)?;
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

    /// Says what [`Changes::apply_at`] would do now, and does nothing. Images' files are not fetched.
    pub fn rehearse(
        &self,
        documents: &[Value],
        expected: &Expected,
        actor: &Actor,
    ) -> Result<Vec<PlannedItem>, ChangeError> {
        let meant = understand(documents).map_err(ChangeError::Mistakes)?;
        self.in_scope(&meant, &actor.scope)?;
        if let Some(first) = meant.first() {
            self.expect(first.spec.kind(), &first.name, expected)?;
        }
        let planned = self.plan(&meant)?;
        Ok(planned.into_iter().map(|(step, warnings)| step.planned(warnings)).collect())
    }

    /// Says what [`Changes::delete`] would do now, and does nothing.
    pub fn rehearse_delete(
        &self,
        kind: Kind,
        name: &str,
        expected: &Expected,
        actor: &Actor,
    ) -> Result<PlannedItem, ChangeError> {
        let Doomed { name, before, .. } = self.doomed(kind, name, expected, &actor.scope)?;
        let name = name.to_string();
        Ok(PlannedItem {
            kind,
            name,
            change: Change::Deleted,
            before: Some(before),
            after: None,
            warnings: Vec::new(),
        })
    }

    /// What is to be deleted, if it may be.
    fn doomed(
        &self,
        kind: Kind,
        name: &str,
        expected: &Expected,
        scope: &Scope,
    ) -> Result<Doomed, ChangeError> {
        let not_found = || ChangeError::NotFound(kind, name.chars().take(80).collect());
        let parsed: Name = name.parse().map_err(|_| not_found())?;
        self.roster.read(|inventory| permits(inventory, scope, kind, name)).transpose()?;
        let (before, machine, needed) = self
            .roster
            .read(|inventory| {
                let (before, _) = current(inventory, kind, &parsed)?;
                let machine =
                    inventory.machine_named(name).filter(|_| kind == Kind::Machine).map(|machine| machine.id);
                Some((before, machine, check::needed_by(inventory, kind, &parsed)))
            })
            .ok_or_else(not_found)?;
        if let Some(why) = needed {
            return Err(ChangeError::Needed(kind, parsed, why));
        }
        self.expect(kind, &parsed, expected)?;
        Ok(Doomed { name: parsed, before, machine })
    }

    /// Deletes a resource that is as the caller expects.
    pub async fn delete(
        &self,
        kind: Kind,
        name: &str,
        expected: impl Into<Expected>,
        actor: &Actor,
    ) -> Result<(), ChangeError> {
        let expected = expected.into();
        let _guard = self.one_at_a_time.lock().await;
        let Doomed { name: parsed, before, machine } = self.doomed(kind, name, &expected, &actor.scope)?;
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

    /// Fails unless each resource is in the scope, both as it is and as it would be: nobody takes it in by a label, or puts it out.
    fn in_scope(&self, meant: &[Meant], scope: &Scope) -> Result<(), OutOfScope> {
        if scope.is_everything() {
            return Ok(());
        }
        self.roster.read(|inventory| {
            meant.iter().try_for_each(|one| {
                let (kind, name) = (one.spec.kind(), one.name.as_str());
                permits(inventory, scope, kind, name).unwrap_or(Ok(()))?;
                let rack = match &one.spec {
                    Spec::Machine(spec) => spec.rack.clone(),
                    _ => None,
                };
                scope.permits(kind, name, &one.labels, |key| rack.clone().filter(|_| key == "rack"))
            })
        })
    }

    fn expect(&self, kind: Kind, name: &Name, expected: &Expected) -> Result<(), ChangeError> {
        let now = self.roster.read(|inventory| current(inventory, kind, name)).map(|(_, revision)| revision);
        let good = match (expected, now) {
            (Expected::Anything, _) | (Expected::Absent, None) | (Expected::Present, Some(_)) => true,
            (Expected::OneOf(revisions), Some(now)) => revisions.contains(&now),
            (Expected::Absent, Some(_)) | (Expected::Present | Expected::OneOf(_), None) => false,
        };
        let is = now.map_or_else(|| "it is not there".to_owned(), |now| format!("it is at revision {now}"));
        if good { Ok(()) } else { Err(ChangeError::Changed(kind, name.clone(), is)) }
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

/// A resource that is to be deleted.
struct Doomed {
    name: Name,
    before: Value,
    machine: Option<MachineId>,
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
