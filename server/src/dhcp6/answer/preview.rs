//! What would be answered to a message: by the same rules, but nothing is set aside, written down or sent.
use super::{Answered, Arrival, Dhcp6Answers, leasing::Leasing};
use crate::{
    dhcp6::{
        listener::{Outcome, destination},
        wire::{self, CLIENT_PORT, Given, Packet, Question, ReplyKind, SERVER_PORT, StatusCode},
    },
    service::{
        boots::Asked,
        explain::{self, BadPacket, ExplainPackets},
    },
};
use ipnet::Ipv6Net;
use pilotlight_types::api::{PacketExplanation, PacketQuestion};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};

/// All_DHCP_Relay_Agents_and_Servers, where clients send (RFC 8415 section 7.1).
const EVERYBODY: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

impl Dhcp6Answers {
    /// What would be answered to this message now, and the question as it was understood, if it got as far. `network` is the one
    /// that it came from, if no relay says so.
    pub fn preview(
        &self,
        question: &Question,
        arrival: &Arrival,
        network: Option<Ipv6Net>,
    ) -> (Answered, Option<Asked>) {
        let mut caller = match self.understood(question, arrival) {
            Ok(caller) => caller,
            Err(refused) => return (refused.into(), None),
        };
        if let Some(network) = network.filter(|_| question.relays.is_empty()) {
            caller.from = network.network();
        }
        let asked = self.boots.answer(caller.question(), caller.from);
        match self.client(&question.message, caller, asked.clone()) {
            Ok(client) => (self.address(&client, &mut Leasing::Preview), Some(asked)),
            Err(why) => (Answered::silent(why), Some(asked)),
        }
    }

    /// How a message came in, as far as it and whoever asks say so, and the network that it is taken to be from.
    fn place(
        &self,
        asked: &PacketQuestion,
        question: &Question,
        local: IpAddr,
    ) -> Result<(Arrival, Option<Ipv6Net>), BadPacket> {
        let network = match question.relays.is_empty() {
            true => self.roster.read(|inventory| {
                let named = asked.subnet.as_deref();
                explain::subnet(inventory, named, |subnet| subnet.cidr6.is_some())
            })?,
            false => None,
        };
        let network = network.and_then(|subnet| subnet.cidr6);
        let local = match local {
            IpAddr::V6(local) if local.to_ipv4_mapped().is_none() => local,
            _ => Ipv6Addr::LOCALHOST,
        };
        let ours = network.and_then(|network| self.leases.ours_in(network)).unwrap_or(local);
        let v6 = |address: Option<IpAddr>| match address {
            Some(IpAddr::V6(address)) => Some(address),
            _ => None,
        };
        let from = v6(asked.from).unwrap_or(Ipv6Addr::UNSPECIFIED);
        let port = if question.relays.is_empty() { CLIENT_PORT } else { SERVER_PORT };
        let arrival = Arrival {
            ours: [ours].into(),
            to: v6(asked.to).unwrap_or(EVERYBODY),
            from: SocketAddrV6::new(from, port, 0, 0),
        };
        Ok((arrival, network))
    }
}

