//! What each kind of resource asks for. Unknown keys are errors.
use super::{
    bmc::BmcSpec,
    options::{DhcpOptions, Percent},
    range6::Ipv6Range,
    secret::{SecretName, SecretRef},
    value::{Duration, Ipv4Range, Labels, LinkRate, Name, Sha256},
};
use crate::Mac;
use ipnet::{Ipv4Net, Ipv6Net};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
};
use uuid::Uuid;

/// A network that we answer on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SubnetSpec {
    /// The network, such as `10.77.0.0/24`.
    #[schemars(with = "String", example = "10.77.0.0/24")]
    pub cidr: Ipv4Net,
    /// Whether we answer there.
    pub mode: SubnetMode,
    /// Addresses that we may lease to machines without one of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Ipv4Range>,
    /// Addresses of the ranges that are never leased.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Ipv4Range>,
    /// How much of the ranges is kept for machines that were declared; a quarter unless said otherwise.
    #[serde(default = "a_quarter")]
    pub keep_for_declared: Percent,
    /// Option 3, Router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Ipv4Addr>,
    /// Option 6, Domain Server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<Ipv4Addr>,
    /// Option 15, Domain Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// How long a lease lasts; one hour unless said otherwise.
    #[serde(default = "one_hour")]
    pub lease: Duration,
    /// How long a lease lasts that firmware or iPXE takes: it is of no use once the operating system runs; two minutes unless said
    /// otherwise, and never longer than `lease`.
    #[serde(default = "two_minutes")]
    pub boot_lease: Duration,
    /// Whether an address of the ranges is asked for by ARP, or by ICMP behind a relay, before it is given to a client that did not
    /// have it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub probe: bool,
    /// Further options by number, for every machine on the subnet.
    #[serde(default, skip_serializing_if = "DhcpOptions::is_empty")]
    pub options: DhcpOptions,
    /// What a machine that nobody declared gets.
    #[serde(default)]
    pub unknown: Unknown,
    /// Whether iPXE's router solicitations are answered with an advert of lifetime 0, which spares each boot some 13 seconds;
    /// for networks where a router advertises itself, this is to be off.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub answer_router_solicitations: bool,
    /// The row of the firmware table for every machine here, whatever it says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Name>,
    /// How fast the link to its machines is: as many load their image at once as it serves in a minute. Unless said otherwise, as
    /// fast as the daemon's own interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_rate: Option<LinkRate>,
    /// How many machines may load their image at once, instead of what follows from the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_boots: Option<NonZeroU32>,
    /// The same link's IPv6 network, such as `2001:db8:77::/64`: in the mode `authoritative` its DHCPv6 server is us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", example = "2001:db8:77::/64")]
    pub cidr6: Option<Ipv6Net>,
    /// IPv6 addresses that we may lease to machines without one of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges6: Vec<Ipv6Range>,
    /// DHCPv6 option 23, DNS Recursive Name Server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns6: Vec<Ipv6Addr>,
}

impl SubnetSpec {
    /// Whether we give the addresses there. In `shadow` we would, if there are ranges to give them from.
    pub fn gives_addresses(&self) -> bool {
        match self.mode {
            SubnetMode::Authoritative => true,
            SubnetMode::Shadow => !self.ranges.is_empty(),
            SubnetMode::Proxy | SubnetMode::Ignore => false,
        }
    }
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
const fn is_true(flag: &bool) -> bool {
    *flag
}

const fn one_hour() -> Duration {
    Duration::seconds(3600)
}

const fn two_minutes() -> Duration {
    Duration::seconds(120)
}

const fn a_quarter() -> Percent {
    Percent::QUARTER
}

/// How a subnet is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubnetMode {
    /// We are its DHCP server.
    Authoritative,
    /// Another server gives the addresses; we tell firmware and iPXE what to boot.
    Proxy,
    /// We never answer, and write down what we would have answered.
    Shadow,
    /// We never answer.
    Ignore,
}

/// What a machine that nobody declared gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// It is recorded, and gets no answer.
    #[default]
    Ignore,
    /// It is recorded, and boots the profile whose boot mode is `discovery`, or waits where there is none.
    Discover,
    /// It is accepted at once, and boots what its group says.
    Accept,
}

