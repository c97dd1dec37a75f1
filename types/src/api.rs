//! Bodies of the REST API, `/api/v1/…`.
mod packet;

pub use packet::{PacketExplanation, PacketField, PacketQuestion, PacketView};

use crate::{BootId, EventId, Mac, MachineId, Timestamp, facts::Facts, resource::Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct List<T> {
    /// The items, in the list's own order.
    pub items: Vec<T>,
    /// What to give as `?cursor=` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An error, as RFC 9457 has it (`application/problem+json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status again.
    pub status: u16,
    /// What kind of error: a stable word, listed in docs/errors.md.
    pub code: String,
    /// The kind of error, for people.
    pub title: String,
    /// What happened this time.
    pub detail: String,
    /// What the server's log calls this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Each mistake in what was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Mistake>,
}

/// One mistake in what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// Which of the documents that were sent, from 0.
    pub document: usize,
    /// Where in it: `spec.ranges[1]`.
    pub path: String,
    /// Where in the text at that path, when it is a text with lines of its own (Butane): line and column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<(usize, usize)>,
    /// What is wrong.
    pub detail: String,
}

/// `POST /api/v1/apply`: what became of each document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// One for each document, in the order in which they were sent.
    pub items: Vec<AppliedItem>,
}

/// What became of one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppliedItem {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What was done.
    pub change: Change,
    /// What is allowed but probably not meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a write did to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Created,
    /// It is different now.
    Updated,
    /// It was so already.
    Unchanged,
    /// It is gone.
    Deleted,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
        })
    }
}

/// The phases of a boot, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The firmware asked for an address.
    Dhcp,
    /// The firmware fetched a boot program.
    BootProgram,
    /// iPXE fetched its script.
    Script,
    /// iPXE fetched the kernel.
    Kernel,
    /// iPXE fetched the initramfs.
    Initramfs,
    /// The initramfs fetched the root file system.
    Rootfs,
    /// Ignition fetched its config.
    Ignition,
    /// The agent reported.
    Agent,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 8] = [
        Self::Dhcp,
        Self::BootProgram,
        Self::Script,
        Self::Kernel,
        Self::Initramfs,
        Self::Rootfs,
        Self::Ignition,
        Self::Agent,
    ];

    /// The phase as JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dhcp => "dhcp",
            Self::BootProgram => "boot_program",
            Self::Script => "script",
            Self::Kernel => "kernel",
            Self::Initramfs => "initramfs",
            Self::Rootfs => "rootfs",
            Self::Ignition => "ignition",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BootProgram => "boot program",
            other => other.name(),
        })
    }
}

/// One phase of one boot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Which phase.
    pub phase: Phase,
    /// When it was first seen.
    pub started: Timestamp,
    /// When something of it was last seen.
    pub last: Timestamp,
    /// When it had what it needs: for a file, when its last byte was handed to the network.
    pub ended: Option<Timestamp>,
    /// Bytes served in it.
    #[serde(default)]
    pub bytes: u64,
    /// How often the machine asked.
    pub requests: u32,
    /// What was served or said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How a boot ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// The agent reported in.
    Active,
    /// The machine was sent to its disk.
    LocalDisk,
    /// It did not get there.
    Failed {
        /// Why, in words.
        why: String,
    },
    /// The machine started again before it got there.
    Restarted {
        /// The last phase that was seen.
        during: Phase,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => f.write_str("active"),
            Self::LocalDisk => f.write_str("went to its disk"),
            Self::Failed { why } => write!(f, "failed: {why}"),
            Self::Restarted { during } => write!(f, "restarted during {during}"),
        }
    }
}

/// One attempt of one machine to boot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// Its id: on every log line, event and URL of the boot.
    pub id: BootId,
    /// The machine's name when it booted.
    pub machine: String,
    /// The interface that booted.
    pub mac: Mac,
    /// The address that it was given.
    pub address: Option<IpAddr>,
    /// When its first packet came.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended; none while it goes on.
    pub outcome: Option<Outcome>,
    /// What was decided, and from what.
    pub decision: Arc<Value>,
    /// What has been seen, in the order in which it was first seen.
    pub phases: Vec<PhaseRecord>,
}

