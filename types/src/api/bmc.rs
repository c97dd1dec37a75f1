//! Power, and what a BMC says.
use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is asked of a machine's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PowerAction {
    /// On. One that is on stays on.
    On,
    /// Off at once, as if the plug were pulled.
    Off,
    /// Off, by asking its operating system to shut down.
    Soft,
    /// Off, and then on.
    Cycle,
    /// A reset without a power loss.
    Reset,
}

impl PowerAction {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::On, Self::Off, Self::Soft, Self::Cycle, Self::Reset];

    /// As JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Soft => "soft",
            Self::Cycle => "cycle",
            Self::Reset => "reset",
        }
    }

    /// Whether the machine boots after it, so that a boot device makes sense.
    pub const fn boots(self) -> bool {
        matches!(self, Self::On | Self::Cycle | Self::Reset)
    }
}

impl fmt::Display for PowerAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a machine boots from once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BootDevice {
    /// The network, by PXE.
    Pxe,
    /// The network, by UEFI HTTP boot. Redfish only.
    Http,
    /// Its disk.
    Disk,
}

impl BootDevice {
    /// As JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pxe => "pxe",
            Self::Http => "http",
            Self::Disk => "disk",
        }
    }
}

impl fmt::Display for BootDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `POST /api/v1/machines/{name}/power`: what is asked of a machine's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PowerRequest {
    /// What.
    pub action: PowerAction,
    /// What it boots from then, once. Without it, the BMC's own order holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootDevice>,
}

/// What is asked of a machine's power and is not done yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PowerWanted {
    /// What.
    pub action: PowerAction,
    /// What it boots from then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootDevice>,
    /// Who asked.
    pub by: String,
    /// When.
    pub since: Timestamp,
    /// How often its BMC was told.
    pub tries: u32,
    /// What went wrong last; it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What came of what was last asked of a machine's power.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PowerResult {
    /// What was asked.
    pub action: PowerAction,
    /// Who asked.
    pub by: String,
    /// When it ended.
    pub at: Timestamp,
    /// Why it was not done; absent where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// `GET /api/v1/machines/{name}/bmc`: a machine's BMC, as it answers now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BmcStatus {
    /// `redfish` or `ipmi`.
    #[serde(rename = "type")]
    pub protocol: String,
    /// Where it is.
    pub address: String,
    /// Whether it answered now.
    pub answers: bool,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// `on`, `off` or `unknown`, as it says now.
    pub power: String,
    /// What it is and how we speak with it: `IPMI 2.0, cipher suite 17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What it measures.
    pub sensors: Vec<Sensor>,
    /// Why there are no sensors, or not all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensors_problem: Option<String>,
    /// Whether we leave it alone for now, since it failed too often.
    pub breaker: Breaker,
    /// The newest failures, newest last.
    pub errors: Vec<BmcFailure>,
}

/// Whether a BMC is left alone for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Breaker {
    /// Whether it is.
    pub open: bool,
    /// Until when, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many attempts in a row failed.
    pub failures: u32,
}

/// Something that a BMC did not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BmcFailure {
    /// When.
    pub at: Timestamp,
    /// The kind: `away`, `auth`, `tls`, `busy`, `refused`, `garbled`, `session`, `unsupported`, `uncertain`, `secret`.
    pub kind: String,
    /// In words.
    pub detail: String,
}

/// One thing that a BMC measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sensor {
    /// Its name, as the BMC has it.
    pub name: String,
    /// The value, where it is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The value's unit: `Cel`, `RPM`, `V`, `W`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// `ok`, `warning`, `critical` or `unknown`, as the BMC judges.
    pub health: String,
}

/// An entry of a BMC's event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogEntry {
    /// The BMC's own id of it.
    pub id: String,
    /// When, by the BMC's clock, which may be wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// `ok`, `warning`, `critical` or `unknown`.
    pub severity: String,
    /// In words.
    pub message: String,
}

/// `GET /api/v1/machines/{name}/bmc/log`: what is in a BMC's event log now, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BmcLog {
    /// The entries.
    pub items: Vec<LogEntry>,
}

/// `POST /api/v1/machines/{name}/bmc/identify`: the light by which one finds the machine in its rack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifyRequest {
    /// Whether it is lit.
    pub lit: bool,
}
