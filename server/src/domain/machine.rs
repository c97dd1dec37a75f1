//! A machine: what was declared, and where it is in its life.
use super::ladder::Place;
use super::power::Power;
use super::stage::{Revision, Stage};
use pilotlight_types::{
    Mac, MachineId, Timestamp,
    api::{Accepted, Hold},
    facts::Facts,
    resource::{Labels, MachineSpec, Name, ReplyStyle},
};
use std::sync::Arc;

/// How many MACs are learned of a machine: more than servers have ports that they boot from.
pub const MOST_LEARNED: usize = 8;

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
    pub facts: Option<Arc<Reported>>,
    /// When the agent was last heard.
    pub seen: Option<Timestamp>,
    /// How its firmware wants to be told of its boot program, where that had to be found out.
    pub reply: Option<ReplyStyle>,
    /// MACs that were not declared and that it booted from, known by its UUID or its serial number: the newest last.
    pub learned: Vec<Mac>,
    /// What accepted it, if nobody asked for that.
    pub accepted: Option<Accepted>,
    /// Whether it is on, and what is asked of that.
    pub power: Power,
    /// What was tried so that it boots, where it is to and does not.
    pub ladder: Option<Place>,
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

    /// Its MACs: those that were declared, then those that were learned.
    pub fn macs(&self) -> impl Iterator<Item = Mac> {
        self.spec.macs.iter().chain(&self.learned).copied()
    }

    /// Learns a MAC that it boots from. Of too many the oldest goes.
    pub fn learn(&mut self, mac: Mac) {
        if self.macs().any(|known| known == mac) {
            return;
        }
        if self.learned.len() >= MOST_LEARNED {
            self.learned.remove(0);
        }
        self.learned.push(mac);
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
            learned: Vec::new(),
            accepted: None,
            power: Power::default(),
            ladder: None,
            version: 1,
        }
    }
}
