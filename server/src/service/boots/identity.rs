//! Which machine it is that boots: what is learned of that, and what does not fit.
use super::Boots;
use crate::{
    domain::{
        boot::BootRequest,
        identity::{Conflict, Says},
        machine::Machine,
        recent::Recent,
    },
    service::{
        journal::Actor,
        machines::{Recognised, object},
    },
};
use pilotlight_types::{
    MachineId,
    resource::{Name, SubnetMode},
};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A conflict is told again after it was gone for so long.
const PERIOD: Duration = Duration::from_secs(3600);

/// So many are told of in [`PERIOD`]: whoever makes them up ends there.
const MOST: usize = 1024;

/// The conflicts that were told of lately.
#[derive(Debug, Clone)]
pub(super) struct Conflicts(Arc<Mutex<Recent<(MachineId, Conflict)>>>);

impl Default for Conflicts {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Recent::new(PERIOD, MOST))))
    }
}

impl Boots {
    /// Takes note of the MAC of a machine that asks for its script and is known by its UUID or serial number, if it is on a subnet
    /// where we answer. Says whether that is news. A script is asked for over TCP: who asks has the address that it asks from.
    pub async fn recognise(&self, request: &BootRequest, from: IpAddr) -> bool {
        let served = self.roster.read(|inventory| {
            let mode = inventory.subnet_of(from).map(|(_, subnet)| subnet.spec.mode);
            matches!(mode, Some(SubnetMode::Authoritative | SubnetMode::Proxy))
        });
        served && self.is_recognised(request.says()).await.is_some()
    }

    /// The machine that a host turned out to be by what it says; None if that is no news.
    pub async fn is_recognised(&self, says: Says<'_>) -> Option<MachineId> {
        match self.machines.recognise(says).await {
            Ok(recognised) => {
                let Recognised { machine, seen } = recognised?;
                let name = self.roster.machine(machine).map(|machine| machine.name.clone());
                if let (Some(seen), Some(name)) = (seen, name) {
                    self.pacing.done(seen);
                    self.lock().hand_over(seen, machine, &name);
                }
                Some(machine)
            }
            Err(error) => {
                tracing::warn!(machine.mac = %says.mac, error = &error as &dyn std::error::Error, "it was not remembered whose {} is", says.mac);
                None
            }
        }
    }

    /// Tells of what does not fit a machine: once, with each machine that it is about.
    pub fn tell_conflicts<'a>(&self, machine: &Machine, conflicts: impl IntoIterator<Item = &'a Conflict>) {
        for conflict in conflicts {
            let key = (machine.id, conflict.clone());
            let mut recent = self.conflicts.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !recent.is_news(key, self.journal.now()) {
                continue;
            }
            drop(recent);
            let message = format!("{}: {conflict}", machine.name);
            let about = |name: &Name| {
                let object = object(name);
                self.journal.event("machine.conflict", &object, &Actor::machine(), None, message.clone())
            };
            self.journal.later([&machine.name].into_iter().chain(&conflict.other).map(about).collect());
        }
    }
}
