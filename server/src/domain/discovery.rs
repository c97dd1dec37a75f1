//! What becomes of a machine that nobody declared: whether it is expected, whether a rule accepts it, and why not.
use super::{
    hardware::largest_disk,
    inventory::{
        Declared, Inventory,
        marks::{self, Mark},
    },
    machine::Machine,
};
use pilotlight_types::{
    Mac,
    facts::Facts,
    resource::{
        AcceptRuleSpec, Bounds, ByteSize, ExpectedMachineSpec, Labels, MachineSpec, Name, SubnetSpec,
    },
};
use std::{collections::BTreeMap, fmt::Display};

mod name;
#[cfg(test)]
mod tests;

pub use name::{About, name_of};

/// How many of the machines that have something of one's are named.
const MOST_DOUBLES: usize = 5;

/// Of how many rules it is said why they do not take a machine.
const MOST_RULES: usize = 8;

/// Where a machine is.
#[derive(Debug, Clone, Copy)]
pub struct Whence<'a> {
    /// The site of the daemon.
    pub site: &'a str,
    /// The subnet that it booted from.
    pub subnet: Option<(&'a Name, &'a Declared<SubnetSpec>)>,
}

/// What is known of everybody, to hold one machine against.
#[derive(Debug, Clone, Copy)]
pub struct Everybody<'a> {
    inventory: &'a Inventory,
}

/// What is to become of a machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It is one that is expected.
    Expected {
        /// Which.
        name: Name,
        /// How it is taken in.
        taking: Taking,
        /// Whether that is done without anybody asking.
        accept: bool,
    },
    /// A rule accepts it.
    Rule {
        /// Which.
        name: Name,
        /// How it is taken in.
        taking: Taking,
    },
    /// It waits for somebody.
    Waits {
        /// Why: in words, each a sentence.
        why: Vec<String>,
    },
}

/// What a machine becomes when it is accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Taking {
    /// Its name.
    pub name: Name,
    /// Its labels.
    pub labels: Labels,
    /// What is declared of it.
    pub spec: MachineSpec,
}

impl Taking {
    /// As it is.
    pub fn as_it_is(machine: &Machine) -> Self {
        Self { name: machine.name.clone(), labels: machine.labels.clone(), spec: machine.spec.clone() }
    }
}

impl<'a> Everybody<'a> {
    /// Everybody in the inventory.
    pub const fn of(inventory: &'a Inventory) -> Self {
        Self { inventory }
    }

    /// What a machine is expected as: by serial number, UUID or MAC.
    pub fn expected(&self, machine: &Machine) -> Option<(&'a Name, &'a Declared<ExpectedMachineSpec>)> {
        let expected = &self.inventory.expected;
        if expected.is_empty() {
            return None;
        }
        let name = marks::of_machine(machine).iter().find_map(|mark| expected.with(mark).next())?;
        expected.get_key_value(name)
    }

