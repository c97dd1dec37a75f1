//! Machines that are recognised by something else than a declared MAC: what they boot from is remembered, and what was recorded of
//! them while nobody knew who they are becomes theirs.
use super::{MachineError, Machines, TRIES, object};
use crate::{
    domain::{
        identity::{By, Found, Says},
        inventory::Inventory,
        machine::Machine,
    },
    service::journal::Actor,
    store::{StoreError, Write},
};
use pilotlight_types::{Mac, MachineId};
use std::sync::Arc;

/// A machine that was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// The machine.
    pub machine: MachineId,
    /// What it was recorded as, and is no more.
    pub seen: Option<MachineId>,
}

/// What there is to write down.
struct News {
    machine: Arc<Machine>,
    by: By,
    /// Recorded as another machine.
    seen: Option<Arc<Machine>>,
    /// The machine that booted from this MAC before.
    former: Option<Arc<Machine>>,
}

impl Machines {
    /// Remembers that a machine, known by its UUID or serial number, boots from this MAC. None if that was known, or if nothing of it
    /// is declared.
    pub async fn recognise(&self, says: Says<'_>) -> Result<Option<Recognised>, MachineError> {
        let news = || self.roster.read(|inventory| news(inventory, says));
        if news().is_none() {
            return Ok(None);
        }
        let _one_at_a_time = self.discovering.lock().await;
        let mut failure = StoreError::Conflict { what: format!("the machine with MAC {}", says.mac) };
        for _ in 0..TRIES {
            let Some(news) = news() else { return Ok(None) };
            match self.write(&news, says).await {
                Ok(()) => {
                    let seen = news.seen.map(|seen| seen.id);
                    return Ok(Some(Recognised { machine: news.machine.id, seen }));
                }
                Err(conflict @ StoreError::Conflict { .. }) => failure = conflict,
                Err(error) => return Err(error.into()),
            }
            tokio::task::yield_now().await;
        }
        Err(failure.into())
    }

    async fn write(
        &self,
        News { machine, by, seen, former }: &News,
        says: Says<'_>,
    ) -> Result<(), StoreError> {
        let mac = says.mac;
        let mut knows = Machine::clone(machine);
        knows.version += 1;
        knows.learn(mac);
        // An operator's lock on what was only seen is one on this machine.
        knows.hold = knows.hold.or_else(|| seen.as_ref().and_then(|seen| seen.hold.clone()));
        let forgets = former.as_ref().map(|former| without(former, mac));
        let mut writes = vec![Write::Machine(Box::new(knows.clone()))];
        writes.extend(forgets.iter().map(|machine| Write::Machine(Box::new(machine.clone()))));
        if let Some(seen) = seen {
            writes.push(Write::SameMachine { seen: seen.id, into: machine.id });
            let message = format!("{} is the machine that was seen as {}", machine.name, seen.name);
            writes.extend([seen, machine].map(|about| {
                let object = object(&about.name);
                self.journal.event("machine.adopted", &object, &Actor::daemon(), None, message.clone())
            }));
        }
        let by = match (by, says) {
            (By::Uuid, Says { uuid: Some(uuid), .. }) => format!("its UUID {uuid}"),
            (_, Says { serial: Some(serial), .. }) => format!("its serial number {serial}"),
            _ => "what it says".to_owned(),
        };
        let before = former
            .as_ref()
            .map(|former| format!("; {} booted from it before", former.name))
            .unwrap_or_default();
        let message = format!("{} boots from {mac}, known by {by}{before}", machine.name);
        let learned =
            self.journal.event("machine.learned", &object(&machine.name), &Actor::machine(), None, message);
        writes.push(learned);
        self.journal.commit(writes).await?;
        if let Some(seen) = seen {
            self.roster.change(|inventory| inventory.remove(seen.id));
        }
        for machine in forgets.into_iter().chain([knows]) {
            self.roster.put_machine(Arc::new(machine));
        }
        Ok(())
    }
}

/// A machine that another boots from the MAC of: it is not its own any more.
pub(super) fn without(machine: &Machine, mac: Mac) -> Machine {
    let mut without = machine.clone();
    without.learned.retain(|known| *known != mac);
    without.version += 1;
    without
}

fn news(inventory: &Inventory, says: Says<'_>) -> Option<News> {
    let Found { machine, by, seen, .. } = inventory.who(says)?;
    let other = matches!(by, By::Uuid | By::Serial) && machine.is_vouched_for();
    let known = machine.macs().any(|mac| mac == says.mac);
    if !other || known && seen.is_none() {
        return None;
    }
    let former = inventory.by_learned_mac(says.mac).filter(|former| former.id != machine.id);
    Some(News { machine: machine.clone(), by, seen: seen.cloned(), former: former.cloned() })
}
