//! What machines are told apart by, and whose it is: of machines that say the same, all. Kept as machines change, for with thousands of
//! them that nobody accepted yet, nobody looks at each for each.
use super::{ByName, Declared};
use crate::domain::{
    identity::{serial_key, uuid_key},
    machine::Machine,
    stage::Stage,
};
use pilotlight_types::{
    Mac, MachineId,
    facts::Nic,
    resource::{ExpectedMachineSpec, Kind, Name},
};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    ops::Deref,
};
use uuid::Uuid;

/// Something that a machine is told from others by, as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// Its serial number.
    Serial(Box<str>),
    /// Its UUID.
    Uuid(Uuid),
    /// The MAC of one of its interfaces.
    Mac(Mac),
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "serial number {serial}"),
            Self::Uuid(uuid) => write!(f, "UUID {uuid}"),
            Self::Mac(mac) => write!(f, "MAC {mac}"),
        }
    }
}

fn marks<'a>(
    serials: impl IntoIterator<Item = &'a str>,
    uuids: impl IntoIterator<Item = Uuid>,
    macs: impl IntoIterator<Item = Mac>,
) -> BTreeSet<Mark> {
    let serials = serials.into_iter().filter_map(serial_key).map(|key| Mark::Serial(key.into()));
    let uuids = uuids.into_iter().filter_map(uuid_key).map(Mark::Uuid);
    let macs = macs.into_iter().filter(|mac| mac.is_host()).map(Mark::Mac);
    serials.chain(uuids).chain(macs).collect()
}

/// What a machine is told from others by: as it is declared, and as its agent measured it.
pub fn of_machine(machine: &Machine) -> BTreeSet<Mark> {
    let facts = machine.facts.as_ref().map(|reported| &reported.facts);
    let system = facts.map(|facts| &facts.system);
    let serials = [machine.spec.serial.as_deref(), system.and_then(|system| system.serial.as_deref())];
    let uuids = [machine.spec.uuid, system.and_then(|system| system.uuid)];
    let nics = facts.into_iter().flat_map(|facts| &facts.nics).filter(|nic| !leads_to_bmc(nic));
    let macs = machine.macs().chain(nics.map(|nic| nic.mac));
    marks(serials.into_iter().flatten(), uuids.into_iter().flatten(), macs)
}

/// Whether an interface is the one that some BMCs show to their own host over USB: makers give the same MAC to all of these.
fn leads_to_bmc(nic: &Nic) -> bool {
    matches!(nic.driver.as_deref(), Some("cdc_ether" | "cdc_eem" | "cdc_ncm" | "rndis_host"))
}

/// What a machine that is expected will be known by.
pub fn of_expected(spec: &ExpectedMachineSpec) -> BTreeSet<Mark> {
    marks(spec.serial.as_deref(), spec.uuid, spec.macs.iter().copied())
}

/// Whose each mark is.
#[derive(Debug, Clone)]
struct Marks<T> {
    whose: HashMap<Mark, Few<T>>,
}

/// One, as nearly always, or several, in their order.
#[derive(Debug, Clone)]
enum Few<T> {
    One(T),
    More(BTreeSet<T>),
}

impl<T> Default for Marks<T> {
    fn default() -> Self {
        Self { whose: HashMap::new() }
    }
}

impl<T: Ord + Clone> Marks<T> {
    fn add(&mut self, mark: Mark, whose: T) {
        match self.whose.get_mut(&mark) {
            None => drop(self.whose.insert(mark, Few::One(whose))),
            Some(Few::More(all)) => drop(all.insert(whose)),
            Some(few) => {
                if let Few::One(first) = &*few {
                    *few = Few::More([first.clone(), whose].into());
                }
            }
        }
    }

    fn remove(&mut self, mark: &Mark, whose: &T) {
        let is_last = match self.whose.get_mut(mark) {
            None => false,
            Some(Few::One(one)) => one == whose,
            Some(Few::More(all)) => {
                all.remove(whose);
                all.is_empty()
            }
        };
        if is_last {
            self.whose.remove(mark);
        }
    }

