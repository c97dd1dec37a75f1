//! The decision: what a machine that asks gets now, and why. DHCP, TFTP, HTTP boot and `explain` all ask this function.
use super::{
    firmware::{Arch, Client, Firmware, table::Chosen},
    identity::{By, Conflict, Says},
    stage::{Revision, Stage},
};
use pilotlight_types::{
    Mac,
    resource::{BootMode, Leave, Name, ReplyStyle, SubnetMode, Unknown},
};
use serde::Serialize;
use std::fmt;
use uuid::Uuid;

/// What a machine says of itself when it asks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BootRequest {
    /// The interface that asks.
    pub mac: Mac,
    /// The SMBIOS UUID, where the client tells it (option 97).
    pub uuid: Option<Uuid>,
    /// The serial number, where it is told: by iPXE, when it asks for its script.
    pub serial: Option<String>,
    /// What program asks, on what architecture.
    pub firmware: Firmware,
}

impl BootRequest {
    /// What the machine says of itself.
    pub fn says(&self) -> Says<'_> {
        Says { mac: self.mac, uuid: self.uuid, serial: self.serial.as_deref() }
    }
}

/// All that the decision may look at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Known {
    /// The machine, where it is in the inventory.
    pub machine: Option<KnownMachine>,
    /// The subnet that the question came from.
    pub subnet: Option<KnownSubnet>,
    /// What the machine is armed with, looked up.
    pub armed: Option<Assigned>,
    /// The profile that unknown machines boot.
    pub discovery: Option<Assigned>,
    /// What the firmware table says to the program that asks.
    pub firmware: Option<Chosen>,
}

/// A machine, as far as the decision goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnownMachine {
    /// Its name.
    pub name: Name,
    /// Where it is in its life.
    #[serde(flatten)]
    pub stage: Stage,
    /// Why an operator holds it, if one does.
    pub hold: Option<String>,
    /// What it was found by.
    pub found: By,
    /// What it says that does not fit it.
    pub conflicts: Vec<Conflict>,
}

/// A subnet, as far as the decision goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnownSubnet {
    /// Its name.
    pub name: Name,
    /// Whether we answer there.
    pub mode: SubnetMode,
    /// Whether we give the addresses there, or in `shadow` would.
    pub addresses: bool,
    /// What undeclared machines get.
    pub unknown: Unknown,
}

/// A profile that a machine is to boot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assigned {
    /// Which, and which revision of it.
    #[serde(flatten)]
    pub revision: Revision,
    /// The group that says so, where one does.
    pub group: Option<Name>,
    /// How it boots.
    pub boot: BootMode,
    /// The image that it boots.
    pub image: Option<Name>,
}

/// What the machine is to get in this boot.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "plan", rename_all = "snake_case")]
pub enum Plan {
    /// This profile's image.
    Boot {
        /// The profile.
        profile: Revision,
        /// The image.
        image: Name,
    },
    /// Its own disk.
    LocalDisk,
    /// It waits, and asks again.
    Hold {
        /// For what, in words.
        why: String,
    },
    /// No answer at all.
    Nothing {
        /// Why.
        why: Silence,
    },
}

/// Why there is no answer: a reason, never a bare nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// The question came from a network that nobody configured.
    NoSubnet,
    /// The subnet's mode is `ignore`.
    SubnetIgnored,
    /// Nobody declared the machine, and its subnet ignores such.
    UnknownMachine,
    /// The machine is retired.
    Retired,
    /// There is no boot program for the machine's architecture.
    NoBootProgram,
    /// It asks for an address and for nothing else, and another server gives those.
    AddressOnly,
    /// The machine is to go on to its disk, and its firmware does so when it hears nothing; at once, where another server gives the
    /// addresses.
    LocalDisk,
}

/// The next thing that the asking program gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// An address and nothing else: it is an operating system or a BMC.
    AddressOnly,
    /// An address and a boot program.
    BootProgram {
        /// Its path below `ipxe.dir`.
        file: String,
        /// How it is told.
        reply: ReplyStyle,
    },
    /// An address and the URL of the script: it is iPXE.
    Script,
    /// Nothing.
    Silent {
        /// Why.
        why: Silence,
    },
}

