//! Resources and machines as the API shows them.
use super::{
    boots::{Boots, Said},
    discovery::class,
    roster::Roster,
    scopes::field,
};
use crate::{
    domain::{
        firmware::table as firmware_table,
        identity::Says,
        inventory::{ByName, Declared, Inventory},
        machine::Machine,
        power, rights,
        selector::Selector,
        stage::{Stage, table},
    },
    service::{leases::Leases, leases6::Leases6},
};
use pilotlight_types::{
    Timestamp,
    api::{self, Boot, MachineProfile, Resource},
    resource::{FirmwareSpec, Kind, Labels, Name, RoleSpec},
};
use serde::Serialize;
use std::sync::Arc;

/// Reads what the API shows.
#[derive(Debug, Clone)]
pub struct Views {
    roster: Roster,
    boots: Boots,
    leases: Leases,
    leases6: Leases6,
}

impl Views {
    /// Reads what the API shows.
    pub const fn new(roster: Roster, boots: Boots, leases: Leases, leases6: Leases6) -> Self {
        Self { roster, boots, leases, leases6 }
    }

    /// The resources of a kind whose names come after `after`, by name: `limit` of those that are meant.
    pub fn resources(
        &self,
        kind: Kind,
        selector: &Selector,
        after: Option<&Name>,
        limit: usize,
    ) -> Vec<Resource> {
        self.roster.read(|inventory| match kind {
            Kind::Role => page(kind, &with_built_in(&inventory.roles), selector, after, limit),
            Kind::Firmware => page(kind, &with_shipped(&inventory.firmware), selector, after, limit),
            Kind::Subnet => page(kind, &inventory.subnets, selector, after, limit),
            Kind::Image => page(kind, &inventory.images, selector, after, limit),
            Kind::Profile => page(kind, &inventory.profiles, selector, after, limit),
            Kind::Group => page(kind, &inventory.groups, selector, after, limit),
            Kind::HardwareClass => page(kind, &inventory.classes, selector, after, limit),
            Kind::ExpectedMachine => page(kind, &inventory.expected, selector, after, limit),
            Kind::AcceptRule => page(kind, &inventory.accept_rules, selector, after, limit),
            Kind::Webhook => page(kind, &inventory.webhooks, selector, after, limit),
            Kind::Machine => Vec::new(),
        })
    }

    /// The objects of a kind whose names come after `after`, by name, as JSON: `limit` of those that are meant.
    pub fn any(
        &self,
        kind: Kind,
        selector: &Selector,
        after: Option<&Name>,
        limit: usize,
    ) -> Vec<(Name, serde_json::Value)> {
        fn named<T: Serialize>(name: &str, object: &T) -> Option<(Name, serde_json::Value)> {
            Some((name.parse().ok()?, serde_json::to_value(object).ok()?))
        }
        if kind == Kind::Machine {
            let machines = self.machines(selector, after, limit);
            return machines.iter().filter_map(|machine| named(&machine.name, machine)).collect();
        }
        let resources = self.resources(kind, selector, after, limit);
        resources.iter().filter_map(|resource| named(&resource.name, resource)).collect()
    }

    /// One object as JSON, if the selector takes it.
    pub fn one_of(&self, kind: Kind, name: &str, selector: &Selector) -> Option<serde_json::Value> {
        if kind == Kind::Machine {
            let taken = self.roster.read(|inventory| {
                inventory
                    .machine_named(name)
                    .is_some_and(|machine| selector.takes(&machine.labels, field(inventory, machine)))
            });
            return self
                .machine(name)
                .filter(|_| taken)
                .and_then(|machine| serde_json::to_value(machine).ok());
        }
        let resource = self.resource(kind, name);
        resource
            .filter(|resource| selector.takes(&resource.labels, |_| None))
            .and_then(|resource| serde_json::to_value(resource).ok())
    }

    /// The revision of an object.
    pub fn revision(&self, kind: Kind, name: &str) -> Option<i64> {
        match kind {
            Kind::Machine => {
                self.roster.read(|inventory| inventory.machine_named(name).map(|machine| machine.version))
            }
            _ => self.resource(kind, name).map(|resource| resource.revision),
        }
    }

    /// One resource.
    pub fn resource(&self, kind: Kind, name: &str) -> Option<Resource> {
        let name: Name = name.parse().ok()?;
        self.roster.read(|inventory| match kind {
            Kind::Role => one(kind, &with_built_in(&inventory.roles), &name),
            Kind::Firmware => one(kind, &with_shipped(&inventory.firmware), &name),
            Kind::Subnet => one(kind, &inventory.subnets, &name),
            Kind::Image => one(kind, &inventory.images, &name),
            Kind::Profile => one(kind, &inventory.profiles, &name),
            Kind::Group => one(kind, &inventory.groups, &name),
            Kind::HardwareClass => one(kind, &inventory.classes, &name),
            Kind::ExpectedMachine => one(kind, &inventory.expected, &name),
            Kind::AcceptRule => one(kind, &inventory.accept_rules, &name),
            Kind::Webhook => one(kind, &inventory.webhooks, &name),
            Kind::Machine => None,
        })
    }

