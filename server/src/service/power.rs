//! Switching machines: what was asked of a machine's power is brought about, step by step, by its BMC; and what BMCs say is followed,
//! whether the machine is on and what is new in the event log.
mod asked;

use super::{
    bmcs::Bmcs,
    journal::{Actor, Journal},
    machines::{self, MachineError, Machines},
};
use crate::{
    bmc::BmcError,
    domain::{
        machine::Machine,
        power::{Command, LogMark, Power as State, Step, Wanted, new_entries},
    },
    store::Write,
};
use futures_util::FutureExt;
use pilotlight_types::{
    MachineId,
    api::{BootDevice, LogEntry, PowerResult},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Switches machines.
#[derive(Debug, Clone)]
pub struct Power {
    machines: Machines,
    bmcs: Bmcs,
    journal: Journal,
    plans: Arc<Mutex<HashMap<MachineId, Plan>>>,
}

/// When something is to be done about a machine.
#[derive(Debug, Clone, Default)]
struct Plan {
    busy: bool,
    /// When what was asked of it goes on.
    step: Option<Instant>,
    /// When its BMC is looked at again.
    look: Option<Instant>,
    /// When its log is.
    log: Option<Instant>,
    stamp: Option<String>,
}

/// How often a BMC is asked whether its machine is on, and for its log.
const LOOK: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(300));
/// How often it is asked while something is under way.
const SOON: Duration = Duration::from_secs(2);
/// After something failed.
const LATER: Duration = Duration::from_secs(10);
/// How many entries of a log are looked at, and how many of the new ones become events.
const LOG: (usize, usize) = (500, 100);
/// How often a boot device is set that the BMC does not have afterwards.
const DEVICE_TRIES: usize = 3;

/// Why a BMC's answer is not there.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// There is no such machine, or it has no BMC.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// Its BMC failed.
    #[error("BMC {address} of {name}: {error}")]
    Bmc {
        /// The machine.
        name: String,
        /// Where its BMC is.
        address: String,
        /// What failed.
        #[source]
        error: BmcError,
    },
}

impl Power {
    /// Switches the machines by those BMCs.
    pub fn new(machines: Machines, bmcs: Bmcs, journal: Journal) -> Self {
        Self { machines, bmcs, journal, plans: Arc::default() }
    }

    /// How BMCs are talked with.
    pub const fn bmcs(&self) -> &Bmcs {
        &self.bmcs
    }

