//! How long boots may be silent: learned now and then of the newest boot of each machine, by what the machine is and what it runs.
use super::{boots::Boots, journal::Journal, medians::class, roster::Roster};
use crate::domain::{
    deadlines::{Bounds, Deadline, Learned, Stretch, deadline},
    inventory::Inventory,
    machine::Machine,
};
use pilotlight_types::{
    MachineId, Timestamp,
    api::{ClassBy, Outcome},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Knows how long boots may be silent.
#[derive(Debug, Clone)]
pub struct Deadlines {
    roster: Roster,
    boots: Boots,
    journal: Journal,
    bounds: Bounds,
    post: Duration,
    classes: Arc<Mutex<Classes>>,
}

/// How often it is learned anew.
const EVERY: Duration = Duration::from_secs(60);

/// A class: what the machines are, what they run, or both.
type Class = (Option<String>, Option<String>);

#[derive(Debug, Default)]
struct Classes {
    at: Option<Timestamp>,
    by: HashMap<Class, Learned>,
}

impl Deadlines {
    /// Learns of these boots. A machine that was switched on may be silent for `post`, where nothing was learned of that.
    pub fn new(roster: Roster, boots: Boots, journal: Journal, bounds: Bounds, post: Duration) -> Self {
        Self { roster, boots, journal, bounds, post, classes: Arc::default() }
    }

    /// How long a machine may be silent there.
    pub fn of(&self, id: MachineId, stretch: Stretch) -> Deadline {
        let now = self.journal.now();
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        if classes.at.is_none_or(|at| now.since(at) >= EVERY) {
            *classes = Classes { at: Some(now), by: self.learn() };
        }
        let own = self.roster.read(|inventory| Some(own(inventory, inventory.machine(id)?)));
        let (model, profile) = own.unwrap_or_default();
        // The narrowest class first.
        let narrow = [(model.clone(), profile.clone()), (model, None), (None, profile)];
        let known = narrow.iter().filter(|class| **class != (None, None));
        let bounds = match stretch {
            Stretch::Post => Bounds { floor: self.bounds.floor.min(self.post), ceiling: self.post },
            Stretch::After(_) => self.bounds,
        };
        deadline(known.filter_map(|class| classes.by.get(class)), stretch, bounds)
    }

    fn learn(&self) -> HashMap<Class, Learned> {
        let boots = self.boots.all();
        let mut by: HashMap<Class, Learned> = HashMap::new();
        self.roster.read(|inventory| {
            for (id, boot) in boots.iter().filter(|(_, boot)| boot.outcome == Some(Outcome::Active)) {
                let Some(machine) = inventory.machine(*id) else { continue };
                let (model, profile) = own(inventory, machine);
                let classes =
                    [(model.clone(), profile.clone()), (model.clone(), None), (None, profile.clone())];
                // Of one that has no model, the narrowest class is its profile's, which counts once.
                let twice = model.is_none() || profile.is_none();
                for class in
                    classes.into_iter().skip(usize::from(twice)).filter(|class| *class != (None, None))
                {
                    by.entry(class).or_default().learn(boot);
                }
            }
        });
        by.values_mut().for_each(Learned::sort);
        by
    }
}

fn own(inventory: &Inventory, machine: &Machine) -> Class {
    (class(inventory, machine, ClassBy::Model), class(inventory, machine, ClassBy::Profile))
}
