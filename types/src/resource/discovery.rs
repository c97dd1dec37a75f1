//! What is to become of machines that nobody declared: rules that accept them, and machines that are expected.
use super::{
    measure::{Bounds, ByteSize, Pattern},
    value::{Labels, Name, Oui},
};
use crate::Mac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Accepts machines that nobody declared, by what the agent measured on them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AcceptRuleSpec {
    /// Which machines; an empty match takes every one.
    #[serde(rename = "match", default)]
    pub matches: FactMatch,
    /// The rule with the higher priority is asked first; among those with the same, the one whose name sorts first.
    #[serde(default)]
    pub priority: i32,
    /// What an accepted machine is called: a template. It keeps its name, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The labels that it gets: by these its group finds it.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The hardware class that it is to be of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Name>,
    /// How many machines it accepts at the most, counted over all that it ever accepted and that are still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Whether it is not asked for now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

/// What facts must be like. All that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FactMatch {
    /// The maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Pattern>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Pattern>,
    /// The serial number; `ABC*` takes what begins with `ABC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<Pattern>,
    /// The machine type, as `uname -m` has it: `x86_64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// One of its interfaces is made by one of these: the first three bytes of its MAC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ouis: Vec<Oui>,
    /// It booted from one of these subnets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<Name>,
    /// Processor packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets: Option<Bounds<u32>>,
    /// Cores in all packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<Bounds<u32>>,
    /// Memory: what is installed, or what the kernel can use where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bounds<ByteSize>>,
    /// How many disks it has that cannot be taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<Bounds<u32>>,
    /// The size of the largest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_size: Option<Bounds<ByteSize>>,
}

/// A machine that is to come. Its name and labels are those that the machine gets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ExpectedMachineSpec {
    /// Its serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Its SMBIOS UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    /// Its interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<Mac>,
    /// The interface of its BMC: what comes from that one is never taken for a machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmc_mac: Option<Mac>,
    /// The rack that it will stand in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The rack unit of its lower edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<u16>,
    /// The hardware class that it is to be of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Name>,
    /// Whether it is accepted when it comes, without anybody asking.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept: bool,
}
