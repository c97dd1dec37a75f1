//! How boots usually go of machines that are like another one.
use super::{boots::Boots, roster::Roster, scopes::field};
use crate::domain::{inventory::Inventory, machine::Machine, medians::medians, selector::Selector};
use pilotlight_types::api::{BootMedians, ClassBy, Outcome};

/// Looks at the newest boots.
#[derive(Debug, Clone)]
pub struct Medians {
    roster: Roster,
    boots: Boots,
}

impl Medians {
    /// Looks at these.
    pub const fn new(roster: Roster, boots: Boots) -> Self {
        Self { roster, boots }
    }

    /// How boots usually go of the others of its class among those that the selector takes. The class is its profile, if nothing else is
    /// said and it has one. None if there is no such machine.
    pub fn of(&self, name: &str, by: Option<ClassBy>, seen: &Selector) -> Option<BootMedians> {
        let (by, class, others) = self.roster.read(|inventory| {
            let machine = inventory.machine_named(name)?;
            let profile = || class(inventory, machine, ClassBy::Profile).is_some();
            let by = by.unwrap_or_else(|| if profile() { ClassBy::Profile } else { ClassBy::Model });
            let Some(own) = class(inventory, machine, by) else { return Some((by, None, Vec::new())) };
            let like = |other: &&std::sync::Arc<Machine>| {
                other.id != machine.id
                    && class(inventory, other, by).as_ref() == Some(&own)
                    && seen.takes(&other.labels, field(inventory, other))
            };
            let others = inventory.machines().filter(like).map(|other| other.id).collect();
            Some((by, Some(own), others))
        })?;
        let boots = others.into_iter().filter_map(|id| self.boots.of(id));
        let boots: Vec<_> = boots.filter(|boot| boot.outcome == Some(Outcome::Active)).collect();
        let (took_ms, phases) = medians(boots.iter().map(|boot| &**boot));
        Some(BootMedians { by, class, boots: boots.len() as u64, took_ms, phases })
    }
}

/// What a machine is, as far as its boots are concerned.
pub(super) fn class(inventory: &Inventory, machine: &Machine, by: ClassBy) -> Option<String> {
    match by {
        ClassBy::Profile => inventory.assigned(machine).map(|assigned| assigned.revision.profile.to_string()),
        ClassBy::Model => {
            let system = &machine.facts.as_ref()?.facts.system;
            let words: Vec<&str> =
                [&system.vendor, &system.product].into_iter().filter_map(|word| word.as_deref()).collect();
            (!words.is_empty()).then(|| words.join(" "))
        }
    }
}