/// Kernel, initramfs and rootfs of one version of an OS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ImageSpec {
    /// Which OS: says which kernel arguments it takes.
    pub os: ImageOs,
    /// As the kernel names it: `x86_64`.
    pub arch: String,
    /// The OS's own version.
    pub version: String,
    /// The kernel.
    pub kernel: FileRef,
    /// The initramfs, in one or several files that are joined in this order.
    pub initrd: Vec<FileRef>,
    /// The root file system of a live system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rootfs: Option<FileRef>,
    /// The newest Ignition spec that its Ignition takes, such as `3.3.0`; by what is known of the OS, unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignition: Option<String>,
}

/// The operating systems whose kernel arguments are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImageOs {
    /// Fedora CoreOS and what takes its arguments.
    FedoraCoreos,
    /// Flatcar Container Linux.
    Flatcar,
    /// Container Linux, the ancestor of both.
    ContainerLinux,
    /// Anything else: it gets the profile's arguments and no others.
    Generic,
}

/// One file of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// `https://…`, `http://…`, or an absolute path on the server.
    pub url: String,
    /// What its content must hash to.
    pub sha256: Sha256,
}

/// What a machine should run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProfileSpec {
    /// The image to boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Name>,
    /// How it is booted.
    pub boot: BootMode,
    /// Kernel arguments beside those that the image's OS needs; templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernel_args: Vec<String>,
    /// Profiles whose configs come below this one's, lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Name>,
    /// The config as Butane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub butane: Option<String>,
    /// The config as Ignition, instead of Butane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignition: Option<Map<String, Value>>,
    /// The files that its Butane takes in (`local`, `trees` and the like), by their path beside it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, ProfileFile>,
    /// Where the secrets of its templates are. Those of an upper layer, a group and a machine win over those of the same name below.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<SecretName, SecretRef>,
    /// The cluster that its machines are for: a name for its templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Name>,
}

/// A file beside a profile's Butane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a file is a text, or a map with one of `text`, `base64` and `link`, and `executable`"
)]
pub enum ProfileFile {
    /// A text that nobody executes.
    Text(String),
    /// Any other.
    Other(OtherFile),
}

/// A file that takes more than a text to say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherFile {
    /// What is in it, as a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What is in it, in base64 (RFC 4648, section 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// It is a symbolic link to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Whether it may be executed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub executable: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// How a profile's machines boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BootMode {
    /// From memory, over the network, each time.
    Live,
    /// From the local disk.
    Local,
    /// As `live`, for machines that nobody declared.
    Discovery,
}

/// Which machines run which profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupSpec {
    /// The machines of the group; an empty match takes every machine.
    #[serde(rename = "match", default)]
    pub matches: Match,
    /// What they run.
    pub profile: Name,
    /// Values for the templates of their profiles.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Value>,
    /// Secrets for the templates of their profiles; they win over the profiles' own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<SecretName, SecretRef>,
    /// The higher wins where two groups are equally specific.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// Further DHCP options by number; they win over the subnet's.
    #[serde(default, skip_serializing_if = "DhcpOptions::is_empty")]
    pub options: DhcpOptions,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// Says which machines are meant: all that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Match {
    /// Each of these labels has this value.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// One of the machine's MACs is among these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<Mac>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MachineSpec {
    /// Its network interfaces.
    #[serde(default)]
    pub macs: Vec<Mac>,
    /// Its SMBIOS UUID, as the OS prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    /// Its serial number, as SMBIOS has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The address reserved for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<Ipv4Addr>,
    /// The IPv6 address reserved for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip6: Option<Ipv6Addr>,
    /// Further DHCP options by number; they win over the group's and the subnet's.
    #[serde(default, skip_serializing_if = "DhcpOptions::is_empty")]
    pub options: DhcpOptions,
    /// Secrets for the templates of its profile; they win over its group's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<SecretName, SecretRef>,
    /// The rack that it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The rack unit of its lower edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<u16>,
    /// The controller that switches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmc: Option<BmcSpec>,
    /// The row of the firmware table for it, whatever it says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Name>,
    /// The hardware class that it is to be of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Name>,
}