    /// Machines about which something is to be done now, up to so many; each is taken until [`Self::drive`] is done with it.
    pub fn due(&self, most: usize) -> Vec<MachineId> {
        let now = Instant::now();
        let passed = |at: Option<Instant>| at.is_none_or(|at| at <= now);
        let machines = self.bmcs.machines();
        let mut plans = self.plans();
        let mut due: Vec<(bool, MachineId)> = Vec::new();
        for machine in &machines {
            let plan = plans.entry(machine.id).or_default();
            let wanted = machine.power.wanted.is_some();
            if !plan.busy && passed(if wanted { plan.step } else { plan.look }) {
                due.push((!wanted, machine.id));
            }
        }
        // What somebody asked for comes before what is only looked at.
        due.sort_unstable();
        due.truncate(most);
        for (_, id) in &due {
            plans.entry(*id).or_default().busy = true;
        }
        if plans.len() > machines.len() {
            plans.retain(|id, plan| plan.busy || machines.iter().any(|machine| machine.id == *id));
        }
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// Does what is to be done about a machine.
    pub async fn drive(&self, id: MachineId) {
        let done = self.drive_once(id).await;
        let mut plans = self.plans();
        let plan = plans.entry(id).or_default();
        plan.busy = false;
        if let Err(error) = done {
            tracing::warn!(
                "what came of a machine's power is not written down: {}",
                crate::errors::chain(&error)
            );
            (plan.step, plan.look) = (Some(Instant::now() + LATER), Some(Instant::now() + LATER));
        }
    }

    async fn drive_once(&self, id: MachineId) -> Result<(), MachineError> {
        loop {
            let Some(machine) = self.machines.by_id(id) else { return Ok(()) };
            let Some(wanted) = machine.power.wanted.clone() else { return self.look(&machine).await };
            if let Some(pause) = self.advance(&machine, &wanted).await? {
                self.plans().entry(id).or_default().step = Some(Instant::now() + pause);
                return Ok(());
            }
        }
    }

    /// Takes one step; returns how long nothing is to be done then, or nothing if it goes on at once.
    async fn advance(&self, machine: &Machine, wanted: &Wanted) -> Result<Option<Duration>, MachineError> {
        let now = self.journal.now();
        if wanted.is_old(now) {
            let last =
                wanted.problem.clone().unwrap_or_else(|| "it was not brought about in time".to_owned());
            self.finish(machine, wanted, Some(format!("it is given up: {last}"))).await?;
            return Ok(None);
        }
        let on = match self.bmcs.ask(machine, |bmc| bmc.is_on().boxed()).await {
            Ok(on) => on,
            Err(error) => return self.trouble(machine, wanted, &error).await,
        };
        self.seen(machine, Some(on)).await?;
        match wanted.next(on, now) {
            Step::Wait => Ok(Some(SOON)),
            Step::Done => self.finish(machine, wanted, None).await.map(|()| None),
            Step::GiveUp(why) => self.finish(machine, wanted, Some(why)).await.map(|()| None),
            Step::Half => self.replace(machine, wanted, Some(wanted.clone().half())).await.map(|_| None),
            Step::Tell(command) => self.tell(machine, wanted, command).await,
        }
    }

    /// Tells the BMC, with what the machine boots from first: many forget that with each power loss, so it is said each time.
    async fn tell(
        &self,
        machine: &Machine,
        wanted: &Wanted,
        command: Command,
    ) -> Result<Option<Duration>, MachineError> {
        if let Some(device) = wanted.device_for(command)
            && let Err(error) = self.set_device(machine, device).await
        {
            return self.trouble(machine, wanted, &error).await;
        }
        let telling = wanted.clone().telling(self.journal.now());
        if !self.replace(machine, wanted, Some(telling.clone())).await? {
            // Somebody wants something else by now.
            return Ok(None);
        }
        match self.bmcs.ask(machine, |bmc| bmc.command(command).boxed()).await {
            Ok(()) if command == Command::Reset => self.finish(machine, &telling, None).await.map(|()| None),
            Ok(()) => Ok(Some(SOON)),
            // It may have pressed the button: whether the machine goes off tells.
            Err(BmcError::Uncertain(_)) if command == Command::Soft => Ok(Some(SOON)),
            Err(error @ BmcError::Uncertain(_)) => {
                self.finish(machine, &telling, Some(error.to_string())).await.map(|()| None)
            }
            Err(error) => {
                // It was not done, so it may be asked again.
                let untold = Wanted { sent: wanted.sent, ..telling.clone() };
                self.replace(machine, &telling, Some(untold.clone())).await?;
                self.trouble(machine, &untold, &error).await
            }
        }
    }

    /// Has the machine boot from there once, and looks whether the BMC then says so.
    async fn set_device(&self, machine: &Machine, device: BootDevice) -> Result<(), BmcError> {
        for _ in 0..DEVICE_TRIES {
            if self.bmcs.ask(machine, |bmc| bmc.boot_once(device).boxed()).await? {
                self.forgot(machine, None).await;
                return Ok(());
            }
        }
        self.forgot(machine, Some(device)).await;
        let message = format!(
            "BMC of {} took `{device}` as the next boot device {DEVICE_TRIES} times and does not say so afterwards: the machine may boot from elsewhere",
            machine.name
        );
        self.journal.later(vec![self.event("bmc.boot_device", machine, message, BTreeMap::new())]);
        Ok(())
    }

    /// Remembers whether the BMC forgot what the machine is to boot from: if it then does not boot, this is why.
    async fn forgot(&self, machine: &Machine, device: Option<BootDevice>) {
        let change = |power: &mut State| power.forgot = device;
        if let Err(error) = self.machines.change_power(machine.id, &Actor::daemon(), &[], change).await {
            let error = crate::errors::chain(&error);
            tracing::warn!("it is not remembered what the BMC of {} forgets: {error}", machine.name);
        }
    }

    /// What failed: it is tried again, unless that is of no use.
    async fn trouble(
        &self,
        machine: &Machine,
        wanted: &Wanted,
        error: &BmcError,
    ) -> Result<Option<Duration>, MachineError> {
        if matches!(error, BmcError::Unsupported(_) | BmcError::Refused(_)) {
            return self.finish(machine, wanted, Some(error.to_string())).await.map(|()| None);
        }
        let problem = match (error, &machine.spec.bmc) {
            // How long it is left alone changes with each look, and is no news; why it is, is.
            (BmcError::Open(_), Some(spec)) => {
                let last = self.bmcs.health(spec).1.pop().map_or_else(String::new, |last| last.detail);
                format!("its BMC is left alone for now: {last}")
            }
            _ => error.to_string(),
        };
        if wanted.problem.as_ref() != Some(&problem) {
            let problem = Some(problem);
            self.replace(machine, wanted, Some(Wanted { problem, ..wanted.clone() })).await?;
        }
        Ok(Some(LATER))
    }

    /// Puts another state of what is wanted in its place, if it is that still; says whether it was.
    async fn replace(
        &self,
        machine: &Machine,
        was: &Wanted,
        is: Option<Wanted>,
    ) -> Result<bool, MachineError> {
        let change = |power: &mut State| {
            if power.wanted.as_ref() == Some(was) {
                power.wanted.clone_from(&is);
            }
        };
        let after = self.machines.change_power(machine.id, &Actor::daemon(), &[], change).await?;
        Ok(after.power.wanted == is)
    }

    async fn finish(
        &self,
        machine: &Machine,
        was: &Wanted,
        failed: Option<String>,
    ) -> Result<(), MachineError> {
        let result = PowerResult { action: was.action, by: was.by.clone(), at: self.journal.now(), failed };
        let same = |now: &Wanted| (now.action, now.boot, now.since) == (was.action, was.boot, was.since);
        let change = |power: &mut State| {
            if power.wanted.as_ref().is_some_and(same) {
                (power.wanted, power.result) = (None, Some(result.clone()));
            }
        };
        self.machines.change_power(machine.id, &Actor::daemon(), &[], change).await?;
        // What its BMC logged meanwhile belongs to it.
        let mut plans = self.plans();
        let plan = plans.entry(machine.id).or_default();
        (plan.step, plan.look, plan.log) = (None, None, None);
        Ok(())
    }

    /// Writes down whether the machine is on, if that is news.
    async fn seen(&self, machine: &Machine, on: Option<bool>) -> Result<(), MachineError> {
        if machine.power.on == on {
            return Ok(());
        }
        let now = self.journal.now();
        let change = |power: &mut State| power.seen(on, now);
        self.machines.change_power(machine.id, &Actor::daemon(), &[], change).await.map(drop)
    }

    /// Looks at a BMC of which nothing was asked: whether its machine is on, and now and then what is new in its log.
    async fn look(&self, machine: &Machine) -> Result<(), MachineError> {
        let seen = self.bmcs.ask(machine, |bmc| bmc.is_on().boxed()).await;
        let now = Instant::now();
        let log_due = {
            let mut plans = self.plans();
            let plan = plans.entry(machine.id).or_default();
            plan.look = Some(now + LOOK.0);
            plan.log.is_none_or(|at| at <= now)
        };
        match seen {
            Ok(on) => self.seen(machine, Some(on)).await?,
            // One that has been gone for so long that it is left alone says nothing of its machine any more.
            Err(BmcError::Open(_)) => return self.seen(machine, None).await,
            Err(_) => return Ok(()),
        }
        if log_due {
            self.follow_log(machine).await?;
            self.plans().entry(machine.id).or_default().log = Some(now + LOOK.1);
        }
        Ok(())
    }

    async fn follow_log(&self, machine: &Machine) -> Result<(), MachineError> {
        let Ok(stamp) = self.bmcs.ask(machine, |bmc| bmc.log_stamp().boxed()).await else { return Ok(()) };
        if stamp.is_some() && stamp == self.plans().entry(machine.id).or_default().stamp {
            return Ok(());
        }
        let Ok(entries) = self.bmcs.ask(machine, |bmc| bmc.log(LOG.0).boxed()).await else { return Ok(()) };
        let mark = machine.power.log.as_ref();
        let mut new = new_entries(mark, &entries);
        let left_out = new.len().saturating_sub(LOG.1);
        new.drain(..left_out);
        let newest = LogMark::newest(&entries);
        if mark != Some(&newest) {
            let events: Vec<Write> = new.iter().map(|entry| self.entry(machine, entry)).collect();
            let change = |power: &mut State| power.log = Some(newest.clone());
            self.machines.change_power(machine.id, &Actor::daemon(), &events, change).await?;
        }
        self.plans().entry(machine.id).or_default().stamp = stamp;
        Ok(())
    }

    fn entry(&self, machine: &Machine, entry: &LogEntry) -> Write {
        let at = entry.at.map(|at| at.to_string());
        let data = BTreeMap::from([
            ("id".to_owned(), json!(entry.id)),
            ("severity".to_owned(), json!(entry.severity)),
            ("at".to_owned(), json!(at)),
        ]);
        let when = at.map(|at| format!(" at {at} by its own clock")).unwrap_or_default();
        self.event(
            "bmc.log",
            machine,
            format!("BMC of {} logged{when}: {}", machine.name, entry.message),
            data,
        )
    }

    fn event(
        &self,
        kind: &'static str,
        machine: &Machine,
        message: String,
        data: BTreeMap<String, serde_json::Value>,
    ) -> Write {
        self.journal.event_with(kind, &machines::object(&machine.name), &Actor::daemon(), None, message, data)
    }

    fn plans(&self) -> MutexGuard<'_, HashMap<MachineId, Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
