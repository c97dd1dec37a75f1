//! What machines get at their next boots, as the inventory is and as it would be: made by the rules that the boot path uses, and
//! compared. Nothing is written down, and nobody is told.
mod draft;
mod group;
mod render;

use super::{
    boots::{Boots, Said},
    configs::Configs,
    delivery::Delivery,
    scopes::permits,
};
use crate::domain::{
    affected::Touched,
    firmware::{Firmware, Identity, classify},
    identity::Says,
    inventory::Inventory,
    machine::Machine,
    next_boot::{Config, NextBoot, Own},
    profile::Kept,
    rights::Rights,
    stage::{Event, Revision},
};
use group::Groups;
use pilotlight_types::{
    Mac, MachineId,
    api::BootChange,
    resource::{Kind, Name, RuleKind, SubnetMode, Verb},
};
use render::Making;
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroUsize,
    sync::Arc,
};
use uuid::Uuid;

/// The most threads that look at boots at once.
const MOST_THREADS: usize = 8;

/// The fewest machines that are worth a thread of their own.
const FEWEST: usize = 32;

/// Stands for the MAC of a machine that none is known of: no interface has it.
const NO_MAC: Mac = Mac::new([0; 6]);

/// Foresees boots.
#[derive(Debug, Clone)]
pub struct NextBoots {
    boots: Boots,
    delivery: Delivery,
    configs: Configs,
}

/// What comes of a change.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// The machines whose next boot differs, those with the same difference together. Those out of scope are not among them.
    pub boots: Vec<BootChange>,
    /// The machines that get something else once they are provisioned again.
    pub provision: Vec<BootChange>,
    /// Every machine whose next boot differs, by name.
    pub machines: BTreeSet<String>,
    /// Those of them that were accepted before: which the guard is for.
    pub guarded: BTreeSet<String>,
    /// Those of them that are out of scope.
    pub hidden: BTreeSet<String>,
    /// One line for each machine, that is the same only if what comes to it is the same.
    pub facts: Vec<String>,
    /// Machines whose configs could be made and cannot any more, in words.
    pub broken: Vec<String>,
}

/// The inventory as it is, as it would be, and as it would be with what is out of date armed anew.
#[derive(Clone, Copy)]
struct Views<'a> {
    before: &'a Inventory,
    after: &'a Inventory,
    provisioned: Option<&'a Inventory>,
    /// Whose machines are shown.
    rights: &'a Rights,
}

impl Views<'_> {
    /// Whether a machine may be seen, both as it is and as it would be.
    fn shows(&self, machine: &Machine) -> bool {
        let shows =
            |inventory| permits(inventory, self.rights, Verb::Get, (Kind::Machine, machine.name.as_str()));
        let mut both = [self.before, self.after].into_iter().filter_map(shows);
        self.rights.permits_every(Verb::Get, RuleKind::Resource(Kind::Machine)).is_ok()
            || both.all(|shown| shown.is_ok())
    }
}

/// What was found out.
#[derive(Default)]
struct Found {
    boots: Groups,
    later: Groups,
    machines: BTreeSet<String>,
    guarded: BTreeSet<String>,
    hidden: BTreeSet<String>,
    broken: Vec<String>,
}

impl Found {
    fn absorb(&mut self, mut other: Self) {
        self.boots.absorb(other.boots);
        self.later.absorb(other.later);
        self.machines.append(&mut other.machines);
        self.guarded.append(&mut other.guarded);
        self.hidden.append(&mut other.hidden);
        self.broken.append(&mut other.broken);
    }

    fn effects(mut self) -> Effects {
        let boots = self.boots.facts("its next boot differs");
        let mut facts: Vec<String> =
            boots.chain(self.later.facts("it differs once it is provisioned")).collect();
        facts.sort();
        self.broken.sort();
        let Self { boots, later, machines, guarded, hidden, broken } = self;
        Effects { boots: boots.shown(), provision: later.shown(), machines, guarded, hidden, facts, broken }
    }
}

/// Who asks, from where: the same before and after.
#[derive(Clone)]
struct Asker {
    mac: Mac,
    uuid: Option<Uuid>,
    serial: Option<String>,
    /// An address of the network that it asks from, where one is known.
    from: Option<IpAddr>,
    /// The address that it had in its newest boot.
    last: Option<IpAddr>,
    firmware: Firmware,
}

impl NextBoots {
    /// Foresees what these would do.
    pub const fn new(boots: Boots, delivery: Delivery, configs: Configs) -> Self {
        Self { boots, delivery, configs }
    }

