//! What the agent measured on a host: one JSON document, sent after each boot.
//!
//! A server treats it as hostile: it bounds the body by [`Facts::MAX_JSON_BYTES`], then calls [`Facts::check`]. Fields that it
//! does not know are dropped, so that a newer agent can talk to an older server; what could not be measured is absent.
mod check;
mod hardware;
mod host;

pub use check::{FactsProblem, MAX_ITEMS, MAX_TEXT, clean};
pub use hardware::{
    Board, Chassis, CpuPackage, Cpus, Disk, Firmware, FirmwareMode, Memory, MemorySlot, Nic, OtherInterface,
    System, Transport,
};
pub use host::{BootTimes, Kernel, Os};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All facts of one host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// The version of this document's shape; [`Facts::VERSION`] in what this code writes. 0 is never valid.
    pub version: u32,
    /// The version of the agent that measured.
    pub agent: String,
    /// The machine as its maker describes it (SMBIOS).
    pub system: System,
    /// The processors.
    pub cpus: Cpus,
    /// The memory.
    pub memory: Memory,
    /// The disks that hold something, in natural order of their kernel names; no loop, RAM, device-mapper or RAID devices.
    pub disks: Vec<Disk>,
    /// The network interfaces that are hardware, in natural order of their names.
    pub nics: Vec<Nic>,
    /// Up to 64 of the interfaces that are no hardware (bonds, bridges, VLANs, virtual functions), those with addresses first.
    pub other_interfaces: Vec<OtherInterface>,
    /// The kernel that runs.
    pub kernel: Kernel,
    /// The operating system that runs.
    pub os: Os,
    /// The host's name as the kernel has it, from /proc/sys/kernel/hostname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// How long the parts of this boot took.
    pub boot_times: BootTimes,
    /// Seconds since the kernel started, from /proc/uptime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<u64>,
    /// What could not be measured, and why, for people.
    pub problems: Vec<String>,
}

impl Facts {
    /// The version of the shape that this code writes.
    pub const VERSION: u32 = 1;

    /// The largest JSON text that a server should take: several times that of a server with 32 DIMMs and 100 disks.
    pub const MAX_JSON_BYTES: usize = 512 * 1024;
}
