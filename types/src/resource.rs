//! Resources: the documents in which operators say what they want, `{kind, name, labels?, spec}`.
mod bmc;
mod discovery;
mod firmware;
mod hardware;
mod measure;
mod options;
mod range6;
mod role;
mod secret;
mod spec;
mod value;
mod webhook;

pub use bmc::{BmcAddress, BmcProtocol, BmcSpec, BmcTls, Fingerprint, Insecure};
pub use discovery::{AcceptRuleSpec, ExpectedMachineSpec, FactMatch};
pub use firmware::{FirmwareClient, FirmwareMatch, FirmwareSpec, Leave, ReplyStyle};
pub use hardware::{
    CpuClass, DiskClass, DiskKind, FirmwareClass, HardwareClassSpec, MemoryClass, NicClass, OnMismatch,
    SlotClass,
};
pub use measure::{Bounds, ByteSize, Pattern, compare_versions};
pub use options::{DhcpOptions, OptionValue, Percent};
pub use range6::Ipv6Range;
pub use role::{RoleRule, RoleSpec, RuleKind, Verb, Wild, Word};
pub use secret::{SecretName, SecretRef};
pub use spec::{
    BootMode, FileRef, GroupSpec, ImageOs, ImageSpec, MachineSpec, Match, OtherFile, ProfileFile,
    ProfileSpec, SubnetMode, SubnetSpec, Unknown,
};
pub use value::{Duration, Ipv4Range, Labels, LinkRate, Name, Oui, Sha256, ValueError};
pub use webhook::{EventPattern, Given, HeaderName, SigningKeys, WebhookSpec};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The kinds of resources, in the order in which they depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// What somebody may do.
    Role,
    /// How one make of firmware is answered.
    Firmware,
    /// A network that we answer on.
    Subnet,
    /// Kernel, initramfs and rootfs of one version of an OS.
    Image,
    /// What a machine should run.
    Profile,
    /// Which machines run which profile.
    Group,
    /// What machines of one sort must have.
    HardwareClass,
    /// A machine that is to come.
    ExpectedMachine,
    /// Accepts machines that nobody declared.
    AcceptRule,
    /// One server.
    Machine,
    /// Who is told of events.
    Webhook,
}

impl Kind {
    /// Every kind, those that others refer to first.
    pub const ALL: [Self; 11] = [
        Self::Role,
        Self::Firmware,
        Self::Subnet,
        Self::Image,
        Self::Profile,
        Self::Group,
        Self::HardwareClass,
        Self::ExpectedMachine,
        Self::AcceptRule,
        Self::Machine,
        Self::Webhook,
    ];

    /// The kind as documents have it: `Subnet`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::Firmware => "Firmware",
            Self::Subnet => "Subnet",
            Self::Image => "Image",
            Self::Profile => "Profile",
            Self::Group => "Group",
            Self::HardwareClass => "HardwareClass",
            Self::ExpectedMachine => "ExpectedMachine",
            Self::AcceptRule => "AcceptRule",
            Self::Machine => "Machine",
            Self::Webhook => "Webhook",
        }
    }

    /// The kind as REST paths have it: `subnets`.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Role => "roles",
            // No plural of it is in use.
            Self::Firmware => "firmware",
            Self::Subnet => "subnets",
            Self::Image => "images",
            Self::Profile => "profiles",
            Self::Group => "groups",
            Self::HardwareClass => "hardwareclasses",
            Self::ExpectedMachine => "expectedmachines",
            Self::AcceptRule => "acceptrules",
            Self::Machine => "machines",
            Self::Webhook => "webhooks",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = ValueError;

    /// Takes `Subnet`, `subnet` and `subnets`.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wanted = text.to_lowercase();
        Self::ALL
            .into_iter()
            .find(|kind| wanted == kind.plural() || wanted == kind.name().to_lowercase())
            .ok_or_else(|| {
                ValueError::new(
                    text,
                    "no kind of resource: role, firmware, subnet, image, profile, group, hardwareclass, expectedmachine, \
                     acceptrule, machine or webhook is expected",
                )
            })
    }
}

/// A resource as it is written and read back. `T` is the kind's spec, or JSON while the kind is still to be looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Document")]
#[serde(deny_unknown_fields)]
pub struct Document<T = serde_json::Value> {
    /// Which kind of resource.
    pub kind: Kind,
    /// Unique among the resources of its kind.
    pub name: Name,
    /// What selectors match.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// What is wanted.
    pub spec: T,
}
