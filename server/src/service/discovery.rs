//! Machines that nobody declared: taken in when they are expected or a rule says so, and what is told of those that wait.
use super::{
    boots::Boots,
    journal::{Actor, Journal},
    machines::{MachineError, Machines, object},
    roster::Roster,
    scopes::field,
};
use crate::{
    domain::{
        discovery::{Decision, Everybody, Taking, Whence},
        hardware::differences,
        inventory::Inventory,
        machine::Machine,
        rights::Forbidden,
        stage::{Event, Stage},
    },
    store::StoreError,
};
use pilotlight_types::{
    MachineId,
    api::{AcceptRequest, Accepted, Hold, MachineClass},
    resource::{Kind, Name, OnMismatch, Verb},
};
use std::{net::IpAddr, sync::Arc};
use tokio::sync::Mutex;

/// Decides what becomes of machines that nobody declared.
#[derive(Debug, Clone)]
pub struct Discovery {
    pub(super) roster: Roster,
    pub(super) boots: Boots,
    machines: Machines,
    journal: Journal,
    site: Arc<str>,
    // One at a time: a rule accepts no more than its limit, and no name is given twice.
    one_at_a_time: Arc<Mutex<()>>,
}

/// Why a machine is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// It cannot be changed like that.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// It would be a machine that the caller may not accept.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

impl Discovery {
    /// Decides for the machines of that roster, at a site of that name.
    pub fn new(roster: Roster, boots: Boots, machines: Machines, journal: Journal, site: &str) -> Self {
        Self { roster, boots, machines, journal, site: site.into(), one_at_a_time: Arc::default() }
    }

    /// Where a machine is, as far as its newest boot tells.
    pub(super) fn whence<'a>(&'a self, inventory: &'a Inventory, machine: &Machine) -> Whence<'a> {
        let address = self.boots.of(machine.id).and_then(|boot| boot.address);
        let address = address.or(machine.spec.ip.map(IpAddr::V4));
        Whence { site: &self.site, subnet: address.and_then(|address| inventory.subnet_of(address)) }
    }

    /// A machine's facts came.
    pub async fn reported(&self, id: MachineId) -> Result<(), MachineError> {
        self.judge(id, true).await?;
        self.compare(id, true).await
    }

    /// Looks at every machine that waits, and at every hold by a hardware class: rules and classes may have changed.
    pub async fn pass(&self) -> Result<(), MachineError> {
        let (waiting, held) = self.roster.read(|inventory| {
            let some = !inventory.expected.is_empty() || !inventory.accept_rules.is_empty();
            let waits = |machine: &&Arc<Machine>| {
                some && machine.stage == Stage::Discovered
                    && machine.facts.is_some()
                    && machine.hold.is_none()
            };
            let waiting: Vec<MachineId> =
                inventory.machines().filter(waits).map(|machine| machine.id).collect();
            let held = inventory.machines().filter(|machine| machine.hold.as_ref().is_some_and(is_by_class));
            (waiting, held.map(|machine| machine.id).collect::<Vec<_>>())
        });
        for id in waiting {
            self.judge(id, false).await?;
        }
        for id in held {
            self.compare(id, false).await?;
        }
        Ok(())
    }

    /// Takes a machine in if that is decided; tells what was found if it is to be told.
    async fn judge(&self, id: MachineId, tell: bool) -> Result<(), MachineError> {
        let _one = self.one_at_a_time.lock().await;
        let decided = self.roster.read(|inventory| {
            let machine = inventory.machine(id).filter(|machine| machine.stage == Stage::Discovered)?;
            Some((machine.clone(), Everybody::of(inventory).decide(machine, self.whence(inventory, machine))))
        });
        let Some((machine, decision)) = decided else { return Ok(()) };
        let (kind, rule, taking) = match decision {
            Decision::Expected { name, taking, accept: true } => (Kind::ExpectedMachine, name, taking),
            Decision::Rule { name, taking } => (Kind::AcceptRule, name, taking),
            Decision::Expected { name, accept: false, .. } => {
                let message = format!(
                    "{} is the machine that is expected as {name}; it waits to be accepted",
                    machine.name
                );
                return self.tell(tell, &machine, "machine.waits", message).await;
            }
            Decision::Waits { why } => {
                let message = format!("{} waits to be accepted: {}", machine.name, why.join("; "));
                return self.tell(tell, &machine, "machine.waits", message).await;
            }
        };
        if let Some(hold) = &machine.hold {
            let message = format!(
                "{} would be accepted, by {kind} {rule}, and is on hold: {}",
                machine.name, hold.reason
            );
            return self.tell(tell, &machine, "machine.waits", message).await;
        }
        let accepted = Accepted { kind, name: rule, at: self.journal.now() };
        match self.machines.take_in(id, &taking, Some(&accepted), &Actor::daemon()).await {
            // Somebody was faster.
            Ok(_) | Err(MachineError::NotFound(_) | MachineError::Refused(_)) => Ok(()),
            Err(MachineError::NameTaken(name)) => {
                let message =
                    format!("{} waits to be accepted: another machine is called {name}", machine.name);
                self.tell(tell, &machine, "machine.waits", message).await
            }
            Err(error) => Err(error),
        }
    }

