//! What is asked of machines' power, and what becomes of it: it is written down here, and brought about by a reconciler.
use super::{MachineError, Machines};
use crate::{
    domain::{
        machine::Machine,
        power::{Power, Wanted, word},
    },
    service::journal::Actor,
    store::Write,
};
use pilotlight_types::{
    MachineId,
    api::{BootDevice, PowerRequest},
    resource::BmcProtocol,
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

impl Machines {
    /// Asks for something of a machine's power. What was asked before and is not done yet is not wanted any more.
    pub async fn switch(
        &self,
        name: &str,
        request: PowerRequest,
        actor: &Actor,
    ) -> Result<Arc<Machine>, MachineError> {
        let machine = self.named(name)?;
        possible(&machine, request)?;
        let wanted = Wanted::new(request, &actor.name, self.journal.now());
        let asked =
            self.change_power(machine.id, actor, &[], |power| power.wanted = Some(wanted.clone())).await?;
        self.wake_power.wake();
        Ok(asked)
    }

    /// Changes what is known of a machine's power, and writes this with it.
    pub(in crate::service) async fn change_power(
        &self,
        id: MachineId,
        actor: &Actor,
        also: &[Write],
        change: impl Fn(&mut Power),
    ) -> Result<Arc<Machine>, MachineError> {
        self.change_with(id, actor, also, |machine| {
            change(&mut machine.power);
            Ok(())
        })
        .await
    }

    /// The events of a change of a machine's power.
    pub(super) fn told_of_power(&self, before: &Machine, after: &Machine, actor: &Actor) -> Vec<Write> {
        let (object, name) = (super::object(&after.name), &after.name);
        let mut writes = Vec::new();
        let mut event = |kind, actor: &Actor, message, mut data: BTreeMap<String, serde_json::Value>| {
            data.insert("revision".to_owned(), json!(after.version));
            writes.push(self.journal.event_with(kind, &object, actor, None, message, data));
        };
        let (was, is) = (&before.power, &after.power);
        if was.on != is.on {
            let state = word(is.on);
            let data = BTreeMap::from([("power".to_owned(), json!(state))]);
            event("machine.power", &Actor::daemon(), format!("power of {name} is {state}"), data);
        }
        let asked = |wanted: &Wanted| (wanted.action, wanted.boot, wanted.since);
        if let Some(wanted) =
            is.wanted.as_ref().filter(|now| was.wanted.as_ref().map(asked) != Some(asked(now)))
        {
            let from =
                wanted.boot.map(|device| format!(", and to boot from {device} once")).unwrap_or_default();
            let instead = was
                .wanted
                .as_ref()
                .map(|old| format!("; `{}` is not wanted any more", old.action))
                .unwrap_or_default();
            let data = BTreeMap::from([
                ("action".to_owned(), json!(wanted.action)),
                ("boot".to_owned(), json!(wanted.boot)),
            ]);
            event(
                "machine.power_asked",
                actor,
                format!("{name} is to be powered `{}`{from}{instead}", wanted.action),
                data,
            );
        }
        if let Some(result) = is.result.as_ref().filter(|_| was.result != is.result) {
            let data = BTreeMap::from([
                ("action".to_owned(), json!(result.action)),
                ("by".to_owned(), json!(result.by)),
            ]);
            match &result.failed {
                None => event(
                    "machine.power_done",
                    &Actor::daemon(),
                    format!("{name}: power `{}` is done", result.action),
                    data,
                ),
                Some(why) => event(
                    "machine.power_failed",
                    &Actor::daemon(),
                    format!("{name}: power `{}` failed: {why}", result.action),
                    data,
                ),
            }
        }
        writes
    }
}

/// Fails unless the machine's BMC can be asked for that at all.
pub(super) fn possible(machine: &Machine, request: PowerRequest) -> Result<(), MachineError> {
    let no = |why: &str| MachineError::NoPower(machine.name.clone(), why.to_owned());
    let Some(bmc) = &machine.spec.bmc else {
        return Err(no("it has no `bmc` in its spec, so there is nothing to switch it with"));
    };
    if request.boot.is_some() && !request.action.boots() {
        return Err(no(&format!("it does not boot by `{}`, so `boot` says nothing", request.action)));
    }
    if request.boot == Some(BootDevice::Http) && bmc.protocol == BmcProtocol::Ipmi {
        return Err(no("its BMC speaks IPMI, which has no HTTP boot: `pxe` and `disk` are what it knows"));
    }
    Ok(())
}
