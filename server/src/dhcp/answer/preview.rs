//! What would be answered to a packet: by the same rules, but nothing is set aside, written down or sent.
use super::{Answered, Arrival, DhcpAnswers};
use crate::{
    dhcp::{
        listener::{Outcome, Role},
        wire::{self, Destination, LeaseTimes, Malformed, Packet, Reply, ReplyKind, Request},
    },
    domain::{
        boot::{BootRequest, Step},
        firmware::classify,
    },
    service::{
        boots::Asked,
        explain::{self, BadPacket, ExplainPackets},
    },
};
use pilotlight_types::{
    api::{PacketExplanation, PacketQuestion},
    resource::SubnetMode,
};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// An answer that is not given.
#[derive(Debug, Clone)]
pub struct Preview {
    /// What would be sent and counted.
    pub answered: Answered,
    /// The question as it was understood, if the packet got as far.
    pub asked: Option<Asked>,
}

impl DhcpAnswers {
    /// What would be answered to this packet now. `from` is the network that it came from, where neither a relay nor the
    /// client say so and it is not the one of `arrival.local`.
    pub fn preview(&self, request: &Request, arrival: &Arrival, from: Option<Ipv4Addr>) -> Preview {
        let (mac, told) = match self.understood(request, arrival) {
            Ok(understood) => understood,
            Err(why) => return Preview { answered: Answered::silent(why), asked: None },
        };
        let from = from.filter(|_| told == arrival.local).unwrap_or(told);
        let firmware = classify(&request.identity());
        let question = BootRequest { mac, uuid: request.uuid, serial: None, firmware };
        let asked = self.boots.answer(question, from);
        let Some(client) = self.client(request, asked.clone(), arrival) else {
            return Preview { answered: Answered::silent("no_subnet"), asked: Some(asked) };
        };
        let answered = match (client.subnet.mode, &client.asked.decision.step) {
            (SubnetMode::Ignore, _) => Answered::silent("subnet_ignored"),
            (SubnetMode::Authoritative, _) if self.shared => Answered::silent("port_shared"),
            (_, Step::Silent { why }) => Answered::silent(why.name()),
            _ => self.would(&client),
        };
        Preview { answered, asked: Some(client.asked) }
    }

    /// Where a packet came in: our address, and the network that it is taken to be from.
    fn place(
        &self,
        question: &PacketQuestion,
        request: Option<&Request>,
        (from, local): (Option<Ipv4Addr>, Ipv4Addr),
    ) -> Result<(Ipv4Addr, Option<Ipv4Addr>), BadPacket> {
        let said = request.and_then(|request| {
            request.link().or(Some(request.ciaddr).filter(|address| !address.is_unspecified()))
        });
        let to = v4(question.to).filter(|to| !to.is_broadcast() && !to.is_multicast());
        let named = question.subnet.as_deref();
        let subnet =
            self.roster.read(|inventory| match said.or(from).or(to).filter(|_| named.is_none()) {
                Some(address) => Ok(inventory.subnet_of(address).map(|(_, subnet)| subnet.spec.clone())),
                None => explain::subnet(inventory, named, |_| true),
            })?;
        let ours = subnet.as_ref().and_then(|subnet| self.leases.ours_in(subnet.cidr));
        Ok((to.or(ours).unwrap_or(local), subnet.map(|subnet| subnet.cidr.network())))
    }
}

impl ExplainPackets for DhcpAnswers {
    fn explain(&self, question: &PacketQuestion, local: IpAddr) -> Result<PacketExplanation, BadPacket> {
        let bytes = explain::content(question)?;
        let packet = Packet::read(&bytes).map_err(|error| BadPacket::NotDhcp(error.to_string()))?;
        let parsed = wire::parse(&bytes);
        let role = if question.port == Some(4011) { Role::BootServer } else { Role::Server };
        // Elsewhere the sender is the relay, or nobody yet: the packet itself says so.
        let own = v4(question.from).filter(|_| role == Role::BootServer);
        let local = v4(Some(local)).unwrap_or(Ipv4Addr::LOCALHOST);
        let (local, from) = self.place(question, parsed.as_ref().ok(), (own, local))?;
        let base = PacketExplanation::new(packet.view(), Outcome::Malformed.name());
        let request = match parsed {
            Ok(request) => request,
            Err(error) => return Ok(not_answered(base, &packet, error)),
        };
        let said = [request.giaddr, request.ciaddr].into_iter().find(|address| !address.is_unspecified());
        let sender = own.or(said);
        let arrival = Arrival {
            interface: "explain".into(),
            local,
            from: SocketAddrV4::new(sender.unwrap_or(Ipv4Addr::UNSPECIFIED), 68),
            role,
        };
        let Preview { answered, asked } = self.preview(&request, &arrival, from);
        let firmware = classify(&request.identity());
        let mut because = asked.as_ref().map(|asked| asked.decision.because.clone()).unwrap_or_default();
        if let Outcome::Silent(why) = answered.outcome {
            because.push(in_words(why));
        }
        let mode = asked.as_ref().and_then(|asked| asked.known.subnet.as_ref()).map(|subnet| subnet.mode);
        if mode == Some(SubnetMode::Shadow) {
            because.push("the subnet's mode is `shadow`: that is written down, and not sent".into());
        }
        let sent = answered.reply.as_ref().map(|reply| wire::encode(&request, reply));
        Ok(PacketExplanation {
            client: format!("{} ({})", firmware.client.name(), firmware.why),
            subnet: asked.as_ref().and_then(|asked| asked.subnet.as_ref()).map(ToString::to_string),
            machine: asked.as_ref().and_then(|asked| asked.machine.as_ref()).map(|m| m.name.to_string()),
            answer: sentence(&answered),
            because,
            outcome: answered.outcome.name().to_owned(),
            to: answered.reply.as_ref().map(|reply| where_to(&request, reply, role)),
            reply: sent.as_deref().and_then(|sent| Packet::read(sent).ok()).map(|packet| packet.view()),
            reply_hex: sent.map(hex::encode),
            decision: asked.map_or(
                Value::Null,
                |asked| json!({"request": asked.request, "known": asked.known, "decision": asked.decision}),
            ),
            ..base
        })
    }
}

