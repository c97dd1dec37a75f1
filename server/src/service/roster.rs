//! The inventory in memory: what the boot path reads, so that it never waits for the database.
use crate::{
    domain::{
        inventory::{Declared, Inventory},
        machine::Machine,
        stage::Revision,
    },
    store::{Db, ResourceRow, StoreError},
};
use pilotlight_types::{
    MachineId,
    resource::{Kind, ProfileSpec},
};
use serde::de::DeserializeOwned;
use std::sync::{Arc, PoisonError, RwLock};

/// The inventory, shared.
#[derive(Debug, Clone, Default)]
pub struct Roster(Arc<RwLock<Inventory>>);

impl Roster {
    /// Reads everything from the database.
    pub async fn load(db: &Db) -> Result<Self, StoreError> {
        let mut tx = db.read().await?;
        let mut inventory = Inventory::default();
        for row in tx.resources().await? {
            put(&mut inventory, &row)?;
        }
        for row in tx.revisions(Kind::Profile).await? {
            let revision = Revision { profile: row.resource.name.clone(), revision: row.resource.revision };
            inventory.profile_revisions.insert(revision, Arc::new(spec(&row.resource)?));
        }
        for (kind, name, last) in tx.last_revisions().await? {
            inventory.last_revisions.insert((kind, name), last);
        }
        for (kind, name, source) in tx.sources().await? {
            inventory.sources.insert((kind, name), source);
        }
        for machine in tx.machines().await? {
            inventory.put(Arc::new(machine));
        }
        Ok(Self(Arc::new(RwLock::new(inventory))))
    }

    /// Looks something up. The inventory cannot change meanwhile: be short, and do not wait for anything.
    pub fn read<T>(&self, look: impl FnOnce(&Inventory) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes something that is durable already.
    pub fn change<T>(&self, change: impl FnOnce(&mut Inventory) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a machine over, unless a newer one is there.
    pub fn put_machine(&self, machine: Arc<Machine>) {
        self.change(|inventory| {
            if inventory.machine(machine.id).is_none_or(|there| there.version <= machine.version) {
                inventory.put(machine);
            }
        });
    }

    /// The machine with this id.
    pub fn machine(&self, id: MachineId) -> Option<Arc<Machine>> {
        self.read(|inventory| inventory.machine(id).cloned())
    }
}

/// Puts a stored resource into the inventory.
pub(super) fn put(inventory: &mut Inventory, row: &ResourceRow) -> Result<(), StoreError> {
    let name = row.name.clone();
    inventory.last_revisions.insert((row.kind, name.clone()), row.revision);
    match row.kind {
        Kind::Role => drop(inventory.roles.insert(name, declared(row)?)),
        Kind::Firmware => drop(inventory.firmware.insert(name, declared(row)?)),
        Kind::Subnet => drop(inventory.subnets.insert(name, declared(row)?)),
        Kind::Image => drop(inventory.images.insert(name, declared(row)?)),
        Kind::Group => inventory.groups.insert(name, declared(row)?),
        Kind::HardwareClass => drop(inventory.classes.insert(name, declared(row)?)),
        Kind::ExpectedMachine => inventory.expected.insert(name, declared(row)?),
        Kind::AcceptRule => drop(inventory.accept_rules.insert(name, declared(row)?)),
        Kind::Webhook => drop(inventory.webhooks.insert(name, declared(row)?)),
        Kind::Profile => {
            let profile: Declared<ProfileSpec> = declared(row)?;
            let revision = Revision { profile: name.clone(), revision: row.revision };
            inventory.profile_revisions.insert(revision, profile.spec.clone());
            inventory.profiles.insert(name, profile);
        }
        Kind::Machine => {}
    }
    Ok(())
}

fn declared<T: DeserializeOwned>(row: &ResourceRow) -> Result<Declared<T>, StoreError> {
    Ok(Declared {
        labels: row.labels.clone(),
        spec: Arc::new(spec(row)?),
        revision: row.revision,
        updated: row.updated,
    })
}

fn spec<T: DeserializeOwned>(row: &ResourceRow) -> Result<T, StoreError> {
    T::deserialize(&row.spec)
        .map_err(|e| StoreError::Unreadable { what: "spec", why: format!("{} {}: {e}", row.kind, row.name) })
}
