//! Scopes against what there is now: whether an object, as it is declared, is in somebody's scope.
use super::roster::Roster;
use crate::domain::{
    inventory::Inventory,
    machine::Machine,
    scope::{OutOfScope, Scope},
};
use pilotlight_types::{
    api::Event,
    resource::{Kind, Name},
};

/// Looks objects up for scopes.
#[derive(Debug, Clone)]
pub struct Scopes {
    roster: Roster,
}

impl Scopes {
    /// Looks them up there.
    pub const fn new(roster: Roster) -> Self {
        Self { roster }
    }

    /// Fails if there is an object of that name and it is not in the scope.
    pub fn permits(&self, scope: &Scope, kind: Kind, name: &str) -> Result<(), OutOfScope> {
        scope.permits_kind(kind)?;
        if !scope.has_selector() {
            return Ok(());
        }
        self.roster.read(|inventory| permits(inventory, scope, kind, name).unwrap_or(Ok(())))
    }

    /// Whether an event is about something in the scope. What an object's labels were that is gone, nobody knows any more.
    pub fn shows(&self, scope: &Scope, event: &Event) -> bool {
        if scope.is_everything() {
            return true;
        }
        let object = event.object.split_once('/');
        let Some((kind, name)) = object.and_then(|(kind, name)| Some((kind.parse().ok()?, name))) else {
            return false;
        };
        if scope.permits_kind(kind).is_err() {
            return false;
        }
        !scope.has_selector()
            || self
                .roster
                .read(|inventory| permits(inventory, scope, kind, name))
                .is_some_and(|in_it| in_it.is_ok())
    }
}

/// Whether what is declared is in the scope; none if it is not there.
pub(super) fn permits(
    inventory: &Inventory,
    scope: &Scope,
    kind: Kind,
    name: &str,
) -> Option<Result<(), OutOfScope>> {
    if kind == Kind::Machine {
        let machine = inventory.machine_named(name)?;
        return Some(scope.permits(kind, name, &machine.labels, field(inventory, machine)));
    }
    let parsed: Name = name.parse().ok()?;
    let labels = match kind {
        Kind::Firmware => &inventory.firmware.get(&parsed)?.labels,
        Kind::Subnet => &inventory.subnets.get(&parsed)?.labels,
        Kind::Image => &inventory.images.get(&parsed)?.labels,
        Kind::Profile => &inventory.profiles.get(&parsed)?.labels,
        Kind::Group => &inventory.groups.get(&parsed)?.labels,
        Kind::Webhook => &inventory.webhooks.get(&parsed)?.labels,
        Kind::Machine => return None,
    };
    Some(scope.permits(kind, name, labels, |_| None))
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
        _ => None,
    }
}
