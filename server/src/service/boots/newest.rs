//! The newest boot of each machine, found by machine, by boot, and by address.
use pilotlight_types::{BootId, MachineId, api::Boot, resource::Name};
use std::{collections::HashMap, net::IpAddr, sync::Arc};

/// The newest boot of each machine, open or ended. Older ones are in the database only.
#[derive(Debug, Default)]
pub(super) struct Newest {
    pub(super) of: HashMap<MachineId, Arc<Boot>>,
    by_id: HashMap<BootId, MachineId>,
    pub(super) by_address: HashMap<IpAddr, MachineId>,
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
        self.forget(machine);
        self.by_id.insert(boot.id, machine);
        self.by_address.extend(boot.address.map(|address| (address, machine)));
        self.of.insert(machine, boot);
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
