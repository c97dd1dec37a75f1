//! The newest boot of each machine, found by machine, by boot, and by address.
use crate::{domain::attempt, store::BootRow};
use pilotlight_types::{
    BootId, MachineId, Timestamp,
    api::{Boot, DecisionRecord, PhaseRecord},
    resource::Name,
};
use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

/// How often it is written down at the most that a machine asks for the same again.
const PAUSE: Duration = Duration::from_secs(1);

/// The newest boot of each machine, open or ended. Older ones are in the database only.
#[derive(Debug, Default)]
pub(super) struct Newest {
    pub(super) of: HashMap<MachineId, Arc<Boot>>,
    by_id: HashMap<BootId, MachineId>,
    pub(super) by_address: HashMap<IpAddr, MachineId>,
    written: HashMap<MachineId, Written>,
}

/// What the database has of a boot.
#[derive(Debug)]
struct Written {
    decision: DecisionRecord,
    at: Timestamp,
}

impl Newest {
    pub(super) fn find(&self, id: BootId) -> Option<&Boot> {
        self.of.get(self.by_id.get(&id)?).map(|boot| &**boot)
    }

    pub(super) fn get(&self, id: BootId) -> Option<(MachineId, Arc<Boot>)> {
        let machine = *self.by_id.get(&id)?;
        self.of.get(&machine).map(|boot| (machine, boot.clone()))
    }

    pub(super) fn put(&mut self, machine: MachineId, boot: Arc<Boot>) {
        self.take(machine);
        self.by_id.insert(boot.id, machine);
        self.by_address.extend(boot.address.map(|address| (address, machine)));
        self.of.insert(machine, boot);
    }

    /// That a boot with this decision is durable.
    pub(super) fn written(&mut self, machine: MachineId, decision: DecisionRecord, at: Timestamp) {
        self.written.insert(machine, Written { decision, at });
    }

    /// Whether a boot is durable with this very decision.
    pub(super) fn is_written(&self, machine: MachineId, decision: &DecisionRecord) -> bool {
        self.written.get(&machine).is_some_and(|written| written.decision.is(decision))
    }

    /// Counts one more request in a phase that is known. Gives the row, if it is time to write it down.
    pub(super) fn more(&mut self, machine: MachineId, seen: PhaseRecord) -> Option<BootRow> {
        let now = seen.last;
        let boot = self.of.get_mut(&machine)?;
        attempt::record(Arc::make_mut(boot), seen);
        let written = self.written.get_mut(&machine).filter(|written| now.since(written.at) >= PAUSE)?;
        written.at = now;
        Some(BootRow { machine, boot: boot.clone() })
    }

    /// Gives a machine the boot of another, which it turned out to be, unless it has a newer one itself.
    pub(super) fn hand_over(&mut self, seen: MachineId, into: MachineId, name: &Name) {
        let Some(mut boot) = self.of.get(&seen).cloned() else { return };
        self.forget(seen);
        if self.of.get(&into).is_none_or(|own| own.started < boot.started) {
            Arc::make_mut(&mut boot).machine = name.to_string();
            self.put(into, boot);
        }
    }

    pub(super) fn forget(&mut self, machine: MachineId) {
        self.take(machine);
        self.written.remove(&machine);
    }

    fn take(&mut self, machine: MachineId) {
        if let Some(before) = self.of.remove(&machine) {
            self.by_id.remove(&before.id);
            if let Some(address) = before.address
                && self.by_address.get(&address) == Some(&machine)
            {
                self.by_address.remove(&address);
            }
        }
    }
}