    /// The machines whose names come after `after`, by name: `limit` of those that are meant.
    pub fn machines(&self, selector: &Selector, after: Option<&Name>, limit: usize) -> Vec<api::Machine> {
        self.roster.read(|inventory| {
            let meant = |machine: &&Arc<Machine>| selector.takes(&machine.labels, field(inventory, machine));
            let machines = inventory.machines_after(after).filter(meant).take(limit);
            machines.map(|machine| self.shown(inventory, machine)).collect()
        })
    }

    /// The names of the machines that are meant, in their order.
    pub fn names_of_machines(&self, selector: &Selector) -> Vec<Name> {
        self.roster.read(|inventory| {
            let machines = inventory.machines_after(None);
            let meant = machines.filter(|machine| selector.takes(&machine.labels, field(inventory, machine)));
            meant.map(|machine| machine.name.clone()).collect()
        })
    }

    /// One machine.
    pub fn machine(&self, name: &str) -> Option<api::Machine> {
        self.roster
            .read(|inventory| inventory.machine_named(name).map(|machine| self.shown(inventory, machine)))
    }

    /// How many machines are in each stage.
    pub fn stages(&self) -> Vec<(&'static str, usize)> {
        self.count(table::ALL.iter().map(|row| row.stage), |_| true)
    }

    /// How many machines are longer in their stage than its deadline, in each stage that has one.
    pub fn overdue(&self, now: Timestamp) -> Vec<(&'static str, usize)> {
        let stages = table::ALL.iter().filter(|row| row.deadline.is_some());
        self.count(stages.map(|row| row.stage), |machine| deadline(machine).is_some_and(|end| end <= now))
    }

