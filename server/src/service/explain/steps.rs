//! What DHCP says in the two steps of a boot: made by asking it the questions that firmware and iPXE ask, which sends nothing.
use super::{Explain, Packets};
use crate::{
    domain::{boot::Step, inventory::Inventory},
    service::boots::Asked,
};
use pilotlight_types::{
    Mac,
    api::{DhcpField, DhcpStep, PacketField, PacketQuestion},
    resource::{DhcpOptions, Name, SubnetSpec},
};
use std::net::IpAddr;
use uuid::Uuid;

/// What firmware asks for (option 55): addresses, names, times, and what to boot.
const WANTED: [u8; 14] = [1, 3, 6, 12, 15, 28, 43, 51, 54, 58, 59, 60, 66, 67];

impl Explain {
    /// What DHCP would say to the firmware, and then to iPXE; nothing, where DHCP is not asked.
    pub(super) fn steps(&self, firmware: &Asked, ipxe: &Asked, local: IpAddr) -> Vec<DhcpStep> {
        let Some(packets) = &self.packets else { return Vec::new() };
        let both = [("firmware", firmware, false), ("ipxe", ipxe, true)];
        both.into_iter()
            .filter_map(|(asks, asked, is_ipxe)| self.step(packets, (asks, asked), is_ipxe, local))
            .collect()
    }

    fn step(
        &self,
        packets: &Packets,
        (asks, asked): (&str, &Asked),
        is_ipxe: bool,
        local: IpAddr,
    ) -> Option<DhcpStep> {
        let code = asked.request.firmware.code.unwrap_or(7);
        let question = PacketQuestion {
            packet: hex::encode(discover(asked.request.mac, asked.request.uuid, code, is_ipxe)),
            subnet: asked.subnet.as_ref().map(ToString::to_string),
            ..PacketQuestion::default()
        };
        let explained = packets.explain(&question, local).ok()?;
        let fields = explained.reply.map(|reply| reply.fields).unwrap_or_default();
        let fields = self.roster.read(|inventory| {
            let sources = Sources { inventory, asked };
            fields.into_iter().map(|field| sources.told(field)).collect()
        });
        Some(DhcpStep { asks: asks.to_owned(), answer: explained.answer, fields })
    }
}

/// A DHCPDISCOVER as firmware of this architecture sends it, or iPXE on it (RFC 2131, RFC 4578, iPXE's option 175).
fn discover(mac: Mac, uuid: Option<Uuid>, arch: u16, is_ipxe: bool) -> Vec<u8> {
    let mut packet = vec![0_u8; 236];
    // A request of Ethernet, to be answered to everybody.
    packet.splice(0..4, [1, 1, 6, 0]);
    packet.splice(4..8, [0x50, 0x4c, 0x45, 0x58]);
    packet.splice(10..12, [0x80, 0]);
    packet.splice(28..34, mac.bytes());
    packet.extend([99, 130, 83, 99]);
    let mut option = |code: u8, data: &[u8]| {
        packet.extend([code, u8::try_from(data.len()).unwrap_or(u8::MAX)]);
        packet.extend(data);
    };
    // HTTP Boot has architectures of its own (IANA, "Processor Architecture Types"): 15 to 20 and 35 to 42 among others.
    let over_http = matches!(arch, 15..=20 | 22 | 24 | 26 | 28 | 30 | 35 | 36 | 38 | 40 | 42);
    let class = if over_http { "HTTPClient" } else { "PXEClient" };
    option(53, &[1]);
    option(55, &WANTED);
    option(57, &1472_u16.to_be_bytes());
    option(60, format!("{class}:Arch:{arch:05}:UNDI:003000").as_bytes());
    option(93, &arch.to_be_bytes());
    option(94, &[1, 3, 0]);
    if let Some(uuid) = uuid {
        let mut id = vec![0];
        id.extend(uuid.to_bytes_le());
        option(97, &id);
    }
    if is_ipxe {
        option(77, b"iPXE");
        // It speaks HTTP.
        option(175, &[0x13, 1, 1]);
    }
    packet.push(255);
    packet
}

/// Where the fields of an answer are from.
struct Sources<'a> {
    inventory: &'a Inventory,
    asked: &'a Asked,
}

impl Sources<'_> {
    fn told(&self, PacketField { code, name, value }: PacketField) -> DhcpField {
        let from = match code {
            Some(code) => self.option(code),
            None => self.fixed(&name, &value),
        };
        DhcpField { code, name, value, from }
    }

    fn subnet(&self) -> Option<(&Name, &SubnetSpec)> {
        let name = self.asked.subnet.as_ref()?;
        self.inventory.subnets.get(name).map(|subnet| (name, &*subnet.spec))
    }

    fn of_subnet(&self, what: &str) -> String {
        self.subnet().map_or_else(|| what.to_owned(), |(name, _)| format!("subnet {name}, {what}"))
    }

    fn row(&self) -> String {
        match &self.asked.known.firmware {
            Some(row) => format!("firmware table, row {} ({})", row.row, row.by),
            None => "firmware table".to_owned(),
        }
    }

    /// The script's URL for iPXE, the boot program for firmware.
    fn what_to_boot(&self) -> String {
        match self.asked.decision.step {
            Step::Script => {
                "the daemon's configuration: http.listen, and its address on this network".to_owned()
            }
            _ => self.row(),
        }
    }

    fn option(&self, code: u16) -> String {
        if let Some(from) = self.written(code) {
            return from;
        }
        match code {
            1 | 28 => self.of_subnet("cidr"),
            3 => self.of_subnet("gateway"),
            6 => self.of_subnet("dns"),
            15 => self.of_subnet("domain"),
            12 => match &self.asked.machine {
                Some(machine) => format!("the name of machine {}", machine.name),
                None => "the machine's name".to_owned(),
            },
            51 | 58 | 59 => self.of_subnet("bootLease while it boots, lease after that"),
            54 | 66 | 150 => "the daemon's own address on this network".to_owned(),
            67 => self.what_to_boot(),
            43 | 60 => self.row(),
            61 | 82 | 97 => "what the machine said, or its relay".to_owned(),
            175 => "the protocol: iPXE need not wait for another server".to_owned(),
            _ => "the protocol".to_owned(),
        }
    }

    /// An option that somebody wrote: the machine's own counts before its group's, and that before the subnet's.
    fn written(&self, code: u16) -> Option<String> {
        let code = u8::try_from(code).ok()?;
        let machine = self.asked.machine.as_deref();
        let has = |options: &DhcpOptions| options.iter().any(|(own, _)| own == code);
        if let Some(machine) = machine.filter(|machine| has(&machine.spec.options)) {
            return Some(format!("machine {}, options", machine.name));
        }
        let group = machine.and_then(|machine| self.inventory.group_of(machine));
        if let Some(group) = group.filter(|group| has(&group.spec.options)) {
            return Some(format!("group {}, options", group.name));
        }
        self.subnet()
            .filter(|(_, subnet)| has(&subnet.options))
            .map(|(name, _)| format!("subnet {name}, options"))
    }

    fn fixed(&self, name: &str, value: &str) -> String {
        let reserved =
            self.asked.machine.as_ref().and_then(|machine| Some((machine.name.clone(), machine.spec.ip?)));
        match name {
            "yiaddr" => match reserved {
                Some((machine, ip)) if ip.to_string() == value => format!("machine {machine}, ip"),
                _ => self.of_subnet("ranges, or the lease that it has"),
            },
            "siaddr" | "sname" => "the daemon's own address on this network".to_owned(),
            "file" => self.what_to_boot(),
            _ => "the protocol".to_owned(),
        }
    }
}