/// An address of IPv4 that somebody can have.
fn v4(address: Option<IpAddr>) -> Option<Ipv4Addr> {
    match address?.to_canonical() {
        IpAddr::V4(address) if !address.is_unspecified() => Some(address),
        _ => None,
    }
}

fn not_answered(base: PacketExplanation, packet: &Packet, error: Malformed) -> PacketExplanation {
    let client = match error {
        Malformed::NotARequest(2) => match packet.server_id() {
            Some(server) => format!("the server {server}"),
            None => "a server".to_owned(),
        },
        _ => "nobody that is known".to_owned(),
    };
    let answer = "no answer: it is no request to a DHCP server".to_owned();
    PacketExplanation { client, answer, because: vec![error.to_string()], ..base }
}

fn sentence(answered: &Answered) -> String {
    let Some(reply) = &answered.reply else {
        return match answered.outcome {
            Outcome::Released => "no answer is due: the address is taken back".into(),
            Outcome::Declined => "no answer is due: the address is left alone for a while".into(),
            Outcome::Silent(why) => format!("no answer: {}", in_words(why)),
            other => format!("no answer: {}", other.name()),
        };
    };
    let kind = match reply.kind {
        ReplyKind::Offer => "DHCPOFFER",
        ReplyKind::Ack => "DHCPACK",
        ReplyKind::Nak => {
            return format!("DHCPNAK: {}", reply.message.as_deref().unwrap_or("no reason"));
        }
    };
    let address = match (reply.yiaddr, reply.lease) {
        (Some(address), Some(LeaseTimes { lease, .. })) => format!("{address} for {lease} s"),
        (Some(address), None) => address.to_string(),
        (None, _) => "no address".into(),
    };
    match &reply.boot {
        Some(boot) => format!("{kind}: {address}, boots {}", boot.file),
        None => format!("{kind}: {address}, nothing to boot"),
    }
}

fn where_to(request: &Request, reply: &Reply, role: Role) -> String {
    if role == Role::BootServer {
        return "back to the address and port that asked, from port 4011".into();
    }
    match wire::destination(request, reply) {
        Destination::Relay(relay) => format!("the relay {relay}, port 67"),
        Destination::Unicast(client) => format!("{client}, port 68"),
        Destination::Broadcast => "everybody (255.255.255.255), port 68".into(),
        Destination::HardwareUnicast { mac, yiaddr } => {
            format!("{yiaddr}, port 68, in a frame to {mac}: it does not answer ARP yet")
        }
    }
}

/// A reason of `pilotlight_dhcp_packets_total` for people.
fn in_words(why: &str) -> String {
    match why {
        "no_address_of_ours" => "the interface has no address of ours",
        "no_mac" => "it has no Ethernet address of a host",
        "bad_address" => "it names an address that no host can have, as its relay's or as its own",
        "not_for_servers" => "it is a message of a server, or no question at all",
        "port_shared" => "another DHCP server has this host's port as well: no address is given",
        "nothing_to_boot" => "the decision names nothing to boot",
        "no_subnet" => "no subnet has the network that it came from; apply one (kind: Subnet)",
        "subnet_ignored" => "the subnet's mode is `ignore`",
        "other_server" => "it took another server's offer (option 54)",
        "no_address_asked" => "it asks for no address (neither option 50 nor ciaddr)",
        "no_address" => "no address is free for it in the subnet's ranges",
        "unknown_machine" => "nobody declared the machine, and the subnet's `unknown` is `ignore`",
        other => return other.replace('_', " "),
    }
    .to_owned()
}