    fn count(
        &self,
        stages: impl Iterator<Item = &'static str>,
        counts: impl Fn(&Machine) -> bool,
    ) -> Vec<(&'static str, usize)> {
        let mut all: Vec<(&'static str, usize)> = stages.map(|stage| (stage, 0)).collect();
        self.roster.read(|inventory| {
            for machine in inventory.machines().filter(|machine| counts(machine)) {
                if let Some((_, count)) = all.iter_mut().find(|(stage, _)| *stage == machine.stage.name()) {
                    *count += 1;
                }
            }
        });
        all
    }

    /// How many machines run something else than they should.
    pub fn drifted(&self) -> usize {
        self.roster.read(|inventory| inventory.machines().filter(|machine| inventory.drifts(machine)).count())
    }

    /// How many machines do not boot: with which something is tried, and with which nothing is left.
    pub fn on_ladder(&self) -> (usize, usize) {
        self.roster.read(|inventory| {
            let places = || inventory.machines().filter_map(|machine| machine.ladder.as_ref());
            let ended = places().filter(|place| place.ended.is_some()).count();
            (places().count() - ended, ended)
        })
    }

    /// How many addresses of each subnet are held.
    pub fn leases(&self, now: pilotlight_types::Timestamp) -> Vec<(String, usize)> {
        self.leases.held(now).into_iter().map(|(subnet, held)| (subnet.to_string(), held)).collect()
    }

    /// How many IPv6 addresses of each subnet are held.
    pub fn leases6(&self, now: pilotlight_types::Timestamp) -> Vec<(String, usize)> {
        self.leases6.held(now).into_iter().map(|(subnet, held)| (subnet.to_string(), held)).collect()
    }

    fn shown(&self, inventory: &Inventory, machine: &Arc<Machine>) -> api::Machine {
        let assigned = inventory.assigned(machine);
        let wanted = assigned.map(|assigned| assigned.revision).or_else(|| machine.stage.armed().cloned());
        let profile = wanted.map(|wanted| MachineProfile {
            running: machine
                .running
                .as_ref()
                .filter(|run| run.profile == wanted.profile)
                .map(|run| run.revision),
            name: wanted.profile.to_string(),
            desired: wanted.revision,
            drift: inventory.drifts(machine),
        });
        let why = match &machine.stage {
            Stage::Failed { why, .. } => Some(why.clone()),
            _ => None,
        };
        let boot = self.boots.of(machine.id);
        let failed = matches!(machine.stage, Stage::Failed { .. });
        let diagnosis = boot.as_ref().filter(|_| failed).and_then(|boot| boot.diagnosis.clone());
        let place = machine.ladder.as_ref();
        // Of a boot that did not even begin, the ladder knows.
        let diagnosis = place.and_then(|place| place.diagnosis.clone()).or(diagnosis);
        api::Machine {
            id: machine.id,
            kind: Kind::Machine,
            name: machine.name.to_string(),
            labels: machine.labels.clone(),
            spec: machine.spec.clone(),
            stage: machine.stage.name().to_owned(),
            why,
            diagnosis,
            ladder: place.map(|place| api::Ladder { tried: place.tried.clone(), ended: place.ended }),
            since: machine.since,
            power: power::word(machine.power.on).to_owned(),
            power_since: machine.power.since,
            power_wanted: machine.power.wanted.as_ref().map(|wanted| api::PowerWanted {
                action: wanted.action,
                boot: wanted.boot,
                by: wanted.by.clone(),
                since: wanted.since,
                tries: wanted.tries,
                problem: wanted.problem.clone(),
            }),
            power_result: machine.power.result.clone(),
            hold: machine.hold.clone(),
            profile,
            facts: machine.facts.as_ref().map(|reported| reported.facts.clone()),
            facts_at: machine.facts.as_ref().map(|reported| reported.at),
            seen: machine.seen,
            learned_macs: machine.learned.clone(),
            reply: machine.reply,
            conflicts: conflicts(inventory, machine, boot.as_deref()),
            deadline: deadline(machine),
            class: class(inventory, machine),
            accepted: machine.accepted.clone(),
            boot: boot.map(Arc::unwrap_or_clone),
            revision: machine.version,
        }
    }
}

/// When a machine is overdue in its stage.
fn deadline(machine: &Machine) -> Option<Timestamp> {
    machine.stage.row().deadline.map(|deadline| machine.since.plus(deadline))
}

/// What a machine said in its newest boot and in its facts that does not fit it, as things are now.
fn conflicts(inventory: &Inventory, machine: &Machine, boot: Option<&Boot>) -> Vec<String> {
    let said = boot.map(|boot| {
        let Said { uuid, serial } = Said::of(boot);
        inventory.conflicts(machine, Says { mac: boot.mac, uuid, serial: serial.as_deref() })
    });
    let measured =
        machine.facts.as_ref().map(|reported| inventory.conflicts_of_facts(machine, &reported.facts));
    let mut found = Vec::new();
    for conflict in said.into_iter().chain(measured).flatten().map(|conflict| conflict.to_string()) {
        if !found.contains(&conflict) {
            found.push(conflict);
        }
    }
    found
}

/// The firmware table as it counts: what operators applied, and the shipped rows that have no such row. The latter have revision 0.
fn with_shipped(declared: &ByName<FirmwareSpec>) -> ByName<FirmwareSpec> {
    let shipped = firmware_table::shipped().iter().map(|(name, spec)| {
        let row = Declared {
            labels: Labels::default(),
            spec: Arc::new(spec.clone()),
            revision: 0,
            updated: Timestamp::default(),
        };
        (name.clone(), row)
    });
    shipped.chain(declared.iter().map(|(name, row)| (name.clone(), row.clone()))).collect()
}

/// The roles that were declared, and those that are built in. The latter have revision 0.
fn with_built_in(declared: &ByName<RoleSpec>) -> ByName<RoleSpec> {
    let role = |role: api::Role| {
        let spec = Arc::new(rights::described(&role)?);
        let (labels, updated) = (Labels::default(), Timestamp::default());
        Some((role.as_str().parse().ok()?, Declared { labels, spec, revision: 0, updated }))
    };
    let built_in = api::Role::BUILT_IN.into_iter().filter_map(role);
    declared.iter().map(|(name, role)| (name.clone(), role.clone())).chain(built_in).collect()
}

fn page<T: Serialize>(
    kind: Kind,
    all: &ByName<T>,
    selector: &Selector,
    after: Option<&Name>,
    limit: usize,
) -> Vec<Resource> {
    all.keys()
        .filter(|name| after.is_none_or(|after| *name > after))
        .filter_map(|name| one(kind, all, name))
        .filter(|resource| selector.takes(&resource.labels, |_| None))
        .take(limit)
        .collect()
}

fn one<T: Serialize>(kind: Kind, all: &ByName<T>, name: &Name) -> Option<Resource> {
    let declared = all.get(name)?;
    Some(Resource {
        kind,
        name: name.to_string(),
        labels: declared.labels.clone(),
        spec: serde_json::to_value(&*declared.spec).ok()?,
        revision: declared.revision,
        updated: declared.updated,
    })
}
