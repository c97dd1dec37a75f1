//! Everything that one machine gets at its next boot.
use super::{Asker, NextBoots, reserved};
use crate::{
    domain::{
        boot::{BootRequest, Plan, Step},
        firmware::{Identity, classify},
        inventory::Inventory,
        machine::Machine,
        next_boot::{Config, NextBoot},
        profile::Kept,
    },
    service::{
        boots::Asked,
        configs::{Makings, Spot, told},
        images::Images,
        leases::lease_time,
    },
};
use pilotlight_types::resource::SubnetSpec;
use std::net::{IpAddr, Ipv4Addr};

/// Our own address, where nobody has asked it yet.
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl NextBoots {
    /// What the machine gets that asks so, were this the inventory; and what its config is made of, which is not made yet.
    pub(super) fn render(&self, inventory: &Inventory, asker: &Asker) -> (NextBoot, Making) {
        let from = asker.from.unwrap_or(LOCAL);
        // No DHCP packet has a serial number.
        let first =
            BootRequest { mac: asker.mac, uuid: asker.uuid, serial: None, firmware: asker.firmware.clone() };
        let ipxe = Identity {
            vendor_class: Some("PXEClient:Arch:00007:UNDI:003000"),
            user_class: Some(b"iPXE".as_slice()),
            archs: &[7],
            ipxe_options: Some([0x13, 1, 1].as_slice()),
            dhcp6: false,
        };
        let second = BootRequest { serial: asker.serial.clone(), firmware: classify(&ipxe), ..first.clone() };
        let firmware = self.boots.answer_in(inventory, first, from);
        let asked = self.boots.answer_in(inventory, second, from);
        let machine = asked.machine.as_deref();
        let subnet =
            asked.subnet.as_ref().and_then(|name| inventory.subnets.get(name)).map(|subnet| &*subnet.spec);
        let name = machine.map_or_else(|| asker.mac.to_string(), |machine| machine.name.to_string());
        let at = Spot { mac: asker.mac, address: address(asker, machine, subnet), from: asker.from };
        let script = match asked.decision.plan {
            Plan::Nothing { .. } => String::new(),
            _ => self
                .delivery
                .preview_in(inventory, &asked, &name, at, LOCAL)
                .replace("//0.0.0.0:", "//SERVER:"),
        };
        let making = self.making(inventory, &asked, at);
        let boot = NextBoot {
            answer: asked.decision.plan.to_string(),
            steps: vec![
                asked.decision.plan.to_string(),
                format!("firmware: {}", step(&firmware.decision.step)),
                format!("iPXE: {}", step(&asked.decision.step)),
            ],
            dhcp: subnet.map(|subnet| dhcp(inventory, &firmware, subnet)).unwrap_or_default(),
            script,
            image: image(inventory, &asked),
            secrets: making.secrets(),
            config: Config::None,
        };
        (boot, making)
    }

    fn making(&self, inventory: &Inventory, asked: &Asked, at: Spot) -> Making {
        let (Plan::Boot { profile, .. }, Some(machine)) = (&asked.decision.plan, &asked.machine) else {
            return Making::Nothing;
        };
        match self.configs.makings(inventory, machine, at, profile) {
            Ok(makings) => Making::Of(Box::new(makings)),
            Err(error) => Making::Broken(error.to_string()),
        }
    }
}

/// What a config is made of.
pub(super) enum Making {
    /// None is asked for.
    Nothing,
    /// These.
    Of(Box<Makings>),
    /// Something that is not to be had.
    Broken(String),
}

impl Making {
    /// Whether the same is made of both: then neither needs to be made.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => true,
            (Self::Of(one), Self::Of(other)) => one.is_same(other),
            _ => false,
        }
    }

    /// Where the values of its secrets are, one in each line: what they are, a plan does not look up.
    fn secrets(&self) -> Vec<String> {
        let Self::Of(makings) = self else { return Vec::new() };
        makings.secrets.iter().map(|(secret, place)| format!("{}: {place}", secret.name)).collect()
    }

    /// Makes it.
    pub(super) fn config(&self, kept: &mut Kept) -> Config {
        match self {
            Self::Nothing => Config::None,
            Self::Broken(why) => Config::Broken(why.clone()),
            Self::Of(makings) => {
                match kept.configs(&makings.layers, &makings.context, makings.limit.as_ref()) {
                    Ok(layers) => Config::Layers(layers, makings.machine.clone()),
                    Err(wrongs) => Config::Broken(told(wrongs)),
                }
            }
        }
    }
}