impl Boot {
    /// The record of one phase.
    pub fn phase(&self, phase: Phase) -> Option<&PhaseRecord> {
        self.phases.iter().find(|record| record.phase == phase)
    }

    /// The furthest phase that was seen.
    pub fn furthest(&self) -> Option<Phase> {
        self.phases.iter().map(|record| record.phase).max()
    }
}

/// Something that a machine said while it booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleLine {
    /// Its number in the boot, from 1. Of a boot that says too much, lines in the middle are left out.
    pub line: i64,
    /// When it came.
    pub at: Timestamp,
    /// 0 is an emergency, 7 for debugging; absent if the line did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<u8>,
    /// The program that said it: `ipxe`, `kernel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What it said.
    pub text: String,
}

impl fmt::Display for ConsoleLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tag {
            Some(tag) => write!(f, "{tag}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// A machine: what was declared, and what is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its id, whatever it is called.
    pub id: MachineId,
    /// Always `Machine`.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: crate::resource::Labels,
    /// What was declared.
    pub spec: crate::resource::MachineSpec,
    /// Where it is in its life.
    pub stage: String,
    /// Why it is there, where that needs saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it came to that stage.
    pub since: Timestamp,
    /// `on`, `off` or `unknown`.
    pub power: String,
    /// The operator's lock, if there is one.
    pub hold: Option<Hold>,
    /// What it should run, and what it runs.
    pub profile: Option<MachineProfile>,
    /// What the agent measured last.
    pub facts: Option<Facts>,
    /// When that was.
    pub facts_at: Option<Timestamp>,
    /// When the agent was last heard.
    pub seen: Option<Timestamp>,
    /// MACs that were not declared and that it booted from, known by its UUID or serial number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learned_macs: Vec<Mac>,
    /// What it says of itself that does not fit it, in its newest boot and in its facts, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
    /// Its newest boot.
    pub boot: Option<Boot>,
    /// Counts its changes: what `If-Match` takes.
    pub revision: i64,
}

/// What a machine should run, and what it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineProfile {
    /// The profile's name.
    pub name: String,
    /// The revision that it is to run.
    pub desired: i64,
    /// The revision that it runs.
    pub running: Option<i64>,
}

/// An operator's lock on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// A resource of any kind but Machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "crate::resource::Labels::is_empty")]
    pub labels: crate::resource::Labels,
    /// What was declared.
    pub spec: Value,
    /// Counts its changes: what `If-Match` takes.
    pub revision: i64,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the order of all events: what `Last-Event-ID` takes.
    pub seq: i64,
    /// Its id.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: `boot.started`, `token.refused`.
    pub kind: String,
    /// To what: `machine/n1`.
    pub object: String,
    /// By whom: a token's name, `machine`, or `pilotlight`.
    pub actor: String,
    /// The boot that it belongs to.
    pub boot: Option<BootId>,
    /// In words.
    pub message: String,
    /// In numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Value>,
}

/// `GET /api/v1/machines/{name}/explain`: what a machine gets now, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The machine's name, if it has one.
    pub machine: Option<String>,
    /// What it gets, in one sentence.
    pub answer: String,
    /// What led there, first things first.
    pub because: Vec<String>,
    /// The decision in full.
    pub decision: Value,
    /// The lines of the script that it would be given.
    pub script: Option<String>,
    /// The Ignition config that it would be given, secrets masked.
    pub ignition: Option<Value>,
}

/// `POST /api/v1/tokens`: asks for an API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What the token is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends; never, if absent.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

/// What the bearer of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See everything that is no secret.
    Viewer,
    /// Change everything.
    Admin,
}

/// The answer to [`NewToken`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedToken {
    /// What the token is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The token: shown once, stored only as a hash.
    pub token: String,
}

impl fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedToken")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
