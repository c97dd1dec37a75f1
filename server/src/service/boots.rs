//! Boots: each attempt of each machine, from its first packet, with what was decided and what was seen.
mod asked;
mod identity;
mod newest;
mod noted;
mod seen;

pub use self::{
    asked::{Asked, Said},
    noted::Noted,
    seen::Seen,
};

pub use crate::store::BootPlace;

use self::{identity::Conflicts, newest::Newest};
use super::{
    firmware::FirmwareTable,
    journal::{Actor, Journal},
    machines::{Machines, object},
    pacing::Pacing,
    roster::Roster,
};
use crate::{
    domain::{attempt, boot::Plan, machine::Machine, script, stage::Event},
    store::{BootRow, Db, StoreError, TokenUse, Write},
};
use pilotlight_types::{
    BootId, MachineId, Timestamp,
    api::{Boot, BootServed, Diagnosis, Outcome, Phase},
};
use serde::Deserialize;
use serde_json::json;
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Keeps the boots.
#[derive(Debug, Clone)]
pub struct Boots {
    newest: Arc<Mutex<Newest>>,
    roster: Roster,
    journal: Journal,
    machines: Machines,
    firmware: FirmwareTable,
    pacing: Pacing,
    conflicts: Conflicts,
    db: Db,
}

impl Boots {
    /// Reads the newest boot of each machine.
    pub async fn load(
        db: Db,
        roster: Roster,
        journal: Journal,
        machines: Machines,
        firmware: FirmwareTable,
    ) -> Result<Self, StoreError> {
        let stored = db.read().await?.newest_boots().await?;
        Ok(Self::new(stored, db, roster, journal, machines, firmware))
    }

    /// The same, with the newest boot of each machine that was stored.
    pub fn new(
        stored: Vec<BootRow>,
        db: Db,
        roster: Roster,
        journal: Journal,
        machines: Machines,
        firmware: FirmwareTable,
    ) -> Self {
        let mut newest = Newest::default();
        let pacing = Pacing::new(roster.clone());
        for BootRow { machine, boot } in stored {
            pacing.restore(machine, &boot);
            newest.put(machine, boot);
        }
        let newest = Arc::new(Mutex::new(newest));
        Self { newest, roster, journal, machines, firmware, pacing, conflicts: Conflicts::default(), db }
    }

    /// Who of them loads an image now, and who waits.
    pub const fn pacing(&self) -> &Pacing {
        &self.pacing
    }

    /// Notes something that was seen of a boot, without waiting.
    pub fn saw(&self, id: BootId, seen: Seen) {
        let now = self.journal.now();
        let writes = {
            let mut newest = self.lock();
            let Some((machine, mut boot)) = newest.get(id) else { return };
            if seen.phase == Phase::BootProgram {
                self.firmware.came(boot.mac);
            }
            let Some(row) = self.roster.machine(machine) else { return };
            let bytes = seen.bytes;
            let writes = self.advance(&row, &mut boot, seen, now);
            self.pacing.saw(machine, &boot, bytes, now);
            newest.put(machine, boot);
            writes
        };
        self.journal.later(writes);
    }

    /// The same, with the address that the machine has by now.
    pub fn saw_at(&self, id: BootId, address: IpAddr, seen: Seen) {
        {
            let mut newest = self.lock();
            let Some((machine, mut boot)) = newest.get(id) else { return };
            Arc::make_mut(&mut boot).address = Some(address);
            newest.put(machine, boot);
        }
        self.saw(id, seen);
    }

    /// Ends a boot, and with it what the machine was doing.
    pub async fn end(&self, id: BootId, outcome: Outcome) -> Result<(), StoreError> {
        self.end_with(id, outcome, None).await
    }

    /// The same of one that did not get on, with what it most likely died of.
    pub async fn fail(&self, id: BootId, why: String, diagnosis: Diagnosis) -> Result<(), StoreError> {
        self.end_with(id, Outcome::Failed { why }, Some(diagnosis)).await
    }

