//! Boots, as the REST API shows them and the database keeps them.
use super::Diagnosis;
use crate::{BootId, Mac, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use std::{fmt, net::IpAddr, sync::Arc};

/// The phases of a boot, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Why it did not get on, where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    /// When its machine was last switched on before it, where its BMC tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub powered: Option<Timestamp>,
    /// What was decided, and from what.
    #[schemars(with = "serde_json::Value")]
    pub decision: DecisionRecord,
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

/// A decision that was made for a boot, with all that led to it: JSON, kept as its text. A hall's boots are many, and few look into
/// them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DecisionRecord(Arc<RawValue>);

impl DecisionRecord {
    /// Keeps a decision.
    pub fn of(decision: &impl Serialize) -> serde_json::Result<Self> {
        serde_json::value::to_raw_value(decision).map(|text| Self(text.into()))
    }

    /// What is asked for of it; none if it is not there.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// Whether it is the very same, and not one that says the same.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for DecisionRecord {
    /// None yet.
    fn default() -> Self {
        Self(RawValue::NULL.to_owned().into())
    }
}

impl PartialEq for DecisionRecord {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl fmt::Debug for DecisionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

/// Something that a machine said while it booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// `GET /api/v1/boots/{id}/served`: what a machine was handed in a boot, as it was handed out. It is kept of a machine's newest boots.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct BootServed {
    /// iPXE's script, the last one of the boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// The kernel arguments in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernel_args: Vec<String>,
    /// The Ignition config, with masks for secrets; absent where none was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignition: Option<Value>,
}
