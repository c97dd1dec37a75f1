//! What documents would change: each against the inventory as those before it leave it.
use super::{ChangeError, object};
use crate::{
    clock::random,
    domain::{
        document::{Meant, Spec},
        inventory::Inventory,
        machine::Machine,
        stage::{Event, Stage},
    },
    service::{
        journal::{Actor, Journal},
        machines::{self, MachineError},
        roster,
    },
    store::{ResourceRow, RevisionRow, StoreError, Write},
};
use pilotlight_types::{
    MachineId, Timestamp,
    api::{Change, PlannedItem},
    resource::{Kind, Labels, MachineSpec, Name},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// One resource on its way to the store.
pub(super) struct Step {
    /// Its kind.
    pub(super) kind: Kind,
    /// Its name.
    pub(super) name: Name,
    /// What is done to it.
    pub(super) change: Change,
    /// What was declared of it.
    pub(super) before: Option<Value>,
    /// What will be.
    pub(super) after: Value,
    /// The revision that it has.
    pub(super) revision: Option<i64>,
    /// What the machine was called while nobody had declared it.
    pub(super) adopted: Option<Name>,
    put: Put,
}

/// What it is afterwards.
enum Put {
    Resource(ResourceRow),
    Machine(Arc<Machine>),
}

/// What one document changes.
pub(super) fn step(inventory: &Inventory, one: &Meant, now: Timestamp) -> Result<Step, ChangeError> {
    let (kind, name) = (one.spec.kind(), one.name.clone());
    let before = current(inventory, kind, &name);
    let after = content(&one.labels, &one.spec.json());
    let mut step = Step {
        kind,
        name: name.clone(),
        change: match &before {
            None => Change::Created,
            Some((before, _)) if *before == after => Change::Unchanged,
            Some(_) => Change::Updated,
        },
        revision: before.as_ref().map(|(_, revision)| *revision),
        before: before.map(|(spec, _)| spec),
        after,
        adopted: None,
        put: Put::Resource(ResourceRow {
            kind,
            name: name.clone(),
            labels: one.labels.clone(),
            spec: Value::Null,
            revision: inventory.last_revision(kind, &name) + 1,
            updated: now,
        }),
    };
    match (&one.spec, &mut step.put) {
        (Spec::Machine(spec), _) => machine(inventory, &mut step, &one.labels, spec, now)?,
        (spec, Put::Resource(row)) => row.spec = spec.json(),
        (_, Put::Machine(_)) => {}
    }
    Ok(step)
}

fn machine(
    inventory: &Inventory,
    step: &mut Step,
    labels: &Labels,
    spec: &MachineSpec,
    now: Timestamp,
) -> Result<(), ChangeError> {
    let there = inventory.machine_named(step.name.as_str());
    let seen = if there.is_none() { inventory.discovered_as(spec) } else { None };
    step.adopted = seen.map(|seen| seen.name.clone());
    let machine = match there.or(seen) {
        None => {
            let id = MachineId::new(now, random());
            Machine::new(id, step.name.clone(), labels.clone(), spec.clone(), Stage::Ready, now)
        }
        Some(before) => {
            let mut machine = Machine::clone(before);
            // Declaring a machine that was only seen so far is accepting it.
            if machine.stage == Stage::Discovered {
                machine.stage = machine.stage.on(&Event::Accept).map_err(MachineError::from)?;
                machine.since = now;
                if step.change == Change::Unchanged {
                    step.change = Change::Updated;
                }
            }
            // What was learned was learned by what was declared: where that changes, it is learned anew.
            let by = |spec: &MachineSpec| (spec.macs.clone(), spec.uuid, spec.serial.clone());
            if by(&machine.spec) != by(spec) {
                machine.learned.clear();
            }
            let (name, version) = (step.name.clone(), machine.version + 1);
            Machine { name, labels: labels.clone(), spec: spec.clone(), version, ..machine }
        }
    };
    step.put = Put::Machine(Arc::new(machine));
    Ok(())
}

impl Step {
    /// What it would do, for people.
    pub(super) fn planned(self, warnings: Vec<String>) -> PlannedItem {
        let Self { kind, name, change, before, after, .. } = self;
        PlannedItem { kind, name: name.to_string(), change, before, after: Some(after), warnings }
    }

    /// What to write for it: nothing, where nothing changes.
    pub(super) fn writes(&self, journal: &Journal, actor: &Actor, message: Option<&str>) -> Vec<Write> {
        if self.change == Change::Unchanged {
            return Vec::new();
        }
        let mut writes = vec![match &self.put {
            Put::Resource(row) => {
                let (actor, message) = (actor.name.clone(), message.map(str::to_owned));
                Write::Resource(RevisionRow { resource: row.clone(), actor, message })
            }
            Put::Machine(machine) => Write::Machine(Box::new(Machine::clone(machine))),
        }];
        let Self { kind, name, change, .. } = self;
        let object = object(*kind, name);
        let told = format!("{kind} {name} was {change}");
        let revision = match &self.put {
            Put::Resource(row) => row.revision,
            Put::Machine(machine) => machine.version,
        };
        let data = BTreeMap::from([("revision".to_owned(), json!(revision))]);
        writes.push(journal.event_with("resource.changed", &object, actor, None, told, data));
        if let Some(former) = &self.adopted {
            let message = format!("{name} is the machine that was seen as {former}");
            let event = |about: &Name| {
                journal.event("machine.adopted", &machines::object(about), actor, None, message.clone())
            };
            writes.extend([event(former), event(name)]);
        }
        let (before, after) = (self.before.clone(), Some(self.after.clone()));
        writes.push(journal.audit(actor, &change.to_string(), object, before, after));
        writes
    }

    /// Puts it into an inventory: one that is only there to be checked, or the roster once it is durable.
    pub(super) fn put(&self, inventory: &mut Inventory) -> Result<(), StoreError> {
        if self.change == Change::Unchanged {
            return Ok(());
        }
        match &self.put {
            Put::Resource(row) => roster::put(inventory, row),
            Put::Machine(machine) => {
                inventory.put(machine.clone());
                Ok(())
            }
        }
    }
}

/// What was declared of a resource, and its revision.
pub(super) fn current(inventory: &Inventory, kind: Kind, name: &Name) -> Option<(Value, i64)> {
    fn of<T: serde::Serialize>(
        declared: Option<&crate::domain::inventory::Declared<T>>,
    ) -> Option<(Value, i64)> {
        let declared = declared?;
        Some((content(&declared.labels, &serde_json::to_value(&*declared.spec).ok()?), declared.revision))
    }
    match kind {
        Kind::Role => of(inventory.roles.get(name)),
        Kind::Firmware => of(inventory.firmware.get(name)),
        Kind::Subnet => of(inventory.subnets.get(name)),
        Kind::Image => of(inventory.images.get(name)),
        Kind::Profile => of(inventory.profiles.get(name)),
        Kind::Group => of(inventory.groups.get(name)),
        Kind::HardwareClass => of(inventory.classes.get(name)),
        Kind::ExpectedMachine => of(inventory.expected.get(name)),
        Kind::AcceptRule => of(inventory.accept_rules.get(name)),
        Kind::Webhook => of(inventory.webhooks.get(name)),
        Kind::Machine => {
            let machine = inventory.machine_named(name.as_str())?;
            Some((content(&machine.labels, &serde_json::to_value(&machine.spec).ok()?), machine.version))
        }
    }
}

/// What is declared of a resource, as one.
pub(super) fn content(labels: &Labels, spec: &Value) -> Value {
    json!({"labels": labels, "spec": spec})
}