    async fn end_with(
        &self,
        id: BootId,
        outcome: Outcome,
        diagnosis: Option<Diagnosis>,
    ) -> Result<(), StoreError> {
        let now = self.journal.now();
        let (machine, writes) = {
            let mut newest = self.lock();
            let Some((machine, mut boot)) = newest.get(id) else { return Ok(()) };
            if boot.outcome.as_ref() == Some(&outcome) {
                return Ok(());
            }
            let Some(row) = self.roster.machine(machine) else { return Ok(()) };
            let ended = Arc::make_mut(&mut boot);
            (ended.outcome, ended.ended) = (Some(outcome.clone()), Some(now));
            ended.diagnosis = diagnosis;
            newest.put(machine, boot.clone());
            self.pacing.done(machine);
            (machine, self.ended(&row, boot))
        };
        if let Err(error) = self.journal.commit(writes).await {
            // Not written: then it goes on, and whoever ended it can try again.
            let mut newest = self.lock();
            if let Some((machine, mut boot)) = newest.get(id).filter(|(_, boot)| boot.ended == Some(now)) {
                let open = Arc::make_mut(&mut boot);
                (open.outcome, open.ended, open.diagnosis) = (None, None, None);
                newest.put(machine, boot);
            }
            return Err(error);
        }
        if let Outcome::Failed { why } = outcome {
            self.step(machine, &Event::BootFailed(why)).await;
        }
        Ok(())
    }

    /// What firmware is told of its boot program, and what it made of that.
    pub const fn firmware(&self) -> &FirmwareTable {
        &self.firmware
    }

    /// The most bytes in a TFTP block and the most blocks in a window, as the firmware table has it for who boots.
    pub fn tftp_bounds(&self, id: BootId) -> (Option<u16>, Option<u16>) {
        #[derive(Deserialize)]
        struct Made {
            known: Known,
        }
        #[derive(Deserialize)]
        struct Known {
            firmware: Option<Row>,
        }
        #[derive(Deserialize)]
        struct Row {
            block_size: Option<u16>,
            window: Option<u16>,
        }
        let decision = self.lock().find(id).map(|boot| boot.decision.clone());
        let row = decision.and_then(|decision| decision.read::<Made>()?.known.firmware);
        row.map(|row| (row.block_size, row.window)).unwrap_or_default()
    }

    /// The newest boot of a machine.
    pub fn of(&self, machine: MachineId) -> Option<Arc<Boot>> {
        self.lock().of.get(&machine).cloned()
    }

    /// A boot that is its machine's newest.
    pub fn newest(&self, id: BootId) -> Option<(MachineId, Arc<Boot>)> {
        self.lock().get(id)
    }

    /// The boot of the machine that was given this address last.
    pub fn at(&self, address: impl Into<IpAddr>) -> Option<BootId> {
        let newest = self.lock();
        newest.by_address.get(&address.into()).and_then(|machine| newest.of.get(machine)).map(|boot| boot.id)
    }

    /// The machine that uses this address in a boot that goes on.
    pub fn uses(&self, address: impl Into<IpAddr>) -> Option<MachineId> {
        let newest = self.lock();
        let machine = *newest.by_address.get(&address.into())?;
        newest.of.get(&machine).is_some_and(|boot| boot.ended.is_none()).then_some(machine)
    }

    /// The boots that go on.
    pub fn open(&self) -> Vec<Arc<Boot>> {
        self.lock().of.values().filter(|boot| boot.ended.is_none()).cloned().collect()
    }

    /// The newest boot of each machine, with whose it is.
    pub fn all(&self) -> Vec<(MachineId, Arc<Boot>)> {
        self.lock().of.iter().map(|(machine, boot)| (*machine, boot.clone())).collect()
    }

    /// How many machines there are whose newest boot began so lately.
    pub fn begun_lately(&self, now: Timestamp, lately: Duration) -> usize {
        self.lock().of.values().filter(|boot| now.since(boot.started) < lately).count()
    }

    /// One boot, however old.
    pub async fn get(&self, id: BootId) -> Result<Option<Boot>, StoreError> {
        if let Some((_, boot)) = self.newest(id) {
            return Ok(Some(Arc::unwrap_or_clone(boot)));
        }
        Ok(self.db.read().await?.boot(id).await?.map(|row| Arc::unwrap_or_clone(row.boot)))
    }