    /// The machines that have something of this one's by which machines are told apart, with what that is, each once.
    fn twins(&self, machine: &Machine) -> BTreeMap<&'a Name, Mark> {
        let mut twins = BTreeMap::new();
        for mark in marks::of_machine(machine) {
            for other in self.inventory.with(&mark).filter(|other| other.id != machine.id) {
                twins.entry(&other.name).or_insert_with(|| mark.clone());
            }
        }
        twins
    }

    /// Whether there are such machines.
    pub fn has_doubles(&self, machine: &Machine) -> bool {
        let all = marks::of_machine(machine);
        all.iter().any(|mark| self.inventory.with(mark).any(|other| other.id != machine.id))
    }

    /// Such machines in words, the first few of them.
    pub fn doubles(&self, machine: &Machine) -> Vec<String> {
        let twins = self.twins(machine);
        let named = twins.iter().take(MOST_DOUBLES);
        let mut words: Vec<String> =
            named.map(|(other, mark)| format!("machine {other} has {mark} as well")).collect();
        if let more @ 1.. = twins.len().saturating_sub(MOST_DOUBLES) {
            words.push(format!("{more} more have something of its as well"));
        }
        words
    }

    /// What is expected and was not seen, with what is declared of it.
    pub fn missing(&self) -> impl Iterator<Item = (&'a Name, &'a Declared<ExpectedMachineSpec>)> {
        let inventory = self.inventory;
        inventory.expected.iter().filter(move |(_, declared)| {
            let marks = marks::of_expected(&declared.spec);
            !marks.iter().any(|mark| inventory.with(mark).next().is_some())
        })
    }

    /// What is to become of a machine that nobody accepted.
    pub fn decide(&self, machine: &Machine, whence: Whence<'_>) -> Decision {
        let mut why = self.doubles(machine);
        if let Some(expected) = machine.macs().find_map(|mac| self.inventory.expected.with_bmc(mac).next()) {
            why.push(format!("its MAC is that of the BMC of {expected}, which is expected"));
        }
        if !why.is_empty() {
            return Decision::Waits { why };
        }
        if let Some((name, declared)) = self.expected(machine) {
            let taking = self.as_expected(machine, name, declared);
            let taken = self.inventory.machine_named(taking.name.as_str());
            if let Some(other) = taken.filter(|other| other.id != machine.id) {
                let why = format!(
                    "it is expected as {name}, and there is another machine of that name, {}",
                    other.stage.name()
                );
                return Decision::Waits { why: vec![why] };
            }
            return Decision::Expected { name: name.clone(), taking, accept: declared.spec.accept };
        }
        let Some(facts) = machine.facts.as_ref().map(|reported| &reported.facts) else {
            return Decision::Waits { why: vec!["its agent has not reported yet".into()] };
        };
        let mut rules: Vec<_> = self.inventory.accept_rules.iter().collect();
        rules.sort_by_key(|(name, rule)| (std::cmp::Reverse(rule.spec.priority), *name));
        let mut more = 0_usize;
        for (name, rule) in rules {
            match self.by_rule(name, &rule.spec, machine, facts, whence) {
                Ok(taking) => return Decision::Rule { name: name.clone(), taking },
                Err(_) if why.len() == MOST_RULES => more += 1,
                Err(not) => why.push(format!("rule {name} does not take it: {not}")),
            }
        }
        if more > 0 {
            why.push(format!("nor do {more} more rules"));
        }
        if why.is_empty() {
            why.push("there is no rule that could accept it".into());
        }
        Decision::Waits { why }
    }

    /// How a machine would be taken in if an operator accepted it now.
    pub fn by_hand(&self, machine: &Machine) -> Taking {
        match self.expected(machine) {
            Some((name, declared)) => {
                let taking = self.as_expected(machine, name, declared);
                let taken = self
                    .inventory
                    .machine_named(taking.name.as_str())
                    .is_some_and(|other| other.id != machine.id);
                if taken { Taking { name: machine.name.clone(), ..taking } } else { taking }
            }
            None => Taking::as_it_is(machine),
        }
    }

    fn as_expected(
        &self,
        machine: &Machine,
        name: &Name,
        declared: &Declared<ExpectedMachineSpec>,
    ) -> Taking {
        let ExpectedMachineSpec { serial, uuid, macs, rack, unit, class, .. } = &*declared.spec;
        let own = &machine.spec;
        // Those that others have by now stay with them.
        let free = |mac: &Mac| self.inventory.by_mac(*mac).is_none_or(|other| other.id == machine.id);
        let mut all = own.macs.clone();
        all.extend(macs.iter().filter(|mac| !own.macs.contains(mac) && free(mac)));
        let spec = MachineSpec {
            macs: all,
            serial: serial.clone().or_else(|| own.serial.clone()),
            uuid: uuid.or(own.uuid),
            rack: rack.clone().or_else(|| own.rack.clone()),
            unit: unit.or(own.unit),
            class: class.clone().or_else(|| own.class.clone()),
            ..own.clone()
        };
        Taking { name: name.clone(), labels: machine.labels.with(&declared.labels), spec }
    }

    /// How a rule takes a machine in, or why it does not.
    fn by_rule(
        &self,
        rule: &Name,
        spec: &AcceptRuleSpec,
        machine: &Machine,
        facts: &Facts,
        whence: Whence<'_>,
    ) -> Result<Taking, String> {
        if spec.paused {
            return Err("it is paused".into());
        }
        fits(spec, machine, facts, whence)?;
        let so_far = self.inventory.accepted_by(rule);
        if let Some(limit) = spec.limit.filter(|limit| so_far >= *limit) {
            return Err(format!("it has accepted {so_far} machines, and may {limit}"));
        }
        let name = match &spec.name {
            None => machine.name.clone(),
            Some(template) => {
                let about = About::new(machine, facts, whence, so_far.saturating_add(1));
                let made = name_of(template, &about)?;
                self.free(&made, machine)
                    .ok_or_else(|| format!("all names from {made} to {made}-99 are taken"))?
            }
        };
        let class = spec.class.clone().or_else(|| machine.spec.class.clone());
        let spec_of = MachineSpec { class, ..machine.spec.clone() };
        Ok(Taking { name, labels: machine.labels.with(&spec.labels), spec: spec_of })
    }

    /// The name, or the first of `name-2`, `name-3`, … that no other machine has and none is expected under.
    fn free(&self, name: &Name, machine: &Machine) -> Option<Name> {
        let numbered = (2..100).map(|number| {
            let end = format!("-{number}");
            let start: String = name.as_str().chars().take(63 - end.len()).collect();
            format!("{}{end}", start.trim_end_matches('-'))
        });
        let mut names =
            std::iter::once(name.to_string()).chain(numbered).filter_map(|text| text.parse::<Name>().ok());
        names.find(|name| {
            let there = self.inventory.machine_named(name.as_str());
            there.is_none_or(|other| other.id == machine.id) && !self.inventory.expected.contains_key(name)
        })
    }
}

