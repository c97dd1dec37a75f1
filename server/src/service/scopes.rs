//! Rights against what there is now: whether something may be done to an object, as it is declared.
use super::roster::Roster;
use crate::domain::{
    inventory::Inventory,
    machine::Machine,
    rights::{Forbidden, Rights},
    selector::Selector,
};
use pilotlight_types::{
    api::Event,
    resource::{Kind, Labels, Name, RuleKind, Verb},
};

/// Looks objects up for what somebody may do.
#[derive(Debug, Clone)]
pub struct Scopes {
    roster: Roster,
}

impl Scopes {
    /// Looks them up there.
    pub const fn new(roster: Roster) -> Self {
        Self { roster }
    }

    /// Fails if there is an object of that name and it may not be done to that, or if it may be done to none of its kind.
    pub fn permits(&self, rights: &Rights, verb: Verb, kind: RuleKind, name: &str) -> Result<(), Forbidden> {
        rights.permits_some(verb, kind)?;
        let RuleKind::Resource(kind) = kind else { return Ok(()) };
        if rights.permits_every(verb, RuleKind::Resource(kind)).is_ok() {
            return Ok(());
        }
        self.roster.read(|inventory| permits(inventory, rights, verb, (kind, name)).unwrap_or(Ok(())))
    }

    /// Whether a selector takes an object, such as `machine/n1`, as it is now. What is gone, or has no labels, is taken by a selector
    /// that takes everything.
    pub fn selects(&self, selector: &Selector, object: &str) -> bool {
        selector.is_empty()
            || object.split_once('/').is_some_and(|(kind, name)| {
                let Ok(kind) = kind.parse() else { return false };
                let takes = |inventory: &Inventory| {
                    look(inventory, kind, name, |labels, field| selector.takes(labels, field))
                };
                self.roster.read(takes).unwrap_or_default()
            })
    }

    /// Whether an event is about something that may be seen. What an object's labels were that is gone, nobody knows any more.
    pub fn shows(&self, rights: &Rights, event: &Event) -> bool {
        let (kind, name) = event.object.split_once('/').unwrap_or((&event.object, ""));
        // What is about no object is about the site.
        let kind: RuleKind = kind.parse().unwrap_or(RuleKind::Site);
        if rights.permits_some(Verb::Get, kind).is_err() {
            return false;
        }
        let RuleKind::Resource(resource) = kind else { return true };
        rights.permits_every(Verb::Get, kind).is_ok()
            || self
                .roster
                .read(|inventory| permits(inventory, rights, Verb::Get, (resource, name)))
                .is_some_and(|seen| seen.is_ok())
    }
}

/// Whether something may be done to an object that is declared; none if it is not there.
pub(super) fn permits(
    inventory: &Inventory,
    rights: &Rights,
    verb: Verb,
    (kind, name): (Kind, &str),
) -> Option<Result<(), Forbidden>> {
    look(inventory, kind, name, |labels, field| rights.permits(verb, (kind, name), labels, field))
}

/// Looks at the labels of an object, and at what selectors may ask of it beside them; none if it is not there.
fn look<T>(
    inventory: &Inventory,
    kind: Kind,
    name: &str,
    look: impl FnOnce(&Labels, &dyn Fn(&str) -> Option<String>) -> T,
) -> Option<T> {
    if kind == Kind::Machine {
        let machine = inventory.machine_named(name)?;
        return Some(look(&machine.labels, &field(inventory, machine)));
    }
    let parsed: Name = name.parse().ok()?;
    let none = Labels::default();
    let labels = match kind {
        // Those that are built in have no labels.
        Kind::Role => inventory.roles.get(&parsed).map_or(&none, |role| &role.labels),
        Kind::Firmware => &inventory.firmware.get(&parsed)?.labels,
        Kind::Subnet => &inventory.subnets.get(&parsed)?.labels,
        Kind::Image => &inventory.images.get(&parsed)?.labels,
        Kind::Profile => &inventory.profiles.get(&parsed)?.labels,
        Kind::Group => &inventory.groups.get(&parsed)?.labels,
        Kind::HardwareClass => &inventory.classes.get(&parsed)?.labels,
        Kind::ExpectedMachine => &inventory.expected.get(&parsed)?.labels,
        Kind::AcceptRule => &inventory.accept_rules.get(&parsed)?.labels,
        Kind::Webhook => &inventory.webhooks.get(&parsed)?.labels,
        Kind::Machine => return None,
    };
    Some(look(labels, &|_| None))
}

/// What selectors may ask of a machine beside its labels.
pub(super) fn field<'a>(
    inventory: &'a Inventory,
    machine: &'a Machine,
) -> impl Fn(&str) -> Option<String> + use<'a> {
    move |key| match key {
        "stage" => Some(machine.stage.name().to_owned()),
        "rack" => machine.spec.rack.clone(),
        "drift" => Some(inventory.drifts(machine).to_string()),
        "hold" => Some(machine.hold.is_some().to_string()),
        _ => None,
    }
}