    /// The machines whose next boot differs between two inventories, of which these resources differ. What differs is shown of those
    /// that somebody with these rights may see.
    pub fn compare<'a>(
        &self,
        before: &Inventory,
        after: &Inventory,
        changes: impl IntoIterator<Item = (Kind, &'a Name)>,
        rights: &Rights,
    ) -> Effects {
        let mut after = after.clone();
        // As the daemon does right after the change.
        let armed = arm(&mut after);
        let touched = Touched::by(before, &after, changes);
        let place =
            |machine: &Machine| self.boots.of(machine.id).and_then(|boot| boot.address).or(reserved(machine));
        let mut candidates = touched.machines(before, &after, place);
        candidates.extend(armed);
        let provisioned = provisioned(before, &after, &candidates);
        let views = Views { before, after: &after, provisioned: provisioned.as_ref(), rights };
        let candidates: Vec<MachineId> = candidates.into_iter().collect();
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS);
        let share = candidates.len().div_ceil(threads).max(FEWEST);
        let mut found = Found::default();
        std::thread::scope(|scope| {
            let shares: Vec<_> =
                candidates.chunks(share).map(|ids| scope.spawn(move || self.look(views, ids))).collect();
            for share in shares {
                match share.join() {
                    Ok(share) => found.absorb(share),
                    // Without it machines would be missing, and nobody would know.
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        found.effects()
    }

    /// Compares the boots of these machines.
    fn look(&self, views: Views<'_>, ids: &[MachineId]) -> Found {
        let Views { before, after, provisioned, .. } = views;
        let (mut kept, mut found) = (Kept::default(), Found::default());
        for id in ids {
            let (was, is) = (before.machine(*id), after.machine(*id));
            let Some(machine) = is.or(was) else { continue };
            let asker = self.asker(before, after, was, is);
            let (asker, (one, other, making)) = self.both(before, after, asker, &mut kept);
            let (own, shown) = (own(machine, &asker), views.shows(machine));
            if one != other {
                found.machines.insert(own.name.clone());
                if was.is_some_and(|was| was.is_vouched_for()) {
                    found.guarded.insert(own.name.clone());
                }
                if !shown {
                    found.hidden.insert(own.name.clone());
                }
                found.broken.extend(breaks(&own.name, &one, &other).filter(|_| shown));
                found.boots.add(&own, (&one, &other), shown);
            }
            let armed_anew = provisioned.filter(|inventory| {
                inventory.machine(*id).map(|machine| &machine.stage) != is.map(|machine| &machine.stage)
            });
            if let Some(inventory) = armed_anew {
                let (then, now) = finished(self.render(inventory, &asker), (other, making), &mut kept);
                if then != now {
                    found.broken.extend(breaks(&own.name, &now, &then).filter(|_| shown));
                    found.later.add(&own, (&now, &then), shown);
                }
            }
        }
        found
    }

    /// What a machine gets before and after. One that may be anywhere is followed to the first network where that differs.
    fn both(
        &self,
        before: &Inventory,
        after: &Inventory,
        asker: Asker,
        kept: &mut Kept,
    ) -> (Asker, (NextBoot, NextBoot, Making)) {
        let mut places: Vec<Asker> =
            if asker.from.is_some() { Vec::new() } else { networks(before, after, &asker) };
        let last = places.pop().unwrap_or(asker);
        for asker in places {
            let both = self.at(before, after, &asker, kept);
            if both.0 != both.1 {
                return (asker, both);
            }
        }
        let both = self.at(before, after, &last, kept);
        (last, both)
    }

    /// What a machine gets before and after where it asks from; and what the config is made of that it gets after.
    fn at(
        &self,
        before: &Inventory,
        after: &Inventory,
        asker: &Asker,
        kept: &mut Kept,
    ) -> (NextBoot, NextBoot, Making) {
        let ((mut one, was), (mut other, is)) = (self.render(before, asker), self.render(after, asker));
        // Most changes leave the configs of most machines alone, and making them is what takes long.
        if !was.is_same(&is) {
            (one.config, other.config) = (was.config(kept), is.config(kept));
        }
        (one, other, is)
    }

    /// Who a machine is, and where it asks from: as in its newest boot, else as it is declared.
    fn asker(
        &self,
        before: &Inventory,
        after: &Inventory,
        was: Option<&Arc<Machine>>,
        is: Option<&Arc<Machine>>,
    ) -> Asker {
        let boot = is.or(was).and_then(|machine| self.boots.of(machine.id));
        let said = boot.as_deref().map(|boot| {
            let Said { uuid, serial } = Said::of(boot);
            (boot.mac, uuid, serial)
        });
        // It says what it said last, unless that would be another machine's by now.
        let is_it = |said: &(Mac, Option<Uuid>, Option<String>)| {
            let says = Says { mac: said.0, uuid: said.1, serial: said.2.as_deref() };
            [(before, was), (after, is)].iter().any(|(inventory, machine)| {
                let found = inventory.who(says).map(|found| found.machine.id);
                machine.is_some_and(|machine| found == Some(machine.id))
            })
        };
        let declared = || {
            let spec =
                |machine: &Machine| (machine.macs().next(), machine.spec.uuid, machine.spec.serial.clone());
            let (mac, uuid, serial) = is.or(was).map(|machine| spec(machine)).unwrap_or_default();
            (mac.unwrap_or(NO_MAC), uuid, serial)
        };
        let (mac, uuid, serial) = said.filter(is_it).unwrap_or_else(declared);
        let last = boot.as_ref().and_then(|boot| boot.address);
        let of = |machine: Option<&Arc<Machine>>| machine.and_then(|machine| reserved(machine));
        let from = last.or_else(|| of(is)).or_else(|| of(was));
        Asker { mac, uuid, serial, from, last, firmware: self.firmware(mac) }
    }

    /// What asks first: the firmware that was heard lately, else a PC's with UEFI.
    fn firmware(&self, mac: Mac) -> Firmware {
        self.boots.firmware().of(mac).unwrap_or_else(|| {
            classify(&Identity {
                vendor_class: Some("PXEClient:Arch:00007:UNDI:003000"),
                archs: &[7],
                ..Identity::default()
            })
        })
    }
}

/// Who asks from each of the networks that it may be on: those that we answer on, before or after. Where there are any that are there
/// both before and after, it is on one of those: nobody moved it when a subnet was added or taken out.
fn networks(before: &Inventory, after: &Inventory, asker: &Asker) -> Vec<Asker> {
    let subnets = || after.subnets.iter().chain(before.subnets.iter());
    let answered = || subnets().filter(|(_, subnet)| subnet.spec.mode != SubnetMode::Ignore);
    let stays = |name: &Name| before.subnets.contains_key(name) && after.subnets.contains_key(name);
    let any_stays = answered().any(|(name, _)| stays(name));
    let networks: BTreeSet<IpAddr> = answered()
        .filter(|(name, _)| !any_stays || stays(name))
        .map(|(_, subnet)| IpAddr::V4(subnet.spec.cidr.network()))
        .collect();
    networks.into_iter().map(|from| Asker { from: Some(from), ..asker.clone() }).collect()
}

/// Two boots with their configs, unless those are the same.
fn finished(
    (mut then, makes): (NextBoot, Making),
    (mut now, made): (NextBoot, Making),
    kept: &mut Kept,
) -> (NextBoot, NextBoot) {
    (then.config, now.config) = if makes.is_same(&made) {
        (Config::None, Config::None)
    } else {
        (makes.config(kept), made.config(kept))
    };
    (then, now)
}

/// Arms what is ready to be armed; returns which.
fn arm(inventory: &mut Inventory) -> Vec<MachineId> {
    let ready: Vec<(Arc<Machine>, Revision)> =
        inventory.to_arm().map(|(machine, revision)| (machine.clone(), revision)).collect();
    for (machine, revision) in &ready {
        provision(inventory, machine, revision);
    }
    ready.into_iter().map(|(machine, _)| machine.id).collect()
}

/// The inventory as it would be if every machine were provisioned again whose profile is another or has a new revision; none, if there
/// is none.
fn provisioned(before: &Inventory, after: &Inventory, candidates: &BTreeSet<MachineId>) -> Option<Inventory> {
    let mut provisioned = None;
    for machine in candidates.iter().filter_map(|id| after.machine(*id)) {
        let Some(assigned) = after.assigned(machine) else { continue };
        let was = before.machine(machine.id).and_then(|machine| before.assigned(machine));
        let news = was.is_none_or(|was| was.revision != assigned.revision);
        if news && machine.stage.armed().is_some_and(|armed| *armed != assigned.revision) {
            provision(provisioned.get_or_insert_with(|| after.clone()), machine, &assigned.revision);
        }
    }
    provisioned
}

fn provision(inventory: &mut Inventory, machine: &Arc<Machine>, revision: &Revision) {
    if let Ok(stage) = machine.stage.on(&Event::Provision(revision.clone())) {
        inventory.put(Arc::new(Machine { stage, ..Machine::clone(machine) }));
    }
}

fn reserved(machine: &Machine) -> Option<IpAddr> {
    machine.spec.ip.map(IpAddr::V4)
}

fn own(machine: &Machine, asker: &Asker) -> Own {
    let addresses = [asker.last, reserved(machine), machine.spec.ip6.map(IpAddr::V6)];
    Own {
        name: machine.name.to_string(),
        macs: machine.macs().chain([asker.mac]).collect(),
        addresses: addresses.into_iter().flatten().filter(|ip| *ip != Ipv4Addr::UNSPECIFIED).collect(),
    }
}

/// That a machine would be left without a config that it can have now.
fn breaks(name: &str, before: &NextBoot, after: &NextBoot) -> Option<String> {
    let why = |boot: &NextBoot| boot.config.broken().map(str::to_owned);
    why(after).filter(|_| why(before).is_none()).map(|why| format!("{name} would wait when it boots: {why}"))
}
