//! Hardware classes: what a machine must have.
use super::{
    measure::{Bounds, ByteSize, Pattern},
    value::LinkRate,
};
use crate::facts::FirmwareMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What machines of one class must have. What is not said may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HardwareClassSpec {
    /// What is done about a machine that is not like that.
    #[serde(default)]
    pub on_mismatch: OnMismatch,
    /// The maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Pattern>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Pattern>,
    /// The processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<CpuClass>,
    /// The memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryClass>,
    /// The disks, each sort by itself. A disk counts for the first sort that takes it and still wants one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<DiskClass>,
    /// The interfaces, in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<NicClass>,
    /// The firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<FirmwareClass>,
}

/// What is done about a machine that is not as its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnMismatch {
    /// It is told.
    #[default]
    Tell,
    /// It is told, and the machine is put on hold until it is like that, or somebody releases it.
    Hold,
}

/// What the processors must be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CpuClass {
    /// The model of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Pattern>,
    /// How many packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets: Option<u32>,
    /// How many cores each package has at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
}

/// What the memory must be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MemoryClass {
    /// All together, at least: what is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<ByteSize>,
    /// The slots that must have a module. A slot counts for the first of these that takes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<SlotClass>,
}

/// What some slots must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SlotClass {
    /// Which, by what is printed beside them: `DIMM_A*`; every one, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locator: Option<Pattern>,
    /// The size of each module; `0B` for slots that must be empty.
    pub size: ByteSize,
    /// How many such slots there are; any number, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// What some disks must be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DiskClass {
    /// How many.
    pub count: u32,
    /// Of what kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DiskKind>,
    /// How large each is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Bounds<ByteSize>>,
    /// Their model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Pattern>,
    /// The lowest version of their firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
}

/// A kind of disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiskKind {
    /// NVMe.
    Nvme,
    /// A disk without turning parts that is not NVMe.
    Ssd,
    /// A disk that spins.
    Hdd,
}

/// What some interfaces must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NicClass {
    /// How many.
    pub count: u32,
    /// The least speed of their link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<LinkRate>,
    /// Whether they must have a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<bool>,
    /// Their driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Pattern>,
}

/// What the firmware must be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FirmwareClass {
    /// Its lowest version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How it boots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FirmwareMode>,
    /// Whether Secure Boot is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<bool>,
}