/// Whether facts are as a rule wants them, or the first that is not.
fn fits(spec: &AcceptRuleSpec, machine: &Machine, facts: &Facts, whence: Whence<'_>) -> Result<(), String> {
    let wanted = &spec.matches;
    let system = &facts.system;
    let serial = system.serial.as_ref().or(machine.spec.serial.as_ref());
    let texts = [
        ("maker", &wanted.vendor, system.vendor.as_deref()),
        ("model", &wanted.model, system.product.as_deref()),
        ("serial number", &wanted.serial, serial.map(String::as_str)),
    ];
    for (what, pattern, there) in texts {
        if let Some(pattern) =
            pattern.as_ref().filter(|pattern| !there.is_some_and(|text| pattern.takes(text)))
        {
            return Err(format!("its {what} is {}, not `{pattern}`", said(there)));
        }
    }
    if let Some(arch) = wanted.arch.as_ref().filter(|arch| facts.cpus.architecture.as_ref() != Some(arch)) {
        return Err(format!(
            "its architecture is {}, not `{arch}`",
            said(facts.cpus.architecture.as_deref())
        ));
    }
    if !wanted.ouis.is_empty() {
        let mut macs = machine.macs().chain(facts.nics.iter().map(|nic| nic.mac));
        if !macs.any(|mac| wanted.ouis.iter().any(|oui| oui.made(mac))) {
            return Err(format!("none of its MACs begins with {}", listed(&wanted.ouis)));
        }
    }
    if !wanted.subnets.is_empty() {
        let there = whence.subnet.map(|(name, _)| name);
        if !there.is_some_and(|name| wanted.subnets.contains(name)) {
            let there = there.map_or("no subnet that is known".to_owned(), |name| format!("subnet {name}"));
            return Err(format!("it is on {there}, not on {}", listed(&wanted.subnets)));
        }
    }
    let memory = facts.memory.installed_bytes.or(facts.memory.usable_bytes).map(ByteSize::bytes);
    let disks = u32::try_from(facts.disks.iter().filter(|disk| !disk.removable).count()).ok();
    within("it has", "processors", wanted.sockets.as_ref(), Some(facts.cpus.sockets))?;
    within("it has", "cores", wanted.cores.as_ref(), Some(facts.cpus.cores))?;
    within("it has", "of memory", wanted.memory.as_ref(), memory)?;
    within("it has", "disks", wanted.disks.as_ref(), disks)?;
    within("its largest disk has", "", wanted.disk_size.as_ref(), largest_disk(facts))
}

fn said(text: Option<&str>) -> String {
    text.map_or("unknown".to_owned(), |text| format!("`{}`", text.trim()))
}

fn listed<T: Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn within<T: PartialOrd + Display>(
    has: &str,
    what: &str,
    wanted: Option<&Bounds<T>>,
    there: Option<T>,
) -> Result<(), String> {
    let Some(wanted) = wanted else { return Ok(()) };
    match there {
        Some(there) if wanted.take(&there) => Ok(()),
        Some(there) => Err(format!("{}, not {wanted}", format!("{has} {there} {what}").trim_end())),
        None => Err(format!("nobody knows whether {has} {wanted} {what}").trim_end().to_owned()),
    }
}
