//! Machines that are taken in: under the name, with the labels and the description that they have from then on. And holds that end.
use super::{MachineError, Machines};
use crate::{
    domain::{discovery::Taking, machine::Machine, stage::Event},
    service::journal::Actor,
};
use pilotlight_types::{
    MachineId, Timestamp,
    api::{Accepted, Hold},
};
use std::sync::Arc;

/// A lock on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock<'a> {
    /// Why.
    pub reason: &'a str,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

impl<'a> From<&'a str> for Lock<'a> {
    fn from(reason: &'a str) -> Self {
        Self { reason, until: None }
    }
}

/// Whether a hold's time is over.
pub(super) fn is_over(hold: Option<&Hold>, now: Timestamp) -> bool {
    hold.and_then(|hold| hold.until).is_some_and(|until| until <= now)
}

impl Machines {
    /// Takes a machine in, and arms it if a group gives it a profile. Nothing on it is changed.
    pub async fn take_in(
        &self,
        id: MachineId,
        taking: &Taking,
        accepted: Option<&Accepted>,
        actor: &Actor,
    ) -> Result<Arc<Machine>, MachineError> {
        self.take(id, taking, accepted, actor).await?;
        self.arm_ready(actor).await?;
        self.roster.machine(id).ok_or_else(|| MachineError::NotFound(taking.name.to_string()))
    }

    /// The same, and nothing is armed yet.
    pub(super) async fn take(
        &self,
        id: MachineId,
        taking: &Taking,
        accepted: Option<&Accepted>,
        actor: &Actor,
    ) -> Result<Arc<Machine>, MachineError> {
        let other =
            self.roster.read(|inventory| inventory.machine_named(taking.name.as_str()).map(|other| other.id));
        if other.is_some_and(|other| other != id) {
            return Err(MachineError::NameTaken(taking.name.clone()));
        }
        let now = self.journal.now();
        self.change(id, actor, |machine| {
            machine.stage = machine.stage.on(&Event::Accept)?;
            machine.since = now;
            machine.name.clone_from(&taking.name);
            machine.labels.clone_from(&taking.labels);
            machine.spec.clone_from(&taking.spec);
            machine.accepted = accepted.cloned();
            Ok(())
        })
        .await
    }

    /// Locks a machine, or unlocks it, if it is still as the caller saw it.
    pub async fn settle(&self, seen: &Machine, hold: Option<&Hold>) -> Result<(), MachineError> {
        let actor = Actor::daemon();
        let settled = self.change(seen.id, &actor, |machine| {
            if machine.hold == seen.hold {
                machine.hold = hold.cloned();
            }
            Ok(())
        });
        match settled.await {
            Ok(_) | Err(MachineError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends every hold whose time is over.
    pub async fn end_holds(&self) -> Result<(), MachineError> {
        let now = self.journal.now();
        let over: Vec<Arc<Machine>> = self.roster.read(|inventory| {
            inventory.machines().filter(|machine| is_over(machine.hold.as_ref(), now)).cloned().collect()
        });
        for machine in over {
            self.settle(&machine, None).await?;
        }
        Ok(())
    }
}
