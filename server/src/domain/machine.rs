//! A machine: what was declared, and where it is in its life.
use super::stage::{Revision, Stage};
use pilotlight_types::{
    MachineId, Timestamp,
    api::Hold,
    facts::Facts,
    resource::{Labels, MachineSpec, Name, ReplyStyle},
};

/// A machine as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Its id, whatever it is called.
    pub id: MachineId,
    /// Its name.
    pub name: Name,
    /// Its labels.
    pub labels: Labels,
    /// What was declared.
    pub spec: MachineSpec,
    /// Where it is in its life.
    pub stage: Stage,
    /// When it came there.
    pub since: Timestamp,
    /// An operator's lock.
    pub hold: Option<Hold>,
    /// What it runs.
    pub running: Option<Revision>,
    /// What the agent measured last.
    pub facts: Option<Reported>,
    /// When the agent was last heard.
    pub seen: Option<Timestamp>,
    /// How its firmware wants to be told of its boot program, where that had to be found out.
    pub reply: Option<ReplyStyle>,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// Facts, and when they came.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// The facts.
    pub facts: Facts,
    /// When they came.
    pub at: Timestamp,
}

impl Machine {
    /// Whether anything but packets speaks for it: somebody declared it, or an agent reported from it.
    pub fn is_vouched_for(&self) -> bool {
        let accepted_unseen = self.seen.is_none() && self.name.as_str().starts_with("m-");
        self.stage != Stage::Discovered && !accepted_unseen
    }

    /// A machine that was not there before.
    pub fn new(
        id: MachineId,
        name: Name,
        labels: Labels,
        spec: MachineSpec,
        stage: Stage,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            name,
            labels,
            spec,
            stage,
            since: now,
            hold: None,
            running: None,
            facts: None,
            seen: None,
            reply: None,
            version: 1,
        }
    }
}