    async fn tell(
        &self,
        tell: bool,
        machine: &Machine,
        kind: &'static str,
        message: String,
    ) -> Result<(), MachineError> {
        if tell {
            let event = self.journal.event(kind, &object(&machine.name), &Actor::daemon(), None, message);
            self.journal.commit(vec![event]).await?;
        }
        Ok(())
    }

    /// Compares a machine with its hardware class, and locks or unlocks it where the class says so. One that runs is told of, and not
    /// locked: somebody let it.
    async fn compare(&self, id: MachineId, tell: bool) -> Result<(), MachineError> {
        let found = self.roster.read(|inventory| {
            let machine = inventory.machine(id)?;
            let class = class(inventory, machine);
            let spec = class.as_ref().and_then(|class| inventory.classes.get(&class.name));
            Some((machine.clone(), class, spec.map(|spec| spec.spec.on_mismatch).unwrap_or_default()))
        });
        let Some((machine, class, on_mismatch)) = found else { return Ok(()) };
        let differs =
            class.as_ref().and_then(|class| class.differences.as_ref()).filter(|all| !all.is_empty());
        let Some((class, differs)) = class.as_ref().zip(differs) else {
            return match machine.hold.as_ref().filter(|hold| is_by_class(hold)) {
                Some(_) => self.machines.settle(&machine, None).await,
                None => Ok(()),
            };
        };
        let words: Vec<String> = differs.iter().map(ToString::to_string).collect();
        let message =
            format!("{} is not as its hardware class {}: {}", machine.name, class.name, words.join("; "));
        self.tell(tell, &machine, "machine.mismatch", message).await?;
        let by_us = machine.hold.as_ref().is_some_and(is_by_class);
        match on_mismatch {
            OnMismatch::Tell if by_us => self.machines.settle(&machine, None).await,
            OnMismatch::Hold
                if tell
                    && machine.hold.is_none()
                    && !matches!(machine.stage, Stage::Active(_) | Stage::Retired) =>
            {
                let mut reason = words.join("; ");
                if reason.chars().count() > LONGEST_REASON {
                    reason = format!("{}…", reason.chars().take(LONGEST_REASON).collect::<String>());
                }
                let by = format!("{BY_CLASS}{}", class.name);
                let hold = Hold { reason, by, since: self.journal.now(), until: None };
                self.machines.settle(&machine, Some(&hold)).await
            }
            OnMismatch::Tell | OnMismatch::Hold => Ok(()),
        }
    }

    /// Takes in a machine that an operator accepts: as it is expected, if it is, and under this name and with these labels, if they say so.
    pub async fn accept(
        &self,
        name: &str,
        request: &AcceptRequest,
        actor: &Actor,
    ) -> Result<Name, AcceptError> {
        let _one = self.one_at_a_time.lock().await;
        let found = self.roster.read(|inventory| {
            let machine = inventory.machine_named(name)?.clone();
            let mut taking = match machine.stage {
                Stage::Discovered => Everybody::of(inventory).by_hand(&machine),
                _ => Taking::as_it_is(&machine),
            };
            taking.name = request.name.clone().unwrap_or(taking.name);
            taking.labels = taking.labels.with(&request.labels);
            let after = Machine {
                name: taking.name.clone(),
                labels: taking.labels.clone(),
                spec: taking.spec.clone(),
                ..Machine::clone(&machine)
            };
            // Nobody gets a machine out of their reach by another label.
            let about = (Kind::Machine, after.name.as_str());
            let permitted =
                actor.rights.permits(Verb::Accept, about, &after.labels, field(inventory, &after));
            Some(permitted.map(|()| (machine, taking)))
        });
        let (machine, taking) =
            found.ok_or_else(|| MachineError::NotFound(name.chars().take(80).collect()))??;
        machine.stage.on(&Event::Accept).map_err(MachineError::from)?;
        if taking.name.as_str() == "actions" {
            return Err(MachineError::NameTaken(taking.name).into());
        }
        Ok(self.machines.take_in(machine.id, &taking, None, actor).await?.name.clone())
    }
}

/// Who holds a machine that is not as its class.
const BY_CLASS: &str = "hardware class ";

/// How much of the differences is in the reason of a hold, in characters.
const LONGEST_REASON: usize = 400;

fn is_by_class(hold: &Hold) -> bool {
    hold.by.starts_with(BY_CLASS)
}

/// The hardware class that a machine is to be of, and how it differs: what is declared, else what it is expected as.
pub(super) fn class(inventory: &Inventory, machine: &Machine) -> Option<MachineClass> {
    let name = machine.spec.class.as_ref()?;
    let spec = &inventory.classes.get(name)?.spec;
    let facts = machine.facts.as_ref().map(|reported| &reported.facts);
    Some(MachineClass { name: name.clone(), differences: facts.map(|facts| differences(spec, facts)) })
}

impl From<StoreError> for AcceptError {
    fn from(error: StoreError) -> Self {
        Self::Machine(error.into())
    }
}