/// What a machine gets, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// What it is to get in this boot.
    #[serde(flatten)]
    pub plan: Plan,
    /// The next thing that the asking program gets.
    #[serde(flatten)]
    pub step: Step,
    /// What led there, first things first.
    pub because: Vec<String>,
}

/// Decides. Pure: the same question and knowledge give the same answer.
pub fn decide(request: &BootRequest, known: &Known) -> Decision {
    let mut because = Vec::new();
    let plan = plan(known, &mut because);
    let proxy = known.subnet.as_ref().is_some_and(|subnet| !subnet.addresses);
    let step = match step(&request.firmware, &plan, known.firmware.as_ref(), &mut because) {
        step if proxy => as_proxy(step, &plan, &mut because),
        step => step,
    };
    Decision { plan, step, because }
}

fn plan(known: &Known, because: &mut Vec<String>) -> Plan {
    let Some(subnet) = &known.subnet else {
        because.push("the question came from a network that is no configured subnet".into());
        return Plan::Nothing { why: Silence::NoSubnet };
    };
    if subnet.mode == SubnetMode::Ignore {
        because.push(format!("subnet {} has the mode `ignore`", subnet.name));
        return Plan::Nothing { why: Silence::SubnetIgnored };
    }
    because.push(match (subnet.mode, subnet.addresses) {
        (SubnetMode::Shadow, _) => format!("it is on subnet {}, where we only watch", subnet.name),
        (_, true) => format!("it is on subnet {}, which we serve", subnet.name),
        (_, false) => format!("it is on subnet {}, where another server gives the addresses", subnet.name),
    });
    let Some(machine) = &known.machine else {
        because.push("nobody declared the machine".into());
        return undeclared(subnet, known, because);
    };
    because.extend(who(machine));
    if machine.stage == Stage::Retired {
        because.push(format!("{} is retired", machine.name));
        return Plan::Nothing { why: Silence::Retired };
    }
    if let Some(reason) = &machine.hold {
        because.push(format!("an operator holds {}: {reason}", machine.name));
        return Plan::Hold { why: reason.clone() };
    }
    because.push(format!("{} is {}", machine.name, machine.stage.name()));
    match &machine.stage {
        Stage::Discovered => undeclared(subnet, known, because),
        Stage::Ready => {
            because.push("nothing is asked of it".into());
            Plan::LocalDisk
        }
        stage => armed(stage, known, because),
    }
}

/// How it is known which machine it is, where that is not plain.
fn who(machine: &KnownMachine) -> impl Iterator<Item = String> {
    let KnownMachine { name, found, conflicts, .. } = machine;
    let by = match found {
        By::Mac => None,
        By::Uuid => Some(format!("it is {name} by its UUID; the MAC is not declared")),
        By::Serial => Some(format!("it is {name} by its serial number; the MAC is not declared")),
        By::LearnedMac => Some(format!("it is {name} by a MAC that {name} booted from before")),
    };
    let conflicts =
        conflicts.iter().map(move |conflict| format!("{conflict}: it is taken for {name} all the same"));
    by.into_iter().chain(conflicts)
}

fn undeclared(subnet: &KnownSubnet, known: &Known, because: &mut Vec<String>) -> Plan {
    match (subnet.unknown, &known.discovery) {
        (Unknown::Ignore, _) => {
            because.push(format!("subnet {} ignores unknown machines", subnet.name));
            Plan::Nothing { why: Silence::UnknownMachine }
        }
        (Unknown::Discover, Some(discovery)) => {
            because.push(format!("subnet {} lets unknown machines boot {}", subnet.name, discovery.revision));
            boot(discovery, because)
        }
        (Unknown::Discover, None) => {
            because.push("there is no profile whose boot mode is `discovery`".into());
            Plan::Hold { why: "nobody has accepted this machine, and there is no discovery profile".into() }
        }
        (Unknown::Accept, _) => {
            because.push(format!("subnet {} accepts unknown machines", subnet.name));
            Plan::Hold { why: "this machine is being accepted".into() }
        }
    }
}

