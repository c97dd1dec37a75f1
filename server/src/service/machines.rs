//! What happens to machines: seen for the first time, accepted, armed, held, reported. One change of one machine at a time.
mod acts;
mod identity;
mod ladder;
mod power;
mod taken_in;

pub use self::{identity::Recognised, taken_in::Lock};

use super::{
    journal::{Actor, Journal},
    roster::Roster,
    wake::Wake,
};
use crate::{
    clock::random,
    domain::{
        identity::{Says, serial_key, uuid_key},
        machine::Machine,
        stage::{Event, Refused, Revision, Stage},
    },
    store::{StoreError, Write},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use pilotlight_types::{
    MachineId, Timestamp,
    resource::{Kind, Labels, MachineSpec, Name, ReplyStyle},
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use taken_in::is_over;
use tokio::sync::Mutex;

/// Changes machines.
#[derive(Debug, Clone)]
pub struct Machines {
    roster: Roster,
    journal: Journal,
    // New machines are recorded one at a time: two packets of one machine must not make two machines.
    discovering: Arc<Mutex<()>>,
    wake_power: Wake,
}

/// Why a machine was not changed.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// There is none of that name.
    #[error("there is no machine {0}")]
    NotFound(String),
    /// Its stage does not take that.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No group gives it a profile.
    #[error("no group gives machine {0} a profile")]
    NoProfile(Name),
    /// It has no BMC to ask.
    #[error("machine {0} has no `bmc` in its spec")]
    NoBmc(Name),
    /// Another machine has the name that it would have.
    #[error("there is another machine of the name {0}, or there can be none")]
    NameTaken(Name),
    /// It cannot be switched, or not so.
    #[error("machine {0} cannot be switched like that: {1}")]
    NoPower(Name, String),
    /// Too many machines that nobody accepted.
    #[error("{MOST_DISCOVERED} machines wait to be accepted; no more are recorded")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many machines that nobody accepted are kept: a flood of made-up MACs ends there.
pub const MOST_DISCOVERED: usize = 10_000;

/// How many machines are armed beside each other.
const AT_ONCE: usize = 256;

/// How often a change is tried again when others change the machine at the same moment.
const TRIES: usize = 20;

impl Machines {
    /// Changes the machines of that roster.
    pub fn new(roster: Roster, journal: Journal) -> Self {
        Self { roster, journal, discovering: Arc::default(), wake_power: Wake::default() }
    }

    /// Woken when something is asked of a machine's power.
    pub const fn wake_power(&self) -> &Wake {
        &self.wake_power
    }

    /// The machine with this id.
    pub(super) fn by_id(&self, id: MachineId) -> Option<Arc<Machine>> {
        self.roster.machine(id)
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.journal.now()
    }

    /// Records a machine that nobody declared; returns it, or the one that was recorded meanwhile.
    pub async fn discover(&self, says: Says<'_>, accept: bool) -> Result<Arc<Machine>, MachineError> {
        let _one_at_a_time = self.discovering.lock().await;
        let Says { mac, uuid, serial } = says;
        let plain = format!("m-{}", mac.to_string().replace(':', ""));
        let (there, waiting, former, uuid, serial, name) = self.roster.read(|inventory| {
            let there = inventory.who(says).map(|found| found.machine.clone());
            let waiting = inventory.machines().filter(|machine| !machine.is_vouched_for()).count();
            let former = inventory.by_learned_mac(mac).cloned();
            let uuid =
                uuid.filter(|uuid| uuid_key(*uuid).is_some_and(|key| inventory.by_uuid(key).is_none()));
            let serial =
                serial.filter(|text| serial_key(text).is_some_and(|key| inventory.by_serial(&key).is_none()));
            // Somebody may have declared another machine of that name.
            let mut names = std::iter::once(plain.clone()).chain((2..100).map(|n| format!("{plain}-{n}")));
            let name = names.find(|name| inventory.machine_named(name).is_none());
            (there, waiting, former, uuid, serial, name)
        });
        if let Some(machine) = there {
            return Ok(machine);
        }
        if waiting >= MOST_DISCOVERED {
            return Err(MachineError::TooMany);
        }
        let now = self.journal.now();
        let name: Name = name.and_then(|name| name.parse().ok()).ok_or(MachineError::TooMany)?;
        let spec = MachineSpec {
            macs: vec![mac],
            uuid,
            serial: serial.map(str::to_owned),
            ..MachineSpec::default()
        };
        let stage = if accept { Stage::Ready } else { Stage::Discovered };
        let machine = Machine::new(MachineId::new(now, random()), name, Labels::default(), spec, stage, now);
        let mut writes = vec![Write::Machine(Box::new(machine.clone()))];
        let object = object(&machine.name);
        // A NIC that moved: it says something else of itself than the machine that booted from it before.
        let former = former.map(|former| identity::without(&former, mac));
        writes.extend(former.iter().map(|former| Write::Machine(Box::new(former.clone()))));
        let before = former
            .as_ref()
            .map(|former| format!("; {} booted from it before", former.name))
            .unwrap_or_default();
        let message = format!("machine {} ({mac}) was seen for the first time{before}", machine.name);
        writes.push(self.journal.event("machine.discovered", &object, &Actor::machine(), None, message));
        if accept {
            let message = format!("machine {} was accepted by its subnet's policy", machine.name);
            writes.push(self.journal.event("machine.ready", &object, &Actor::daemon(), None, message));
        }
        self.journal.commit(writes).await?;
        let machine = Arc::new(machine);
        former.into_iter().for_each(|former| self.roster.put_machine(Arc::new(former)));
        self.roster.put_machine(machine.clone());
        Ok(machine)
    }

    /// Applies an event to a machine's stage, and whatever else changes with it.
    pub async fn apply(
        &self,
        id: MachineId,
        event: &Event,
        actor: &Actor,
        also: impl Fn(&mut Machine),
    ) -> Result<Arc<Machine>, MachineError> {
        let now = self.journal.now();
        self.change(id, actor, |machine| {
            let stage = machine.stage.on(event)?;
            if stage != machine.stage {
                machine.stage = stage;
                machine.since = now;
            }
            // Asked anew, or there: whatever was tried before is over.
            if !matches!(event, Event::BootStarted | Event::BootFailed(_)) {
                machine.ladder = None;
            }
            also(machine);
            Ok(())
        })
        .await
    }

    /// Arms a machine for the newest revision that its group gives it.
    pub async fn provision(&self, name: &str, actor: &Actor) -> Result<Arc<Machine>, MachineError> {
        let machine = self.named(name)?;
        let assigned = self.roster.read(|inventory| inventory.assigned(&machine));
        let revision = assigned.ok_or_else(|| MachineError::NoProfile(machine.name.clone()))?.revision;
        self.apply(machine.id, &Event::Provision(revision), actor, |_| {}).await
    }

    /// Takes a machine out of service.
    pub async fn retire(&self, name: &str, actor: &Actor) -> Result<Arc<Machine>, MachineError> {
        let machine = self.named(name)?;
        self.apply(machine.id, &Event::Retire, actor, |_| {}).await
    }

    /// Locks a machine for a reason, or unlocks it.
    pub async fn hold(
        &self,
        name: &str,
        lock: Option<Lock<'_>>,
        actor: &Actor,
    ) -> Result<Arc<Machine>, MachineError> {
        let machine = self.named(name)?;
        let now = self.journal.now();
        self.change(machine.id, actor, |machine| {
            match lock {
                Some(Lock { reason, until }) => ladder::lock(machine, reason, until, actor, now),
                // It is tried from the first step again.
                None => (machine.hold, machine.ladder) = (None, None),
            }
            Ok(())
        })
        .await
    }

    /// Remembers how a machine's firmware wants to be told of its boot program.
    pub async fn learn(&self, id: MachineId, reply: ReplyStyle) -> Result<(), MachineError> {
        let learn = |machine: &mut Machine| {
            machine.reply = Some(reply);
            Ok(())
        };
        self.change(id, &Actor::daemon(), learn).await.map(drop)
    }

    /// Arms every machine that is ready, has a profile, and never ran one: declaring a machine with a profile is asking for it.
    pub async fn arm_ready(&self, actor: &Actor) -> Result<(), MachineError> {
        let ready: Vec<(MachineId, Revision)> = self
            .roster
            .read(|inventory| inventory.to_arm().map(|(machine, revision)| (machine.id, revision)).collect());
        // Beside each other: what waits for the disk at the same time is written at once.
        let armed = stream::iter(ready).map(|(id, revision)| async move {
            match self.apply(id, &Event::Provision(revision), actor, |_| {}).await {
                // Gone, or on its way already: then there is nothing to arm.
                Ok(_) | Err(MachineError::NotFound(_) | MachineError::Refused(_)) => Ok(()),
                Err(error) => Err(error),
            }
        });
        armed.buffer_unordered(AT_ONCE).try_collect().await
    }

    fn named(&self, name: &str) -> Result<Arc<Machine>, MachineError> {
        self.roster
            .read(|inventory| inventory.machine_named(name).cloned())
            .ok_or_else(|| MachineError::NotFound(name.chars().take(80).collect()))
    }

    /// Changes a machine by compare-and-swap: somebody else's change in between is seen, and this one made again on top of it.
    async fn change(
        &self,
        id: MachineId,
        actor: &Actor,
        change: impl Fn(&mut Machine) -> Result<(), MachineError>,
    ) -> Result<Arc<Machine>, MachineError> {
        self.change_with(id, actor, &[], change).await
    }

    /// The same, and writes this with it.
    async fn change_with(
        &self,
        id: MachineId,
        actor: &Actor,
        also: &[Write],
        change: impl Fn(&mut Machine) -> Result<(), MachineError>,
    ) -> Result<Arc<Machine>, MachineError> {
        let mut failure = StoreError::Conflict { what: format!("machine {id}") };
        for _ in 0..TRIES {
            let before = self.roster.machine(id).ok_or_else(|| MachineError::NotFound(id.to_string()))?;
            let mut machine = Machine::clone(&before);
            change(&mut machine)?;
            if machine == *before {
                return Ok(before);
            }
            machine.version += 1;
            let mut writes = vec![Write::Machine(Box::new(machine.clone()))];
            writes.extend(self.told(&before, &machine, actor));
            writes.extend(also.iter().cloned());
            match self.journal.commit(writes).await {
                Ok(()) => {
                    let machine = Arc::new(machine);
                    self.roster.put_machine(machine.clone());
                    return Ok(machine);
                }
                Err(conflict @ StoreError::Conflict { .. }) => failure = conflict,
                Err(error) => return Err(error.into()),
            }
            tokio::task::yield_now().await;
        }
        Err(failure.into())
    }

    /// The events and the audit row of a change.
    fn told(&self, before: &Machine, after: &Machine, actor: &Actor) -> Vec<Write> {
        let object = object(&after.name);
        let mut writes = Vec::new();
        // Who follows the machines waits until this revision is in memory.
        let event = |kind, message| {
            let data = BTreeMap::from([("revision".to_owned(), json!(after.version))]);
            self.journal.event_with(kind, &object, actor, None, message, data)
        };
        if before.stage != after.stage {
            let (kind, message) = match &after.stage {
                Stage::Provisioning(revision) => {
                    ("machine.provisioning", format!("{} is armed for {revision}", after.name))
                }
                Stage::Active(revision) => ("machine.active", format!("{} runs {revision}", after.name)),
                Stage::Failed { armed, why } => {
                    ("machine.failed", format!("{} did not get to {armed}: {why}", after.name))
                }
                Stage::Ready => ("machine.ready", format!("{} was accepted", after.name)),
                Stage::Retired => ("machine.retired", format!("{} is out of service", after.name)),
                Stage::Discovered => ("machine.discovered", format!("{} is not accepted", after.name)),
            };
            writes.push(event(kind, message));
        }
        if before.name != after.name {
            let message = format!("{} is the machine that was seen as {}", after.name, before.name);
            writes.push(event("machine.adopted", message.clone()));
            let former = self::object(&before.name);
            writes.push(self.journal.event("machine.adopted", &former, actor, None, message));
        }
        if let Some(accepted) = after.accepted.as_ref().filter(|_| before.accepted != after.accepted) {
            let why = match accepted.kind {
                Kind::ExpectedMachine => {
                    format!("{} was accepted: it was expected as {}", after.name, accepted.name)
                }
                _ => format!("{} was accepted by rule {}", after.name, accepted.name),
            };
            writes.push(event("machine.matched", why));
        }
        if before.hold != after.hold {
            let (kind, message) = match &after.hold {
                Some(hold) => {
                    let until = hold.until.map(|until| format!(", until {until}")).unwrap_or_default();
                    (
                        "machine.held",
                        format!("{} is on hold by {}{until}: {}", after.name, hold.by, hold.reason),
                    )
                }
                None if is_over(before.hold.as_ref(), self.journal.now()) => (
                    "machine.released",
                    format!("{} is not on hold any more: the time that it was held for is over", after.name),
                ),
                None => ("machine.released", format!("{} is not on hold any more", after.name)),
            };
            writes.push(event(kind, message));
        }
        if let Some(reply) = after.reply.filter(|_| before.reply != after.reply) {
            let message = format!(
                "{} takes a boot program that it is told of as `{}`, and nothing else",
                after.name,
                reply.name()
            );
            writes.push(event("machine.firmware", message));
        }
        writes.extend(self.told_of_power(before, after, actor));
        if actor.request.is_some() {
            let state = |m: &Machine| {
                let hold = m.hold.as_ref().map(|hold| hold.reason.as_str());
                if before.power.wanted == after.power.wanted {
                    return json!({"stage": m.stage, "hold": hold});
                }
                let asked = m.power.wanted.as_ref().map(|wanted| (wanted.action, wanted.boot));
                json!({"stage": m.stage, "hold": hold, "power": asked})
            };
            writes.push(self.journal.audit(
                actor,
                "changed",
                object.clone(),
                Some(state(before)),
                Some(state(after)),
            ));
        }
        writes
    }
}

/// A machine, as events name it.
pub fn object(name: &Name) -> String {
    format!("machine/{name}")
}
