//! What waits for somebody to look at it.
use super::discovery::{Discovery, class};
use crate::domain::{
    discovery::{Decision, Everybody, Taking},
    hardware::summary,
    inventory::{Declared, Inventory},
    machine::Machine,
    rights::Rights,
    selector::Selector,
    stage::Stage,
};
use pilotlight_types::{
    api::{self, AcceptPreview, HardwareSummary, InboxRow, InboxState},
    resource::{ExpectedMachineSpec, Kind, Name, RuleKind, Verb},
};
use std::{collections::BTreeMap, sync::Arc};

/// Reads the inbox.
#[derive(Debug, Clone)]
pub struct Inbox {
    discovery: Discovery,
}

/// Which part of it is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Only this state.
    pub state: Option<InboxState>,
    /// What comes after this row.
    pub after: Option<(Kind, Name)>,
    /// So many.
    pub limit: usize,
}

/// One machine among those that are looked at.
struct Looked<'a> {
    everybody: &'a Everybody<'a>,
    inventory: &'a Inventory,
    /// Whether anything is expected at all.
    expecting: bool,
}

impl Inbox {
    /// The inbox of what is discovered.
    pub const fn new(discovery: Discovery) -> Self {
        Self { discovery }
    }

    /// How many machines are in each state.
    pub fn counts(&self) -> BTreeMap<InboxState, usize> {
        self.page(&Rights::everything(), &Asked::default()).counts
    }

    /// A page of what somebody may see.
    pub fn page(&self, rights: &Rights, asked: &Asked) -> api::Inbox {
        let seen = |kind| rights.taken(Verb::Get, RuleKind::Resource(kind));
        let (machines, expected) = (seen(Kind::Machine), seen(Kind::ExpectedMachine));
        let mut page = api::Inbox {
            items: Vec::new(),
            next: None,
            counts: InboxState::ALL.into_iter().map(|state| (state, 0)).collect(),
        };
        self.discovery
            .roster
            .read(|inventory| self.fill(&mut page, inventory, (&machines, &expected), asked));
        page
    }

    fn fill(
        &self,
        page: &mut api::Inbox,
        inventory: &Inventory,
        seen: (&Selector, &Selector),
        asked: &Asked,
    ) {
        let everybody = Everybody::of(inventory);
        let looked = Looked { everybody: &everybody, inventory, expecting: !inventory.expected.is_empty() };
        let mut full = false;
        let mut take = |states: &[InboxState], place: (Kind, &Name), row: &dyn Fn() -> InboxRow| {
            for state in states {
                *page.counts.entry(*state).or_default() += 1;
            }
            let behind = asked.after.as_ref().is_none_or(|(kind, name)| place > (*kind, name));
            let meant = asked.state.map_or(!states.is_empty(), |state| states.contains(&state));
            if !behind || !meant {
                return;
            }
            if page.items.len() < asked.limit {
                page.items.push(row());
            } else {
                full = true;
            }
        };
        // Kinds are in the order of their declaration: what is expected comes before what is there.
        for (name, declared) in everybody.missing() {
            if seen.1.takes(&declared.labels, |_| None) {
                take(&[InboxState::Missing], (Kind::ExpectedMachine, name), &|| missing(name, declared));
            }
        }
        for machine in inventory.machines() {
            if seen.0.takes(&machine.labels, super::scopes::field(inventory, machine)) {
                let states = looked.states(machine);
                take(&states, (Kind::Machine, &machine.name), &|| self.row(&looked, machine, states.clone()));
            }
        }
        page.next = page
            .items
            .last()
            .filter(|_| full)
            .map(|last| format!("{}/{}", last.kind.name().to_lowercase(), last.name));
    }

    fn row(&self, looked: &Looked<'_>, machine: &Arc<Machine>, states: Vec<InboxState>) -> InboxRow {
        let Looked { everybody, inventory, .. } = looked;
        let class = class(inventory, machine);
        let mut why = Vec::new();
        let waits = machine.stage == Stage::Discovered;
        let expected = everybody.expected(machine).map(|(name, _)| name.clone());
        if waits {
            why = match everybody.decide(machine, self.discovery.whence(inventory, machine)) {
                Decision::Waits { why } => why,
                Decision::Expected { name, accept, .. } if !accept => {
                    vec![format!("it is the machine that is expected as {name}, and waits to be accepted")]
                }
                Decision::Expected { name, .. } => {
                    vec![format!("it is expected as {name}: it is accepted when it reports")]
                }
                Decision::Rule { name, .. } => vec![format!("rule {name} would accept it")],
            };
            if states.contains(&InboxState::Unexpected) {
                why.insert(0, "it is none of those that are expected".into());
            }
        } else if states.contains(&InboxState::Duplicate) {
            why.extend(everybody.doubles(machine));
        }
        why.extend(machine.hold.as_ref().map(|hold| format!("{} holds it: {}", hold.by, hold.reason)));
        let differs = class.iter().flat_map(|class| class.differences.iter().flatten());
        why.extend(differs.map(ToString::to_string));
        InboxRow {
            kind: Kind::Machine,
            name: machine.name.clone(),
            states,
            why,
            stage: Some(machine.stage.name().to_owned()),
            since: machine.since,
            seen: machine.seen,
            summary: summary(machine),
            expected,
            hold: machine.hold.clone(),
            class,
            accept: waits.then(|| preview(inventory, machine, everybody.by_hand(machine))),
        }
    }
}

impl Looked<'_> {
    /// The states of a machine; none if it is none of the inbox's.
    fn states(&self, machine: &Machine) -> Vec<InboxState> {
        if machine.stage == Stage::Retired {
            return Vec::new();
        }
        let waits = machine.stage == Stage::Discovered;
        let unexpected = waits && self.expecting && self.everybody.expected(machine).is_none();
        let differs = class(self.inventory, machine)
            .is_some_and(|class| class.differences.is_some_and(|all| !all.is_empty()));
        [
            (waits, InboxState::Discovered),
            (unexpected, InboxState::Unexpected),
            (self.everybody.has_doubles(machine), InboxState::Duplicate),
            (machine.hold.is_some(), InboxState::Held),
            (differs, InboxState::Mismatch),
        ]
        .into_iter()
        .filter_map(|(is, state)| is.then_some(state))
        .collect()
    }
}

fn missing(name: &Name, declared: &Declared<ExpectedMachineSpec>) -> InboxRow {
    let ExpectedMachineSpec { serial, uuid, macs, rack, unit, .. } = &*declared.spec;
    InboxRow {
        kind: Kind::ExpectedMachine,
        name: name.clone(),
        states: vec![InboxState::Missing],
        why: vec!["it is expected, and was not seen".into()],
        stage: None,
        since: declared.updated,
        seen: None,
        summary: HardwareSummary {
            serial: serial.clone(),
            uuid: *uuid,
            macs: macs.clone(),
            rack: rack.clone(),
            unit: *unit,
            ..HardwareSummary::default()
        },
        expected: Some(name.clone()),
        hold: None,
        class: None,
        accept: None,
    }
}

/// What accepting a machine would do.
fn preview(inventory: &Inventory, machine: &Machine, taking: Taking) -> AcceptPreview {
    let Taking { name, labels, spec } = taking;
    let after = Machine { name, labels, spec, ..machine.clone() };
    let assigned = inventory.assigned(&after);
    AcceptPreview {
        group: inventory.group_named_of(&after).cloned(),
        profile: assigned.map(|assigned| assigned.revision.profile),
        name: after.name,
        labels: after.labels,
    }
}
