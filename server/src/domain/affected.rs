//! Which machines' boots a change may touch at all: those are looked at closely, and no others.
use super::{inventory::Inventory, machine::Machine, stage::Stage};
use pilotlight_types::{
    MachineId,
    resource::{BootMode, Kind, Name},
};
use std::{
    collections::{BTreeSet, HashSet},
    net::IpAddr,
    sync::Arc,
};

/// What is different between two inventories, by name.
#[derive(Debug, Clone, Default)]
pub struct Touched {
    firmware: bool,
    discovery: bool,
    subnets: HashSet<Name>,
    images: HashSet<Name>,
    profiles: HashSet<Name>,
    groups: HashSet<Name>,
    machines: HashSet<MachineId>,
}

impl Touched {
    /// What these changes lead to: layers touch the profiles that stand on them, machines those that they share something with.
    pub fn by<'a>(
        before: &Inventory,
        after: &Inventory,
        changes: impl IntoIterator<Item = (Kind, &'a Name)>,
    ) -> Self {
        let mut touched = Self::default();
        for (kind, name) in changes {
            match kind {
                // What somebody may do changes nothing for machines.
                Kind::Role => {}
                Kind::Firmware => touched.firmware = true,
                Kind::Subnet => drop(touched.subnets.insert(name.clone())),
                Kind::Image => drop(touched.images.insert(name.clone())),
                Kind::Profile => drop(touched.profiles.insert(name.clone())),
                Kind::Group => drop(touched.groups.insert(name.clone())),
                // No boot knows of one.
                Kind::Webhook | Kind::HardwareClass | Kind::ExpectedMachine | Kind::AcceptRule => {}
                Kind::Machine => {
                    for inventory in [before, after] {
                        touched.machine(inventory.machine_named(name.as_str()), before, after);
                    }
                }
            }
        }
        for inventory in [before, after] {
            touched.discovery |= inventory.profiles.iter().any(|(name, profile)| {
                profile.spec.boot == BootMode::Discovery && touched.profiles.contains(name)
            });
            touched.stacked(inventory);
        }
        touched
    }

    /// A machine, and all that it has or had a MAC, a UUID or a serial number in common with: declaring it may take it from them.
    fn machine(&mut self, machine: Option<&Arc<Machine>>, before: &Inventory, after: &Inventory) {
        let Some(machine) = machine else { return };
        self.machines.insert(machine.id);
        for inventory in [before, after] {
            self.machines.extend(inventory.kin(&machine.spec).map(|machine| machine.id));
        }
    }

    /// Profiles that stand on one that is touched are touched.
    fn stacked(&mut self, inventory: &Inventory) {
        if self.profiles.is_empty() {
            return;
        }
        let changed = self.profiles.clone();
        for (name, profile) in &inventory.profiles {
            let on = inventory.layers(name, &profile.spec);
            if on.iter().any(|(layer, _)| changed.contains(layer)) {
                self.profiles.insert(name.clone());
            }
        }
        // An older revision of a profile may stand on others than the newest.
        for (revision, spec) in &inventory.profile_revisions {
            if !self.profiles.contains(&revision.profile)
                && inventory.layers(&revision.profile, spec).iter().any(|(layer, _)| changed.contains(layer))
            {
                self.profiles.insert(revision.profile.clone());
            }
        }
    }

    /// The machines that may be touched, of both inventories; `from` says where a machine asks from.
    pub fn machines(
        &self,
        before: &Inventory,
        after: &Inventory,
        from: impl Fn(&Machine) -> Option<IpAddr>,
    ) -> BTreeSet<MachineId> {
        let all = before.machines().chain(after.machines()).map(|machine| machine.id);
        if self.only_machines() {
            return self.machines.iter().copied().collect();
        }
        let may = |id: &MachineId| {
            self.machines.contains(id)
                || self.touches(before, before.machine(*id), &from)
                || self.touches(after, after.machine(*id), &from)
        };
        all.collect::<BTreeSet<_>>().into_iter().filter(may).collect()
    }

    fn only_machines(&self) -> bool {
        !self.firmware
            && self.subnets.is_empty()
            && self.images.is_empty()
            && self.profiles.is_empty()
            && self.groups.is_empty()
    }

    fn touches(
        &self,
        inventory: &Inventory,
        machine: Option<&Arc<Machine>>,
        from: impl Fn(&Machine) -> Option<IpAddr>,
    ) -> bool {
        let Some(machine) = machine else { return false };
        if self.firmware || self.discovery && machine.stage == Stage::Discovered {
            return true;
        }
        if !self.groups.is_empty()
            && inventory.group_named_of(machine).is_some_and(|group| self.groups.contains(group))
        {
            return true;
        }
        if !self.subnets.is_empty() {
            let subnet = from(machine).map(|from| inventory.subnet_of(from));
            // Where nobody knows where it asks from, it may be anywhere.
            if subnet.is_none_or(|subnet| subnet.is_some_and(|(name, _)| self.subnets.contains(name))) {
                return true;
            }
        }
        if self.profiles.is_empty() && self.images.is_empty() {
            return false;
        }
        let discovery = (machine.stage == Stage::Discovered).then(|| inventory.discovery()).flatten();
        let assigned = inventory.assigned(machine).map(|assigned| assigned.revision);
        let gets = machine.stage.armed().cloned().into_iter().chain(assigned);
        gets.chain(discovery.map(|discovery| discovery.revision)).any(|revision| {
            let image = inventory.profile_revisions.get(&revision).and_then(|spec| spec.image.as_ref());
            self.profiles.contains(&revision.profile)
                || image.is_some_and(|image| self.images.contains(image))
        })
    }
}
