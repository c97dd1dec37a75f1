//! From a DHCPv6 question to its answer: who asks, on which network, and what becomes of its addresses.
mod addresses;
mod leasing;
mod preview;
mod reply;

use self::leasing::Leasing;
use super::{
    listener::{Answered, Arrival, Handler, Outcome},
    wire::{Message, Question, Reply, ReplyKind, Status, StatusCode},
};
use crate::{
    domain::{
        boot::{BootRequest, Step},
        dhcp6::{Asks, Heard, Named, Sender, hear},
        duid::Duid,
        firmware::{Client, Firmware, Identity, classify},
        flood::{Limiter, Verdict},
    },
    metrics::Dhcp6Metrics,
    service::{
        boots::{Asked, Boots, Seen},
        journal::Journal,
        leases6::Leases6,
        ports::Ports,
        roster::Roster,
        sightings::Sightings,
    },
};
use pilotlight_types::{
    Mac,
    api::Phase,
    resource::{Name, SubnetMode, SubnetSpec},
};
use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;

/// Finds the answers to DHCPv6 questions.
#[derive(Debug)]
pub struct Dhcp6Answers {
    /// What we call ourselves.
    pub duid: Duid,
    /// Whether anybody listens (`dhcp.ipv6`); else nothing comes in, and there is only somebody to ask.
    pub serves: bool,
    /// What machines get.
    pub boots: Boots,
    /// Which address.
    pub leases: Leases6,
    /// The subnets.
    pub roster: Roster,
    /// Where it is written down.
    pub journal: Journal,
    /// Where machines reach us.
    pub ports: Ports,
    /// What is seen beside.
    pub sightings: Sightings,
    /// Keeps floods off.
    pub limiter: Mutex<Limiter>,
    /// Counts the outcomes.
    pub metrics: Dhcp6Metrics,
}

/// Who asks, as far as the message says, and from where.
struct Caller {
    sender: Sender,
    mac: Mac,
    uuid: Option<Uuid>,
    firmware: Firmware,
    /// Our address, as machines there are told it.
    local: Ipv6Addr,
    /// An address of the network that it is on.
    from: Ipv6Addr,
}

impl Caller {
    fn question(&self) -> BootRequest {
        BootRequest { mac: self.mac, uuid: self.uuid, serial: None, firmware: self.firmware.clone() }
    }
}

/// A question of a client on a subnet that we serve.
struct Client6<'a> {
    message: &'a Message,
    sender: Sender,
    asked: Asked,
    name: Name,
    subnet: Arc<SubnetSpec>,
    /// Our address, as machines there are told it.
    local: Ipv6Addr,
}

/// No interface has the MAC of zeros: who asks with it is known by nothing but its DUID.
const NO_MAC: Mac = Mac::new([0; 6]);

impl Handler for Dhcp6Answers {
    async fn handle(&self, question: &Question, arrival: &Arrival) -> Answered {
        let caller = match self.understood(question, arrival) {
            Ok(caller) => caller,
            Err(refused) => return refused.into(),
        };
        if let Err(why) = self.taken(&caller, question.message.client.as_ref()) {
            return Answered::silent(why);
        }
        let asked = self.boots.ask(caller.question(), caller.from).await;
        let client = match self.client(&question.message, caller, asked) {
            Ok(client) => client,
            Err(why) => return Answered::silent(why),
        };
        if client.message.asks == Asks::Solicit && !self.may_boot(&client) {
            return Answered::silent("paced");
        }
        let mut leasing = Leasing::Real(Vec::new());
        let answered = self.address(&client, &mut leasing);
        if let Leasing::Real(given) = leasing
            && let Err(error) = self.leases.commit(&client.name, given).await
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an IPv6 lease was not stored, so {} got no answer",
                client.asked.request.mac
            );
            return Answered { reply: None, outcome: Outcome::Failed };
        }
        self.note(&client, &answered).await;
        answered
    }

    fn duid(&self) -> &Duid {
        &self.duid
    }

    fn count(&self, outcome: Outcome) {
        let reason = if let Outcome::Silent(why) = outcome { why } else { "" };
        self.metrics.count(outcome.name(), reason);
    }
}

