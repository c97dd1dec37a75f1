//! What operators ask of machines, one by one or many at once; and what would come of it.
use super::{AT_ONCE, MachineError, Machines, power::possible};
use crate::{
    domain::{
        machine::Machine,
        stage::{Event, Stage},
    },
    service::journal::Actor,
};
use futures_util::{StreamExt, stream};
use pilotlight_types::{
    api::{MachineAction, PowerRequest},
    resource::Name,
};
use std::sync::Arc;

impl Machines {
    /// Asks the same of several machines; says of each what came of it, in their order. `reason` is for `hold`, `power`
    /// for `power`.
    pub async fn act(
        &self,
        names: &[Name],
        action: MachineAction,
        (reason, power): (&str, Option<PowerRequest>),
        actor: &Actor,
    ) -> Result<Vec<Result<Stage, MachineError>>, MachineError> {
        // Beside each other: what waits for the disk at the same time is written at once.
        let done: Vec<_> = stream::iter(names.to_vec())
            .map(|named| async move {
                let name = named.as_str();
                match action {
                    // What that leads to is done for all at once, below.
                    MachineAction::Accept => {
                        let machine = self.named(name)?;
                        self.apply(machine.id, &Event::Accept, actor, |_| {}).await
                    }
                    MachineAction::Provision => self.provision(name, actor).await,
                    MachineAction::Hold => self.hold(name, Some(reason), actor).await,
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

    /// The stage that a machine would be in, if that were asked of it now.
    pub fn rehearse(
        &self,
        name: &Name,
        action: MachineAction,
        power: Option<PowerRequest>,
    ) -> Result<Stage, MachineError> {
        let machine = self.named(name.as_str())?;
        let assigned = self.roster.read(|inventory| inventory.assigned(&machine));
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

/// What is asked of the power, which the API has seen to.
fn asked(name: &Name, power: Option<PowerRequest>) -> Result<PowerRequest, MachineError> {
    power.ok_or_else(|| MachineError::NoPower(name.clone(), "`power` does not say what is asked".to_owned()))
}
