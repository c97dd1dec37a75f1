//! What agents report: progress, facts, heartbeats. An agent speaks for its machine's newest boot, and for no other.
use super::{
    boots::{Boots, Seen},
    configs::{Configs, HEARTBEAT_SECONDS},
    discovery::Discovery,
    journal::{Actor, Journal},
    machines::{MachineError, Machines, object},
    roster::Roster,
};
use crate::{
    domain::{
        attempt::Pinned,
        diagnosis::TROUBLE,
        identity::Says,
        machine::{Machine, Reported},
        stage::Event,
    },
    store::{StoreError, Write},
};
use pilotlight_types::{
    BootId,
    agent::{Instructions, Progress, Step},
    api::{Boot, Outcome, Phase},
    facts::{Facts, FactsProblem},
};
use std::sync::Arc;

/// Takes the reports of agents.
#[derive(Debug, Clone)]
pub struct Agents {
    configs: Configs,
    boots: Boots,
    machines: Machines,
    discovery: Discovery,
    roster: Roster,
    journal: Journal,
}

/// Why a report is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The token is not this boot's.
    #[error("the token is not that of this boot's agent")]
    Unauthorized,
    /// The machine has booted again since, or is gone.
    #[error("boot {0} is not its machine's newest: this agent should not be running any more")]
    Gone(BootId),
    /// The facts are not what facts can be.
    #[error("the facts are refused: {0}")]
    Facts(#[from] FactsProblem),
    /// The machine could not be changed.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How much of a report's detail is kept, in characters.
const LONGEST_DETAIL: usize = 1000;

impl Agents {
    /// Takes the reports of agents.
    pub fn new(
        configs: Configs,
        boots: Boots,
        (machines, discovery): (Machines, Discovery),
        roster: Roster,
        journal: Journal,
    ) -> Self {
        Self { configs, boots, machines, discovery, roster, journal }
    }

    /// A step that the host has reached.
    pub async fn progress(
        &self,
        boot: BootId,
        token: &str,
        progress: Progress,
    ) -> Result<Instructions, ReportError> {
        let (machine, record) = self.authenticate(boot, token)?;
        let detail = progress.detail.as_deref().map(|detail| printable(detail, LONGEST_DETAIL));
        match progress.step {
            Step::Started => {
                self.boots.saw(boot, Seen::begun(Phase::Agent, detail.unwrap_or_else(|| "started".into())))
            }
            Step::Collecting => self.boots.saw(boot, Seen::begun(Phase::Agent, "collecting facts")),
            Step::Trouble => {
                let trouble = detail.unwrap_or_else(|| "trouble".into());
                // While it boots, this is what it does not get on for.
                if record.ended.is_none() {
                    self.boots.saw(boot, Seen::begun(Phase::Agent, format!("{TROUBLE}{trouble}")));
                }
                let message = format!("the agent of {}: {trouble}", machine.name);
                let event = self.journal.event(
                    "agent.trouble",
                    &object(&machine.name),
                    &Actor::machine(),
                    Some(boot),
                    message,
                );
                self.journal.commit(vec![event]).await?;
            }
        }
        self.journal.commit(vec![Write::Seen(machine.id, self.journal.now())]).await?;
        Ok(instructions())
    }

    /// What the agent measured: the machine is there.
    pub async fn facts(&self, boot: BootId, token: &str, facts: Facts) -> Result<Instructions, ReportError> {
        let (mut machine, record) = self.authenticate(boot, token)?;
        facts.check()?;
        let system = &facts.system;
        let says = Says { mac: record.mac, uuid: system.uuid, serial: system.serial.as_deref() };
        // A boot stays its machine's, unless nobody knew yet which one that is.
        if !machine.is_vouched_for()
            && let Some(known) = self.boots.is_recognised(says).await
        {
            machine = self.roster.machine(known).ok_or(ReportError::Gone(boot))?;
        }
        let conflicts = self.roster.read(|inventory| inventory.conflicts_of_facts(&machine, &facts));
        self.boots.tell_conflicts(&machine, &conflicts);
        let now = self.journal.now();
        let Some(Pinned { profile, .. }) = Pinned::of(&record) else { return Err(ReportError::Gone(boot)) };
        let running = Some(profile.clone());
        let reported = Arc::new(Reported { facts, at: now });
        let also = |machine: &mut Machine| {
            machine.facts = Some(reported.clone());
            machine.seen = Some(now);
            // What a machine ran before anything was asked of it (discovery) is no step in its life.
            if machine.stage.armed().is_some() {
                machine.running.clone_from(&running);
            }
        };
        self.boots.saw(boot, Seen::answered(Phase::Agent, "reported its facts", 0));
        self.machines.apply(machine.id, &Event::Reported(profile), &Actor::machine(), also).await?;
        self.boots.end(boot, Outcome::Active).await?;
        // What fails here is tried again: the agent is not told that its facts were taken.
        self.discovery.reported(machine.id).await?;
        Ok(instructions())
    }

    /// The host is alive.
    pub async fn heartbeat(&self, boot: BootId, token: &str) -> Result<Instructions, ReportError> {
        let (machine, _) = self.authenticate(boot, token)?;
        let now = self.journal.now();
        self.journal.commit(vec![Write::Seen(machine.id, now)]).await?;
        self.roster.change(|inventory| {
            if let Some(machine) = inventory.machine(machine.id) {
                let mut seen = Machine::clone(machine);
                seen.seen = Some(now);
                inventory.put(Arc::new(seen));
            }
        });
        Ok(instructions())
    }

    fn authenticate(&self, boot: BootId, token: &str) -> Result<(Arc<Machine>, Arc<Boot>), ReportError> {
        if !self.configs.is_agent(boot, token) {
            return Err(ReportError::Unauthorized);
        }
        let (machine, record) = self.boots.newest(boot).ok_or(ReportError::Gone(boot))?;
        let machine = self.roster.machine(machine).ok_or(ReportError::Gone(boot))?;
        Ok((machine, record))
    }
}

/// A text from outside, without what could disturb a terminal or a page.
fn printable(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

const fn instructions() -> Instructions {
    Instructions { heartbeat_seconds: HEARTBEAT_SECONDS }
}
