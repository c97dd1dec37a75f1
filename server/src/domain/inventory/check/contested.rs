//! Machines that have what only one can have.
use crate::domain::inventory::{Inventory, reservations};
use crate::domain::{
    identity::{serial_key, uuid_key},
    machine::Machine,
};
use pilotlight_types::{Mac, resource::MachineSpec};
use std::{collections::HashMap, net::IpAddr, sync::Arc};
use uuid::Uuid;

/// Something that belongs to one machine only.
#[derive(PartialEq, Eq, Hash)]
enum Claim {
    Mac(Mac),
    Uuid(Uuid),
    Serial(String),
    Ip(IpAddr),
}

fn claims(spec: &MachineSpec) -> impl Iterator<Item = Claim> {
    let macs = spec.macs.iter().map(|mac| Claim::Mac(*mac));
    let uuid = spec.uuid.and_then(uuid_key).map(Claim::Uuid);
    let serial = spec.serial.as_deref().and_then(serial_key).map(Claim::Serial);
    macs.chain(uuid).chain(serial).chain(reservations(spec).map(Claim::Ip))
}

/// The machines that have something that another one has too, by name. They are found in one pass over all: the inventory's
/// own indices know one owner of each thing only, and to look through all machines for each of them would take a minute for
/// a large site.
pub(super) fn contested(inventory: &Inventory) -> Vec<&Arc<Machine>> {
    let mut owners: HashMap<Claim, &Arc<Machine>> = HashMap::new();
    let mut clashing = HashMap::new();
    for machine in inventory.machines() {
        for claim in claims(&machine.spec) {
            let owner = *owners.entry(claim).or_insert(machine);
            if owner.id != machine.id {
                clashing.extend([owner, machine].map(|one| (one.id, one)));
            }
        }
    }
    let mut clashing: Vec<&Arc<Machine>> = clashing.into_values().collect();
    clashing.sort_by(|one, other| one.name.cmp(&other.name));
    clashing
}