impl ExplainPackets for Dhcp6Answers {
    fn explain(&self, asked: &PacketQuestion, local: IpAddr) -> Result<PacketExplanation, BadPacket> {
        let bytes = explain::content(asked)?;
        let packet = Packet::read(&bytes).map_err(|error| BadPacket::NotDhcp(error.to_string()))?;
        let mut base = PacketExplanation::new(packet.view(), Outcome::Malformed.name());
        base.client = "nobody that is known".into();
        let question = match wire::parse(&bytes) {
            Ok(question) => question,
            Err(error) => {
                let client = packet.server().map_or(base.client, |server| format!("the server {server}"));
                let answer = "no answer: it is no question to a DHCPv6 server".to_owned();
                return Ok(PacketExplanation { client, answer, because: vec![error.to_string()], ..base });
            }
        };
        let (arrival, network) = self.place(asked, &question, local)?;
        let (answered, decided) = self.preview(&question, &arrival, network);
        let firmware = super::firmware(&question.message);
        let mut because = decided.as_ref().map(|asked| asked.decision.because.clone()).unwrap_or_default();
        if let Outcome::Silent(why) = answered.outcome {
            because.push(in_words(why));
        }
        if !self.serves {
            because.push("dhcp.ipv6 is false: nobody listens at port 547, and nothing is answered".into());
        }
        let sent = answered.reply.as_ref().map(|reply| wire::encode(&question, &self.duid, reply));
        let to = destination(&question, arrival.from);
        let whom = match (question.relays.is_empty(), to.ip().is_unspecified()) {
            (true, true) => format!("the client's link-local address, port {}", to.port()),
            (true, false) => format!("{}, port {}", to.ip(), to.port()),
            (false, true) => format!("the relay, port {}", to.port()),
            (false, false) => format!("the relay {}, port {}", to.ip(), to.port()),
        };
        Ok(PacketExplanation {
            client: format!("{} ({})", firmware.client.name(), firmware.why),
            subnet: decided.as_ref().and_then(|asked| asked.subnet.as_ref()).map(ToString::to_string),
            machine: decided.as_ref().and_then(|asked| asked.machine.as_ref()).map(|m| m.name.to_string()),
            answer: sentence(&answered),
            because,
            outcome: answered.outcome.name().to_owned(),
            to: sent.is_some().then_some(whom),
            reply: sent.as_deref().and_then(|sent| Packet::read(sent).ok()).map(|packet| packet.view()),
            reply_hex: sent.map(hex::encode),
            decision: decided.map_or(
                Value::Null,
                |asked| json!({"request": asked.request, "known": asked.known, "decision": asked.decision}),
            ),
            ..base
        })
    }
}

fn sentence(answered: &Answered) -> String {
    let Some(reply) = &answered.reply else {
        return match answered.outcome {
            Outcome::Silent(why) => format!("no answer: {}", in_words(why)),
            other => format!("no answer: {}", other.name()),
        };
    };
    let kind = match reply.kind {
        ReplyKind::Advertise => "Advertise",
        ReplyKind::Reply => "Reply",
    };
    let boot = || reply.boot_file.as_ref().map_or("nothing to boot".into(), |url| format!("boots {url}"));
    match (&reply.status, answered.outcome) {
        (_, Outcome::Released) => format!("{kind}: what was its own is taken back"),
        (_, Outcome::Declined) => format!("{kind}: what was its own is left alone for a while"),
        (Some(status), _) if status.code == StatusCode::Success => format!("{kind}: {}", status.text),
        (Some(status), _) => format!("{kind}: {:?}, {}", status.code, status.text),
        (None, _) => format!("{kind}: {}, {}", addresses(&reply.associations), boot()),
    }
}

fn addresses(associations: &[Given]) -> String {
    let given = associations.iter().flat_map(|given| &given.addresses);
    let all: Vec<String> = given
        .map(|(address, seconds)| match seconds {
            0 => format!("{address} no more"),
            seconds => format!("{address} for {seconds} s"),
        })
        .collect();
    let why = associations.iter().find_map(|given| given.status.as_ref());
    match (all.is_empty(), why) {
        (false, _) => all.join(" and "),
        (true, Some(status)) => format!("no address ({:?}: {})", status.code, status.text),
        (true, None) => "no address".into(),
    }
}

/// A reason of `pilotlight_dhcp6_packets_total` for people.
fn in_words(why: &str) -> String {
    match why {
        "no_client_id" => "it does not say who it is (option 1)",
        "no_server_id" => "it names no server (option 2), which such a message must",
        "server_id" => "it names a server (option 2), which a message to everybody must not",
        "other_server" => "it is for another server (option 2)",
        "not_for_servers" => "it wants addresses in an Information-request, which has none",
        "unicast" => "it was sent to our own address; clients ask everybody, at ff02::1:2",
        "no_address_of_ours" => "the interface has no IPv6 address of ours",
        "no_mac" => {
            "neither its link-local address, its DUID nor a relay tells its MAC, and no machine has its UUID"
        }
        "no_subnet" => "no subnet has the network that it came from as its cidr6; apply one (kind: Subnet)",
        "subnet_ignored" => "the subnet's mode is `ignore`",
        "subnet_not_ours" => "DHCPv6 is answered in subnets of the mode `authoritative` only",
        "no_address_asked" => "it asks whether its addresses are right, and names none",
        "unknown_machine" => "nobody declared the machine, and the subnet's `unknown` is `ignore`",
        other => return other.replace('_', " "),
    }
    .to_owned()
}