    /// What a machine was handed in a boot, as far as it is kept.
    pub async fn served(&self, id: BootId) -> Result<BootServed, StoreError> {
        let mut served = BootServed::default();
        for (part, text) in self.db.read().await?.served(id).await? {
            match part.as_str() {
                "script" => {
                    served.kernel_args = script::arguments(&text);
                    served.script = Some(text);
                }
                _ => served.ignition = serde_json::from_str(&text).ok(),
            }
        }
        Ok(served)
    }

    /// Whether a one-time token could be used like this now; it is not used up.
    pub async fn takes(&self, token: &TokenUse) -> Result<bool, StoreError> {
        self.db.read().await?.boot_token_is_good(token).await
    }

    /// Boots that started before `before`, newest first.
    pub async fn list(
        &self,
        machine: Option<MachineId>,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<Boot>, StoreError> {
        let rows = self.db.read().await?.boots(machine, before, limit).await?;
        Ok(rows.into_iter().map(|row| Arc::unwrap_or_clone(row.boot)).collect())
    }

    /// Boots behind a place, newest first, of one machine or of all, since a time.
    pub async fn behind(
        &self,
        machine: Option<MachineId>,
        since: Timestamp,
        place: BootPlace,
        limit: i64,
    ) -> Result<Vec<Boot>, StoreError> {
        let rows = self.db.read().await?.boots_behind(machine, since, place, limit).await?;
        Ok(rows.into_iter().map(|row| Arc::unwrap_or_clone(row.boot)).collect())
    }

    /// Forgets a machine that is gone.
    pub fn forget(&self, machine: MachineId) {
        self.pacing.done(machine);
        self.lock().forget(machine);
    }

    async fn step(&self, machine: MachineId, event: &Event) {
        if let Err(error) = self.machines.apply(machine, event, &Actor::daemon(), |_| {}).await {
            tracing::error!(machine.id = %machine, error = &error as &dyn std::error::Error, "a machine's stage was not changed");
        }
    }

    /// Puts what was seen into the boot; returns the row, and an event when a phase is reached.
    fn advance(&self, machine: &Machine, boot: &mut Arc<Boot>, seen: Seen, now: Timestamp) -> Vec<Write> {
        let phase = seen.phase;
        let reached = attempt::record(Arc::make_mut(boot), seen.record(now));
        let mut writes = vec![Write::Boot(Box::new(BootRow { machine: machine.id, boot: boot.clone() }))];
        if reached {
            let message = format!("{} reached {phase}", machine.name);
            writes.push(self.journal.event(
                "boot.phase",
                &object(&machine.name),
                &Actor::machine(),
                Some(boot.id),
                message,
            ));
        }
        writes
    }

    fn ended(&self, machine: &Machine, boot: Arc<Boot>) -> Vec<Write> {
        let kind = match &boot.outcome {
            Some(Outcome::Active | Outcome::LocalDisk) => "boot.ended",
            Some(Outcome::Restarted { .. }) => "boot.restarted",
            Some(Outcome::Failed { .. }) | None => "boot.failed",
        };
        let outcome = boot.outcome.as_ref().map(ToString::to_string).unwrap_or_default();
        let took = boot.ended.unwrap_or(boot.started).since(boot.started).as_secs_f32();
        let message = format!("{}: {outcome}, {took:.1} s after its first packet", machine.name);
        let code = boot.diagnosis.as_ref().map(|diagnosis| ("diagnosis".to_owned(), json!(diagnosis.code)));
        let (object, data) = (object(&machine.name), code.into_iter().collect());
        let event = self.journal.event_with(kind, &object, &Actor::machine(), Some(boot.id), message, data);
        vec![Write::Boot(Box::new(BootRow { machine: machine.id, boot })), event]
    }

    fn lock(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the plan ends a boot as soon as the machine has its script.
pub fn ends_with_script(plan: &Plan) -> bool {
    matches!(plan, Plan::LocalDisk)
}
