//! What operators ask of machines, one by one or many at once; and what would come of it.
use super::{AT_ONCE, Lock, MachineError, Machines, power::possible};
use crate::{
    domain::{
        discovery::{Everybody, Taking},
        machine::Machine,
        stage::{Event, Stage},
    },
    service::journal::Actor,
};
use futures_util::{StreamExt, stream};
use pilotlight_types::{
    MachineId,
    api::{MachineAction, PowerRequest},
    resource::Name,
};
use std::{collections::HashMap, sync::Arc};

impl Machines {
    /// Takes in a machine that nobody declared: as it is expected, if it is.
    pub async fn accept(&self, name: &str, actor: &Actor) -> Result<Arc<Machine>, MachineError> {
        let machine = self.named(name)?;
        let taking = self.roster.read(|inventory| taking(&Everybody::of(inventory), &machine));
        self.take_in(machine.id, &taking, None, actor).await
    }

    /// Asks the same of several machines; says of each what came of it, in their order. `lock` is for `hold`, `power`
    /// for `power`.
    pub async fn act(
        &self,
        names: &[Name],
        action: MachineAction,
        (lock, power): (Lock<'_>, Option<PowerRequest>),
        actor: &Actor,
    ) -> Result<Vec<Result<Stage, MachineError>>, MachineError> {
        // Beside each other: what waits for the disk at the same time is written at once.
        let takings = match action {
            MachineAction::Accept => self.takings(names),
            _ => HashMap::new(),
        };
        let takings = &takings;
        let done: Vec<_> = stream::iter(names.to_vec())
            .map(|named| async move {
                let name = named.as_str();
                match action {
                    // What that leads to is done for all at once, below.
                    MachineAction::Accept => {
                        let machine = self.named(name)?;
                        let as_it_is = || Taking::as_it_is(&machine);
                        let taking = takings.get(&machine.id).cloned().unwrap_or_else(as_it_is);
                        self.take(machine.id, &taking, None, actor).await
                    }
                    MachineAction::Provision => self.provision(name, actor).await,
                    MachineAction::Hold => self.hold(name, Some(lock), actor).await,
                    MachineAction::Release => self.hold(name, None, actor).await,
                    MachineAction::Retire => self.retire(name, actor).await,
                    MachineAction::Power => self.switch(name, asked(&named, power)?, actor).await,
                }
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        if action == MachineAction::Accept {
            self.arm_ready(actor).await?;
        }
        // By now one that was taken in may be armed.
        let now = |machine: Arc<Machine>| self.roster.machine(machine.id).unwrap_or(machine).stage.clone();
        Ok(done.into_iter().map(|result| result.map(now)).collect())
    }

    /// How each of these would be taken in.
    fn takings(&self, names: &[Name]) -> HashMap<MachineId, Taking> {
        self.roster.read(|inventory| {
            let everybody = Everybody::of(inventory);
            let machines = names.iter().filter_map(|name| inventory.machine_named(name.as_str()));
            machines.map(|machine| (machine.id, taking(&everybody, machine))).collect()
        })
    }

    /// The stage that a machine would be in, if that were asked of it now.
    pub fn rehearse(
        &self,
        name: &Name,
        action: MachineAction,
        power: Option<PowerRequest>,
    ) -> Result<Stage, MachineError> {
        let machine = self.named(name.as_str())?;
        let assigned = self.roster.read(|inventory| {
            if action != MachineAction::Accept {
                return inventory.assigned(&machine);
            }
            let Taking { name, labels, spec } = taking(&Everybody::of(inventory), &machine);
            inventory.assigned(&Machine { name, labels, spec, ..Machine::clone(&machine) })
        });
        let provision = |stage: &Stage| match assigned {
            Some(assigned) => Ok(stage.on(&Event::Provision(assigned.revision))?),
            None => Err(MachineError::NoProfile(name.clone())),
        };
        match action {
            MachineAction::Accept => {
                let accepted = machine.stage.on(&Event::Accept)?;
                // It is armed at once if it has a profile and never ran one.
                if machine.running.is_none() {
                    Ok(provision(&accepted).unwrap_or(accepted))
                } else {
                    Ok(accepted)
                }
            }
            MachineAction::Provision => provision(&machine.stage),
            MachineAction::Hold | MachineAction::Release => Ok(machine.stage.clone()),
            MachineAction::Retire => Ok(machine.stage.on(&Event::Retire)?),
            MachineAction::Power => {
                possible(&machine, asked(name, power)?)?;
                Ok(machine.stage.clone())
            }
        }
    }
}

/// How a machine is taken in by hand: as it is expected if it was only seen so far; what comes back from retirement, as it was.
fn taking(everybody: &Everybody<'_>, machine: &Machine) -> Taking {
    match machine.stage {
        Stage::Discovered => everybody.by_hand(machine),
        _ => Taking::as_it_is(machine),
    }
}

/// What is asked of the power, which the API has seen to.
fn asked(name: &Name, power: Option<PowerRequest>) -> Result<PowerRequest, MachineError> {
    power.ok_or_else(|| MachineError::NoPower(name.clone(), "`power` does not say what is asked".to_owned()))
}