fn armed(stage: &Stage, known: &Known, because: &mut Vec<String>) -> Plan {
    let Some(assigned) = &known.armed else {
        let wanted = stage.armed().map(ToString::to_string).unwrap_or_default();
        because.push(format!("profile {wanted} is not in the inventory any more"));
        return Plan::Hold { why: format!("profile {wanted} is not in the inventory any more") };
    };
    match &assigned.group {
        Some(group) => because.push(format!("it is armed for {}, by group {group}", assigned.revision)),
        None => because.push(format!("it is armed for {}", assigned.revision)),
    }
    boot(assigned, because)
}

fn boot(assigned: &Assigned, because: &mut Vec<String>) -> Plan {
    match (assigned.boot, &assigned.image) {
        (BootMode::Local, _) => {
            because.push(format!("{} boots from the disk", assigned.revision));
            Plan::LocalDisk
        }
        (BootMode::Live | BootMode::Discovery, Some(image)) => {
            because.push(format!("{} boots image {image} from memory", assigned.revision));
            Plan::Boot { profile: assigned.revision.clone(), image: image.clone() }
        }
        (BootMode::Live | BootMode::Discovery, None) => {
            because.push(format!("{} names no image", assigned.revision));
            Plan::Hold { why: format!("profile {} names no image", assigned.revision) }
        }
    }
}

fn step(firmware: &Firmware, plan: &Plan, row: Option<&Chosen>, because: &mut Vec<String>) -> Step {
    because.push(format!("{} asks: {}", firmware.client.name(), firmware.why));
    if let Plan::Nothing { why } = plan {
        return Step::Silent { why: *why };
    }
    if matches!(firmware.client, Client::Os | Client::Bmc { .. }) {
        because.push("that gets an address and no boot program".into());
        return Step::AddressOnly;
    }
    if *plan == Plan::LocalDisk && row.is_some_and(|row| row.leave == Some(Leave::Silence)) {
        because.push("its firmware goes on to the disk when it hears nothing".into());
        return Step::Silent { why: Silence::LocalDisk };
    }
    if matches!(&firmware.client, Client::Ipxe { features } if features.http()) {
        because.push("iPXE that can fetch by HTTP gets its script".into());
        return Step::Script;
    }
    let arch = firmware.arch.map_or("an unknown architecture", Arch::name);
    match row.and_then(|row| Some((row, row.program.clone()?))) {
        Some((row, file)) => {
            because.push(format!("{arch} boots {file}, told as `{}`: {}", row.reply.name(), row.by));
            Step::BootProgram { file, reply: row.reply }
        }
        None => {
            let why = row
                .map(|row| format!(" ({}, and none of its programs is there)", row.by))
                .unwrap_or_default();
            because.push(format!("there is no boot program for {arch}{why}"));
            Step::Silent { why: Silence::NoBootProgram }
        }
    }
}

/// Beside a server that gives the addresses, an answer is of use only to a machine that boots over the network.
fn as_proxy(step: Step, plan: &Plan, because: &mut Vec<String>) -> Step {
    match (step, plan) {
        (Step::AddressOnly, _) => {
            because.push("addresses are another server's business".into());
            Step::Silent { why: Silence::AddressOnly }
        }
        (Step::BootProgram { .. }, Plan::LocalDisk) => {
            because.push("firmware that gets no answer from us goes to its disk".into());
            Step::Silent { why: Silence::LocalDisk }
        }
        (step, _) => step,
    }
}

impl Silence {
    /// The reason as metrics and logs have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSubnet => "no_subnet",
            Self::SubnetIgnored => "subnet_ignored",
            Self::UnknownMachine => "unknown_machine",
            Self::Retired => "retired",
            Self::NoBootProgram => "no_boot_program",
            Self::AddressOnly => "address_only",
            Self::LocalDisk => "local_disk",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot { profile, image } => write!(f, "it boots profile {profile} with image {image}"),
            Self::LocalDisk => f.write_str("it boots from its disk"),
            Self::Hold { why } => write!(f, "it waits: {why}"),
            Self::Nothing { why } => write!(f, "it gets no answer ({})", why.name()),
        }
    }
}

#[cfg(test)]
mod tests;