/// A message that gets the same answer, or none, whoever sent it.
enum Refused {
    /// A client may send to our own address only when it was told so, which we never do (RFC 8415 section 18.4).
    ToEverybody,
    /// It is left alone, for this reason.
    Silent(&'static str),
}

impl From<Refused> for Answered {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::ToEverybody => {
                let status = Some(Status::new(StatusCode::UseMulticast, "ask everybody, at ff02::1:2"));
                let reply = Reply { status, ..Reply::new(ReplyKind::Reply) };
                Self { reply: Some(reply), outcome: Outcome::Replied }
            }
            Refused::Silent(why) => Self::silent(why),
        }
    }
}

/// Who sent a message. iPXE does not tell its features in DHCPv6: one that has IPv6 is taken to have HTTP.
fn firmware(message: &Message) -> Firmware {
    let ipxe = message.user_classes.iter().any(|class| class == b"iPXE");
    classify(&Identity {
        vendor_class: message.vendor_class.as_ref().map(|class| class.text.as_str()),
        user_class: ipxe.then_some(b"iPXE"),
        archs: &message.archs,
        ipxe_options: ipxe.then_some(&[0x13, 1, 1]),
        dhcp6: true,
    })
}

impl Dhcp6Answers {
    /// Who asks, unless the message is answered, or passed over, whoever that is.
    fn understood(&self, question: &Question, arrival: &Arrival) -> Result<Caller, Refused> {
        let message = &question.message;
        let server = match &message.server {
            None => Named::Nobody,
            Some(server) if *server == self.duid => Named::Us,
            Some(_) => Named::Another,
        };
        let unicast = question.relays.is_empty() && !arrival.to.is_multicast();
        let (has_id, has_associations) = (message.client.is_some(), !message.associations.is_empty());
        match hear(message.asks, has_id, server, has_associations, unicast) {
            Heard::Take => {}
            Heard::ToEverybody => return Err(Refused::ToEverybody),
            Heard::Discard(why) => return Err(Refused::Silent(why)),
        }
        let peer = question.relays.last().map_or(*arrival.from.ip(), |relay| relay.peer);
        let relayed = question.relays.last().and_then(|relay| relay.mac);
        let sender = Sender::new(message.client.as_ref(), relayed, peer);
        let uuid = self.known_uuid(&sender);
        let (local, from) =
            self.where_from(question, arrival).ok_or(Refused::Silent("no_address_of_ours"))?;
        let firmware = firmware(message);
        let boots = !matches!(firmware.client, Client::Os | Client::Bmc { .. });
        let mac = self.mac_of(&sender, uuid).or((!boots).then_some(NO_MAC));
        let mac = mac.ok_or(Refused::Silent("no_mac"))?;
        Ok(Caller { sender, mac, uuid, firmware, local, from })
    }

