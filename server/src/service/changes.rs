//! Changes of what is declared: checked as a whole, written as a whole, or not at all.
use super::{
    boots::Boots,
    images::Images,
    journal::{Actor, Journal},
    machines::{MachineError, Machines},
    roster::{self, Roster},
};
use crate::{
    clock::random,
    domain::{
        document::{Meant, Spec, understand},
        inventory::{
            Inventory,
            check::{self, Findings},
        },
        machine::Machine,
        stage::{Event, Stage},
    },
    store::{ResourceRow, RevisionRow, StoreError, Write},
};
use pilotlight_types::{
    MachineId, Timestamp,
    api::{AppliedItem, Change, Mistake},
    resource::{Kind, Labels, Name},
};
use serde_json::{Value, json};
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
    #[error("{0} {1} is at revision {2} by now")]
    Changed(Kind, Name, i64),
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

/// One resource on its way to the store.
struct Step {
    kind: Kind,
    name: Name,
    change: Change,
    writes: Vec<Write>,
    commit: Commit,
}

enum Commit {
    Resource(ResourceRow),
    Machine(Arc<Machine>),
}

impl Changes {
    /// Changes what is declared.
    pub fn new(roster: Roster, journal: Journal, images: Images, machines: Machines, boots: Boots) -> Self {
        Self { roster, journal, images, machines, boots, one_at_a_time: Arc::default() }
    }

