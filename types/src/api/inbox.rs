//! What waits for somebody to look at it.
use super::Hold;
use crate::{
    Mac, Timestamp,
    resource::{Kind, Labels, Name},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Why a machine is in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InboxState {
    /// It was seen, and nobody accepted it.
    Discovered,
    /// The same, and it is none of those that are expected, though some are.
    Unexpected,
    /// It is expected, and was not seen.
    Missing,
    /// It has the UUID, the serial number or a MAC of another machine.
    Duplicate,
    /// It is on hold.
    Held,
    /// It is not as its hardware class.
    Mismatch,
}

impl InboxState {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Discovered, Self::Unexpected, Self::Missing, Self::Duplicate, Self::Held, Self::Mismatch];

    /// As JSON and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discovered => "discovered",
            Self::Unexpected => "unexpected",
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::Held => "held",
            Self::Mismatch => "mismatch",
        }
    }
}

impl fmt::Display for InboxState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A page of the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Inbox {
    /// The rows: machines by name, then those that are expected and were not seen.
    pub items: Vec<InboxRow>,
    /// What to give as `?cursor=` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are in each state, whatever was asked for. One machine may be in several.
    pub counts: BTreeMap<InboxState, usize>,
}

/// What waits, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InboxRow {
    /// `Machine`; `ExpectedMachine` for one that was not seen.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// Why it is here.
    pub states: Vec<InboxState>,
    /// The same in words.
    pub why: Vec<String>,
    /// The machine's stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Since when it is in its stage; since when it is expected.
    pub since: Timestamp,
    /// When its agent was last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// What is known of its hardware.
    pub summary: HardwareSummary,
    /// What it is expected as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Name>,
    /// The lock on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Its hardware class, and how it differs from that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<MachineClass>,
    /// What accepting it would do, where it can be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<AcceptPreview>,
}

/// A machine's hardware in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct HardwareSummary {
    /// The maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<uuid::Uuid>,
    /// Its interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<Mac>,
    /// Processor packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets: Option<u32>,
    /// Cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Disks that cannot be taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<u32>,
    /// Bytes of these disks together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// The rack that it stands in, or is to stand in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The unit there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<u16>,
}

/// What accepting a machine would do. It never wipes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptPreview {
    /// What it would be called.
    pub name: Name,
    /// The labels that it would have.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The group that it would belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Name>,
    /// The profile that it would be armed for: its next boot gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Name>,
}

/// `POST /api/v1/machines/{name}/accept`: how a machine is taken in. Each may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// What it is called from now on; as it is expected, or as it was, if absent.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Labels beside those that it has, or is expected with.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// A machine's hardware class, and how the machine differs from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachineClass {
    /// The class.
    pub name: Name,
    /// The differences; none if it is as it should be. Absent as long as there are no facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differences: Option<Vec<Difference>>,
}

/// Something that a machine has otherwise than its class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Where: `memory slot DIMM_A1`, `processor 0`, `model`.
    pub at: String,
    /// What the class wants.
    pub wanted: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is wanted, and there is {}", self.at, self.wanted, self.found)
    }
}

/// Who accepted a machine that nobody declared, without anybody asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// `AcceptRule` or `ExpectedMachine`.
    pub kind: Kind,
    /// Which of them.
    pub name: Name,
    /// When.
    pub at: Timestamp,
}