    /// The client that asked, or why it gets no answer.
    fn client<'a>(
        &self,
        message: &'a Message,
        caller: Caller,
        asked: Asked,
    ) -> Result<Client6<'a>, &'static str> {
        let name = asked.subnet.clone().ok_or("no_subnet")?;
        let subnet = self.roster.read(|i| i.subnets.get(&name).map(|subnet| subnet.spec.clone()));
        let subnet = subnet.ok_or("no_subnet")?;
        match (subnet.mode, &asked.decision.step) {
            (SubnetMode::Ignore, _) => return Err("subnet_ignored"),
            (SubnetMode::Proxy | SubnetMode::Shadow, _) => return Err("subnet_not_ours"),
            (SubnetMode::Authoritative, Step::Silent { why }) => return Err(why.name()),
            (SubnetMode::Authoritative, _) => {}
        }
        Ok(Client6 { message, sender: caller.sender, asked, name, subnet, local: caller.local })
    }

    /// In a boot storm firmware is kept waiting, so that boot programs get through. iPXE is not: its script makes it wait.
    fn may_boot(&self, client: &Client6<'_>) -> bool {
        let firmware = matches!(client.asked.request.firmware.client, Client::Pxe | Client::HttpBoot);
        match &client.asked.machine {
            Some(machine) if firmware => {
                self.boots.pacing().offer(&client.name, machine.id, self.journal.now())
            }
            _ => true,
        }
    }

    /// The UUID in the DUID, in the order of bytes in which a machine has it.
    fn known_uuid(&self, sender: &Sender) -> Option<Uuid> {
        let uuids = sender.uuids?;
        let known = |uuid: &&Uuid| self.roster.read(|i| i.machine_that_says(NO_MAC, Some(**uuid)).is_some());
        uuids.iter().find(known).or(uuids.first()).copied()
    }

    /// The interface that a machine goes by: its own, or the first of the machine that is known by its UUID.
    fn mac_of(&self, sender: &Sender, uuid: Option<Uuid>) -> Option<Mac> {
        let by_uuid = || {
            self.roster
                .read(|inventory| inventory.machine_that_says(NO_MAC, uuid)?.spec.macs.first().copied())
        };
        sender.mac().or_else(by_uuid)
    }

    /// Whether a message is taken at all, or is one too many.
    fn taken(&self, caller: &Caller, client: Option<&Duid>) -> Result<(), &'static str> {
        let mac = caller.sender.mac();
        let declared = self.roster.read(|inventory| {
            inventory
                .machine_that_says(mac.unwrap_or(NO_MAC), caller.uuid)
                .is_some_and(|m| m.is_vouched_for())
        });
        // Who has no MAC is told from others by a piece of its DUID.
        let nameless = || {
            let duid = client.map(Duid::bytes).unwrap_or_default();
            duid.last_chunk::<6>().map_or(NO_MAC, |end| Mac::new(*end))
        };
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        match limiter.take(mac.unwrap_or_else(nameless), declared, self.journal.now()) {
            Verdict::Take => Ok(()),
            Verdict::TooOften => Err("too_often"),
            Verdict::Flood => Err("flood"),
        }
    }

    /// Our address as the client is told it, and an address of the network that it is on: the relay next to it says which, and
    /// without one it is that of the interface.
    fn where_from(&self, question: &Question, arrival: &Arrival) -> Option<(Ipv6Addr, Ipv6Addr)> {
        let served = |address: &&Ipv6Addr| self.roster.read(|i| i.subnet_of(**address).is_some());
        let ours = arrival.ours.iter().find(served).or(arrival.ours.first()).copied();
        let global = |address: &Ipv6Addr| {
            !address.is_unspecified() && !address.is_unicast_link_local() && !address.is_multicast()
        };
        let asked = Some(arrival.to).filter(global);
        if question.relays.is_empty() {
            let local = ours?;
            return Some((local, local));
        }
        // A relay on the link itself has no address there, and leaves it to the next (RFC 6221 section 5.1).
        let link = question.relays.iter().rev().map(|relay| relay.link).find(global);
        let local = asked.or(ours)?;
        Some((local, link.unwrap_or(local)))
    }

    /// Writes down what firmware and iPXE were told.
    async fn note(&self, client: &Client6<'_>, answered: &Answered) {
        let (Some(reply), Some(machine)) = (&answered.reply, &client.asked.machine) else { return };
        if client.asked.decision.step == Step::AddressOnly
            || !matches!(client.message.asks, Asks::Solicit | Asks::Request | Asks::Information)
        {
            return;
        }
        let given = reply.associations.iter().flat_map(|given| &given.addresses);
        let address = given.filter(|(_, seconds)| *seconds > 0).map(|(address, _)| *address).next();
        if address.is_none() && client.message.asks != Asks::Information {
            return;
        }
        let firmware = &client.asked.request.firmware;
        self.boots.firmware().met(client.asked.request.mac, firmware, self.journal.now());
        let file = reply.boot_file.clone();
        let seen = Seen {
            phase: Phase::Dhcp,
            detail: file.clone(),
            bytes: 0,
            request: true,
            done: reply.kind == ReplyKind::Reply,
        };
        let noted = self.boots.note(&client.asked, machine, address.map(IpAddr::V6), seen).await;
        self.journal.later(noted.writes);
        tracing::info!(
            boot.id = %noted.boot,
            machine.mac = %client.asked.request.mac,
            "DHCPv6: {} for {}: {}, boots {}",
            answered.outcome.name(),
            machine.name,
            address.map_or_else(|| "no address".to_owned(), |address| address.to_string()),
            file.as_deref().unwrap_or("nothing")
        );
    }
}