/// The address that it will have: the one that is reserved for it on the network where it is, else the one that it had there.
pub(super) fn address(
    asker: &Asker,
    machine: Option<&Machine>,
    subnet: Option<&SubnetSpec>,
) -> Option<IpAddr> {
    let here = |address: &IpAddr| match (address, subnet) {
        (IpAddr::V4(address), Some(subnet)) => ipnet::Ipv4Net::contains(&subnet.cidr, address),
        _ => false,
    };
    machine.and_then(reserved).filter(here).or(asker.last)
}

fn step(step: &Step) -> String {
    match step {
        Step::AddressOnly => "an address and no boot program".into(),
        Step::BootProgram { file, reply } => format!("boot program {file}, told as `{}`", reply.name()),
        Step::Script => "its script".into(),
        Step::Silent { why } => format!("no answer ({})", why.name()),
    }
}

/// What DHCP says beside what to boot, which the steps have.
fn dhcp(inventory: &Inventory, asked: &Asked, subnet: &SubnetSpec) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |what: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{what}: {value}"));
        }
    };
    if let Some(name) = &asked.subnet {
        say("subnet", name.to_string());
    }
    let row = asked.known.firmware.as_ref();
    for (what, bound) in
        [("TFTP block size", row.and_then(|r| r.block_size)), ("TFTP window", row.and_then(|r| r.window))]
    {
        say(what, bound.map(|bound| bound.to_string()).unwrap_or_default());
    }
    // Beside a server that gives the addresses, what to boot is all that we say.
    if matches!(asked.decision.plan, Plan::Nothing { .. }) || !subnet.gives_addresses() {
        return lines;
    }
    let machine = asked.machine.as_deref();
    let own =
        machine.and_then(|machine| machine.spec.ip).filter(|ip| ipnet::Ipv4Net::contains(&subnet.cidr, ip));
    say("address", own.map_or_else(|| "one of the ranges".into(), |ip| ip.to_string()));
    say("network", subnet.cidr.to_string());
    say("router", subnet.gateway.map(|ip| ip.to_string()).unwrap_or_default());
    say("DNS", list(&subnet.dns));
    say("domain", subnet.domain.clone().unwrap_or_default());
    say("host name", machine.map(|machine| machine.name.to_string()).unwrap_or_default());
    say(
        "lease",
        format!(
            "{} s while it boots, then {} s",
            lease_time(subnet, true).as_secs(),
            lease_time(subnet, false).as_secs()
        ),
    );
    for (code, bytes) in inventory.dhcp_options(subnet, machine) {
        say(&format!("option {code}"), option(&bytes));
    }
    if let Some(network) = subnet.cidr6 {
        let own = machine.and_then(|machine| machine.spec.ip6);
        say("IPv6 network", network.to_string());
        say("IPv6 address", own.map(|ip| ip.to_string()).unwrap_or_default());
        say("IPv6 DNS", list(&subnet.dns6));
    }
    lines
}

/// An option's bytes as a text where they are one, else in hex.
fn option(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        // Numbers and an address have up to four bytes, which may look like letters.
        Ok(text) if text.len() > 4 && text.chars().all(|c| c.is_ascii_graphic() || c == ' ') => {
            format!("{text:?}")
        }
        _ => format!("0x{}", hex::encode(bytes)),
    }
}

fn image(inventory: &Inventory, asked: &Asked) -> Vec<String> {
    let Plan::Boot { image, .. } = &asked.decision.plan else { return Vec::new() };
    let Some(spec) = inventory.images.get(image).map(|image| &*image.spec) else { return Vec::new() };
    let files = [
        Some(("kernel", spec.kernel.sha256.to_string())),
        Some(("initramfs", Images::initramfs(&spec.initrd))),
        spec.rootfs.as_ref().map(|file| ("rootfs", file.sha256.to_string())),
    ];
    files.into_iter().flatten().map(|(file, hash)| format!("{file}: {hash}")).collect()
}

fn list<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
