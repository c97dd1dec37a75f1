//! Facts of what runs on the iron.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kernel that runs. Its command line is left out: it may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Kernel {
    /// The release as `uname -r` has it, from /proc/sys/kernel/osrelease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The build as `uname -v` has it, from /proc/sys/kernel/version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The machine type as `uname -m` has it, from /proc/sys/kernel/arch or, before Linux 6.1, from the agent's own build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
}

/// The operating system that runs, from /etc/os-release or /usr/lib/os-release.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Os {
    /// `ID`: "fedora".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `NAME`: "Fedora Linux".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `VARIANT_ID`: "coreos".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<String>,
    /// `VERSION_ID`: "42".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// `PRETTY_NAME`: "Fedora CoreOS 42.20261101.3.0".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretty_name: Option<String>,
}

/// How long the parts of this boot took, each in microseconds: systemd's timestamps, counted as `systemd-analyze` does; firmware
/// and loader from ACPI's FPDT table (/sys/firmware/acpi/fpdt/boot) where systemd does not know them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BootTimes {
    /// From power-on to the start of the boot loader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware_us: Option<u64>,
    /// The boot loader, up to the kernel's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loader_us: Option<u64>,
    /// The kernel, up to the first process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_us: Option<u64>,
    /// The initramfs, up to the switch to the real root; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initrd_us: Option<u64>,
    /// The real root, until systemd had started everything; absent while it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userspace_us: Option<u64>,
}