    /// Makes what is declared be as in these documents. All of them, or none.
    pub async fn apply(&self, documents: &[Value], actor: &Actor) -> Result<Vec<AppliedItem>, ChangeError> {
        let meant = understand(documents).map_err(ChangeError::Mistakes)?;
        // Fetching takes its time, and harms nobody if the rest is refused.
        self.check(&meant).map_err(ChangeError::Mistakes)?;
        self.take_images(&meant).await.map_err(ChangeError::Mistakes)?;
        let _guard = self.one_at_a_time.lock().await;
        let warnings = self.check(&meant).map_err(ChangeError::Mistakes)?;
        let steps: Vec<Step> = self
            .roster
            .read(|now| meant.iter().map(|one| self.step(now, one, actor)).collect::<Result<_, _>>())?;
        let mut writes = Vec::new();
        let mut items = Vec::new();
        let mut commits = Vec::new();
        for (step, warnings) in steps.into_iter().zip(warnings) {
            items.push(AppliedItem {
                kind: step.kind,
                name: step.name.to_string(),
                change: step.change,
                warnings,
            });
            if step.change != Change::Unchanged {
                writes.extend(step.writes);
                commits.push(step.commit);
            }
        }
        self.journal.commit(writes).await?;
        self.roster.change(|inventory| {
            commits.into_iter().try_for_each(|commit| match commit {
                Commit::Resource(row) => roster::put(inventory, &row),
                Commit::Machine(machine) => {
                    inventory.put(machine);
                    Ok(())
                }
            })
        })?;
        self.machines.arm_ready(actor).await?;
        Ok(items)
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
            return Err(ChangeError::Changed(kind, parsed, revision));
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
            (Kind::Subnet, _) => drop(inventory.subnets.remove(&parsed)),
            (Kind::Image, _) => drop(inventory.images.remove(&parsed)),
            (Kind::Profile, _) => drop(inventory.profiles.remove(&parsed)),
            (Kind::Group, _) => drop(inventory.groups.remove(&parsed)),
            (Kind::Machine, None) => {}
        });
        if let Some(id) = machine {
            self.boots.forget(id);
        }
        Ok(())
    }

    /// The revision that a resource is at.
    pub fn revision(&self, kind: Kind, name: &str) -> Option<i64> {
        let name: Name = name.parse().ok()?;
        self.roster.read(|inventory| current(inventory, kind, &name)).map(|(_, revision)| revision)
    }

    /// The warnings for each document, or everything that is wrong.
    fn check(&self, meant: &[Meant]) -> Result<Vec<Vec<String>>, Vec<Mistake>> {
        let now = self.journal.now();
        let mut after = self.roster.read(Inventory::clone);
        for one in meant {
            put(&mut after, one, now);
        }
        let found: Vec<Findings> =
            meant.iter().map(|one| check::check(&after, one.spec.kind(), &one.name)).collect();
        let mistakes: Vec<Mistake> =
            meant.iter().zip(&found).flat_map(|(one, found)| mistakes(one, &found.errors)).collect();
        if mistakes.is_empty() {
            Ok(found.into_iter().map(|found| found.warnings).collect())
        } else {
            Err(mistakes)
        }
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

    fn step(&self, inventory: &Inventory, one: &Meant, actor: &Actor) -> Result<Step, ChangeError> {
        let now = self.journal.now();
        let (kind, name) = (one.spec.kind(), one.name.clone());
        let before = current(inventory, kind, &name);
        let after = content(&one.labels, &one.spec.json());
        let change = match &before {
            None => Change::Created,
            Some((before, _)) if *before == after => Change::Unchanged,
            Some(_) => Change::Updated,
        };
        let revision = before.as_ref().map_or(1, |(_, revision)| revision + 1);
        let (write, commit) = match &one.spec {
            Spec::Machine(spec) => {
                let machine = match inventory.machine_named(name.as_str()) {
                    None => {
                        let id = MachineId::new(now, random());
                        Machine::new(id, name.clone(), one.labels.clone(), spec.clone(), Stage::Ready, now)
                    }
                    Some(before) => {
                        let mut machine = Machine::clone(before);
                        // Declaring a machine that was only seen so far is accepting it.
                        if machine.stage == Stage::Discovered {
                            machine.stage = machine.stage.on(&Event::Accept).map_err(MachineError::from)?;
                            machine.since = now;
                        }
                        Machine {
                            labels: one.labels.clone(),
                            spec: spec.clone(),
                            version: revision,
                            ..machine
                        }
                    }
                };
                (Write::Machine(Box::new(machine.clone())), Commit::Machine(Arc::new(machine)))
            }
            spec => {
                let row = ResourceRow {
                    kind,
                    name: name.clone(),
                    labels: one.labels.clone(),
                    spec: spec.json(),
                    revision,
                    updated: now,
                };
                let new = RevisionRow { resource: row.clone(), actor: actor.name.clone() };
                (Write::Resource(new), Commit::Resource(row))
            }
        };
        let mut writes = vec![write];
        if change != Change::Unchanged {
            let object = object(kind, &name);
            let message = format!("{kind} {name} was {change}");
            writes.push(self.journal.event("resource.changed", &object, actor, None, message));
            writes.push(self.journal.audit(
                actor,
                &change.to_string(),
                object,
                before.map(|(spec, _)| spec),
                Some(after),
            ));
        }
        Ok(Step { kind, name, change, writes, commit })
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

/// What was declared of a resource, and its revision.
fn current(inventory: &Inventory, kind: Kind, name: &Name) -> Option<(Value, i64)> {
    fn of<T: serde::Serialize>(
        declared: Option<&crate::domain::inventory::Declared<T>>,
    ) -> Option<(Value, i64)> {
        let declared = declared?;
        Some((content(&declared.labels, &serde_json::to_value(&*declared.spec).ok()?), declared.revision))
    }
    match kind {
        Kind::Subnet => of(inventory.subnets.get(name)),
        Kind::Image => of(inventory.images.get(name)),
        Kind::Profile => of(inventory.profiles.get(name)),
        Kind::Group => of(inventory.groups.get(name)),
        Kind::Machine => {
            let machine = inventory.machine_named(name.as_str())?;
            Some((content(&machine.labels, &serde_json::to_value(&machine.spec).ok()?), machine.version))
        }
    }
}

fn content(labels: &Labels, spec: &Value) -> Value {
    json!({"labels": labels, "spec": spec})
}

/// Puts what is meant into an inventory that is only there to be checked.
fn put(inventory: &mut Inventory, one: &Meant, now: Timestamp) {
    let row = |spec: &Spec| ResourceRow {
        kind: spec.kind(),
        name: one.name.clone(),
        labels: one.labels.clone(),
        spec: spec.json(),
        revision: current(inventory, spec.kind(), &one.name).map_or(1, |(_, revision)| revision + 1),
        updated: now,
    };
    match &one.spec {
        Spec::Machine(spec) => {
            let there = inventory.machine_named(one.name.as_str()).cloned();
            let (labels, spec) = (one.labels.clone(), spec.clone());
            let machine = match there {
                Some(there) => Machine { labels, spec, ..Machine::clone(&there) },
                None => Machine::new(
                    MachineId::new(now, random()),
                    one.name.clone(),
                    labels,
                    spec,
                    Stage::Ready,
                    now,
                ),
            };
            inventory.put(Arc::new(machine));
        }
        spec => {
            let row = row(spec);
            // A spec that was typed a moment ago reads back.
            drop(roster::put(inventory, &row));
        }
    }
}
