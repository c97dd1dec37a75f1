//! What BMCs are asked by people who wait for the answer: how they do, what is in their log, the identify light.
use super::{Power, PowerError};
use crate::{
    bmc::BmcError,
    domain::{machine::Machine, power::word},
    service::{
        journal::Actor,
        machines::{self, MachineError},
    },
};
use futures_util::FutureExt;
use pilotlight_types::{
    api::{BmcStatus, LogEntry},
    resource::BmcSpec,
};
use serde_json::json;
use std::sync::Arc;

impl Power {
    /// A machine's BMC as it answers now.
    pub async fn status(&self, name: &str) -> Result<BmcStatus, PowerError> {
        let (machine, spec) = self.with_bmc(name)?;
        let answer =
            self.bmcs.ask(&machine, |bmc| async move { Ok((bmc.is_on().await?, bmc.about())) }.boxed()).await;
        let sensors = match &answer {
            Ok(_) => {
                self.bmcs.ask(&machine, |bmc| bmc.sensors().boxed()).await.map_err(|error| error.to_string())
            }
            Err(_) => Ok(Vec::new()),
        };
        let (breaker, errors) = self.bmcs.health(&spec);
        Ok(BmcStatus {
            protocol: spec.protocol.name().to_owned(),
            address: spec.address.to_string(),
            answers: answer.is_ok(),
            problem: answer.as_ref().err().map(ToString::to_string),
            power: word(answer.as_ref().ok().map(|(on, _)| *on)).to_owned(),
            about: answer.ok().map(|(_, about)| about),
            sensors_problem: sensors.as_ref().err().cloned(),
            sensors: sensors.unwrap_or_default(),
            breaker,
            errors,
        })
    }

    /// What is in a BMC's event log now, newest first.
    pub async fn log(&self, name: &str, most: usize) -> Result<Vec<LogEntry>, PowerError> {
        let (machine, spec) = self.with_bmc(name)?;
        let log = self.bmcs.ask(&machine, move |bmc| bmc.log(most).boxed()).await;
        let mut entries = log.map_err(|error| failed(&machine, &spec, error))?;
        entries.reverse();
        Ok(entries)
    }

    /// Switches a machine's identify light.
    pub async fn identify(&self, name: &str, lit: bool, actor: &Actor) -> Result<(), PowerError> {
        let (machine, spec) = self.with_bmc(name)?;
        let done = self.bmcs.ask(&machine, move |bmc| bmc.identify(lit).boxed()).await;
        done.map_err(|error| failed(&machine, &spec, error))?;
        let object = machines::object(&machine.name);
        let message = format!("identify light of {} is {}", machine.name, if lit { "lit" } else { "out" });
        let writes = vec![
            self.journal.event("machine.identify", &object, actor, None, message),
            self.journal.audit(actor, "identified", object, None, Some(json!({"lit": lit}))),
        ];
        self.journal.commit(writes).await.map_err(MachineError::from)?;
        Ok(())
    }

    fn with_bmc(&self, name: &str) -> Result<(Arc<Machine>, BmcSpec), MachineError> {
        let missing = || MachineError::NotFound(name.chars().take(80).collect());
        let machine = self.bmcs.named(name).ok_or_else(missing)?;
        match machine.spec.bmc.clone() {
            Some(spec) => Ok((machine, spec)),
            None => Err(MachineError::NoBmc(machine.name.clone())),
        }
    }
}

fn failed(machine: &Machine, spec: &BmcSpec, error: BmcError) -> PowerError {
    PowerError::Bmc { name: machine.name.to_string(), address: spec.address.to_string(), error }
}