    fn of<'a>(&'a self, mark: &Mark) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let (one, more) = match self.whose.get(mark) {
            None => (None, None),
            Some(Few::One(one)) => (Some(one), None),
            Some(Few::More(all)) => (None, Some(all)),
        };
        one.into_iter().chain(more.into_iter().flatten())
    }
}

/// The marks of all machines, and how many each accept rule took in.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    marks: Marks<MachineId>,
    accepted: HashMap<Name, u32>,
}

impl Known {
    pub(super) fn add(&mut self, machine: &Machine) {
        for mark in in_service(machine) {
            self.marks.add(mark, machine.id);
        }
        if let Some(rule) = rule_of(machine) {
            let count = self.accepted.entry(rule.clone()).or_default();
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn remove(&mut self, machine: &Machine) {
        for mark in in_service(machine) {
            self.marks.remove(&mark, &machine.id);
        }
        if let Some(rule) = rule_of(machine)
            && let Some(count) = self.accepted.get_mut(rule)
        {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn with(&self, mark: &Mark) -> impl Iterator<Item = MachineId> {
        self.marks.of(mark).copied()
    }

    pub(super) fn accepted_by(&self, rule: &Name) -> u32 {
        self.accepted.get(rule).copied().unwrap_or_default()
    }
}

/// What is out of service may have given its parts to another.
fn in_service(machine: &Machine) -> BTreeSet<Mark> {
    if machine.stage == Stage::Retired { BTreeSet::new() } else { of_machine(machine) }
}

fn rule_of(machine: &Machine) -> Option<&Name> {
    machine
        .accepted
        .as_ref()
        .filter(|accepted| accepted.kind == Kind::AcceptRule)
        .map(|accepted| &accepted.name)
}

/// The machines that are to come, by name, and found by what they will be known by.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    by_name: ByName<ExpectedMachineSpec>,
    marks: Marks<Name>,
    bmcs: Marks<Name>,
}

impl Expected {
    /// Puts one in, in place of the one that had its name.
    pub fn insert(&mut self, name: Name, expected: Declared<ExpectedMachineSpec>) {
        self.remove(&name);
        for mark in of_expected(&expected.spec) {
            self.marks.add(mark, name.clone());
        }
        if let Some(mac) = expected.spec.bmc_mac {
            self.bmcs.add(Mark::Mac(mac), name.clone());
        }
        self.by_name.insert(name, expected);
    }

    /// Takes one out.
    pub fn remove(&mut self, name: &Name) {
        let Some(expected) = self.by_name.remove(name) else { return };
        for mark in of_expected(&expected.spec) {
            self.marks.remove(&mark, name);
        }
        if let Some(mac) = expected.spec.bmc_mac {
            self.bmcs.remove(&Mark::Mac(mac), name);
        }
    }

    /// Those that are to have this.
    pub fn with(&self, mark: &Mark) -> impl Iterator<Item = &Name> {
        self.marks.of(mark)
    }

    /// Those whose BMC is to have this MAC.
    pub fn with_bmc(&self, mac: Mac) -> impl Iterator<Item = &Name> {
        self.bmcs.of(&Mark::Mac(mac))
    }
}

impl Deref for Expected {
    type Target = ByName<ExpectedMachineSpec>;

    fn deref(&self) -> &Self::Target {
        &self.by_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whose_a_mark_is_does_not_depend_on_what_came_and_went(
            steps in proptest::collection::vec((any::<bool>(), 0_u8..3, 0_u8..4), 0..40),
        ) {
            let mark = |last: u8| Mark::Mac(Mac::new([2, 0, 0, 0, 0, last]));
            let (mut marks, mut model) = (Marks::default(), BTreeSet::new());
            for (add, last, whose) in steps {
                if add {
                    marks.add(mark(last), whose);
                    model.insert((last, whose));
                } else {
                    marks.remove(&mark(last), &whose);
                    model.remove(&(last, whose));
                }
            }
            for last in 0..3 {
                let there: Vec<u8> = marks.of(&mark(last)).copied().collect();
                let meant: Vec<u8> = model.iter().filter(|(of, _)| *of == last).map(|(_, whose)| *whose).collect();
                prop_assert_eq!(there, meant);
            }
            prop_assert!(!model.is_empty() || marks.whose.is_empty(), "nothing is left behind");
        }
    }
}
