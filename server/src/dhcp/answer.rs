//! From a DHCP request to its answer: who asks, on which network, and who is to answer there.
mod addresses;
mod preview;
mod proxy;
mod reply;
mod shadow;

use super::{
    listener::{Answered, Arrival, Handler, Outcome, Role},
    wire::{MessageType, Reply, ReplyKind, Request},
};
use crate::{
    domain::{
        boot::{BootRequest, Step},
        firmware::{Client, classify},
        flood::{Limiter, Verdict},
    },
    metrics::DhcpMetrics,
    service::{
        boots::{Asked, Boots, Seen},
        journal::Journal,
        leases::{Asker, Leases},
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
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// Finds the answers to DHCP requests.
#[derive(Debug)]
pub struct DhcpAnswers {
    /// What machines get.
    pub boots: Boots,
    /// Which address.
    pub leases: Leases,
    /// The subnets.
    pub roster: Roster,
    /// Where it is written down.
    pub journal: Journal,
    /// Where machines reach us.
    pub ports: Ports,
    /// What is seen beside.
    pub sightings: Sightings,
    /// Whether another server on this host has our port as well: then no address is given.
    pub shared: bool,
    /// Keeps floods off.
    pub limiter: Mutex<Limiter>,
    /// Counts the outcomes.
    pub metrics: DhcpMetrics,
}

/// A request of a client on a subnet that we know.
struct Client4<'a> {
    request: &'a Request,
    mac: Mac,
    asked: Asked,
    name: Name,
    subnet: Arc<SubnetSpec>,
    /// Our address on its network.
    local: Ipv4Addr,
    /// Who we say that we are (option 54): `local`, or the relay where that asks for it (RFC 5107).
    server: Ipv4Addr,
    role: Role,
}

impl Client4<'_> {
    fn asker(&self) -> Asker<'_> {
        let machine = self.asked.machine.as_ref().map(|machine| machine.id);
        let boots = !matches!(self.asked.request.firmware.client, Client::Os | Client::Bmc { .. });
        Asker { subnet: &self.name, mac: self.mac, machine, boots }
    }
}

impl Handler for DhcpAnswers {
    async fn handle(&self, request: Request, arrival: Arrival) -> Answered {
        let (mac, from) = match self.taken(&request, &arrival) {
            Ok(taken) => taken,
            Err(why) => return Answered::silent(why),
        };
        let firmware = classify(&request.identity());
        let mode = self.roster.read(|i| i.subnet_of(from).map(|(_, subnet)| subnet.spec.mode));
        // Where nothing is sent, nothing is learned from what a client makes of it.
        let answered = matches!(mode, Some(SubnetMode::Authoritative | SubnetMode::Proxy));
        if request.kind == MessageType::Discover && answered {
            self.boots.firmware().asks(mac, &firmware, self.journal.now());
        }
        let question = BootRequest { mac, uuid: request.uuid, serial: None, firmware };
        let asked = self.boots.ask(question, from).await;
        let Some(client) = self.client(&request, asked, &arrival) else {
            return Answered::silent("no_subnet");
        };
        if !request.giaddr.is_unspecified() {
            self.sightings.relay(&client.name, request.giaddr.into());
        }
        // A machine that is to get nothing gets nothing, whatever it asks.
        let silence = match client.asked.decision.step {
            Step::Silent { why } => Some(why.name()),
            _ => None,
        };
        match (client.subnet.mode, silence) {
            (SubnetMode::Ignore, _) => Answered::silent("subnet_ignored"),
            (SubnetMode::Authoritative, _) if self.shared => Answered::silent("port_shared"),
            (SubnetMode::Shadow, why) => self.watch(&client, why),
            (SubnetMode::Proxy, Some(why)) => Answered::silent(why),
            (_, Some(why)) => {
                self.look_for_others(&client);
                Answered::silent(why)
            }
            (mode, None) => {
                let answered = match (client.role, mode) {
                    (Role::BootServer, _) => self.boot_server(&client),
                    (Role::Server, SubnetMode::Proxy) => self.proxy(&client),
                    (Role::Server, _) => self.address(&client).await,
                };
                let given = answered.reply.as_ref().is_some_and(|reply| reply.kind != ReplyKind::Nak);
                if let (Step::BootProgram { reply, .. }, Some(_), true) =
                    (&client.asked.decision.step, &client.asked.machine, given)
                {
                    let firmware = &client.asked.request.firmware;
                    self.boots.firmware().told(mac, firmware, *reply, self.journal.now());
                }
                self.note(&client, &answered).await;
                answered
            }
        }
    }

    fn count(&self, outcome: Outcome) {
        let reason = if let Outcome::Silent(why) | Outcome::Shadow(why) = outcome { why } else { "" };
        self.metrics.count(outcome.name(), reason);
    }
}

impl DhcpAnswers {
    /// Whose packet it is, and from which network; or why it is none for us.
    fn understood(&self, request: &Request, arrival: &Arrival) -> Result<(Mac, Ipv4Addr), &'static str> {
        if arrival.local.is_unspecified() {
            return Err("no_address_of_ours");
        }
        let mac = self.mac_of(request).ok_or("no_mac")?;
        // There is where the answer goes: one packet must not make us send to a whole network, or to ourselves.
        if ![request.giaddr, request.ciaddr].into_iter().all(|ip| ip.is_unspecified() || self.is_host(ip)) {
            return Err("bad_address");
        }
        match (arrival.role, request.kind) {
            (Role::BootServer, MessageType::Request | MessageType::Inform)
            | (
                Role::Server,
                MessageType::Discover
                | MessageType::Request
                | MessageType::Decline
                | MessageType::Release
                | MessageType::Inform,
            ) => {}
            _ => return Err("not_for_servers"),
        }
        // The relay says which network it is, or the client does; one that renews says its own address; at port 4011 the address that it
        // sends from is its own; else it is the interface's. Who looks for a server has no address yet (RFC 2131 table 5): it must not
        // be given one of another network for making one up.
        let at_4011 = Some(*arrival.from.ip()).filter(|_| arrival.role == Role::BootServer);
        let renews = Some(request.ciaddr).filter(|_| request.kind != MessageType::Discover);
        let own = [renews, at_4011].into_iter().flatten().find(|ip| !ip.is_unspecified());
        Ok((mac, request.link().or(own).unwrap_or(arrival.local)))
    }

    /// Whether one host can have this address.
    fn is_host(&self, ip: Ipv4Addr) -> bool {
        let edge =
            |cidr: ipnet::Ipv4Net| cidr.prefix_len() < 31 && [cidr.network(), cidr.broadcast()].contains(&ip);
        let of_all = ip.is_broadcast() || ip.is_multicast() || ip.is_loopback();
        !of_all && !self.roster.read(|i| i.subnet_of(ip).is_some_and(|(_, subnet)| edge(subnet.spec.cidr)))
    }

    /// Whether a packet is looked at, before anything is looked up for it: whose it is, and from which network.
    fn taken(&self, request: &Request, arrival: &Arrival) -> Result<(Mac, Ipv4Addr), &'static str> {
        let (mac, from) = self.understood(request, arrival)?;
        let declared = self.roster.read(|inventory| {
            let machine = inventory.machine_that_says(mac, None);
            machine.is_some_and(|machine| machine.is_vouched_for())
        });
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        match limiter.take(mac, declared, self.journal.now()) {
            Verdict::Take => Ok((mac, from)),
            Verdict::TooOften => Err("too_often"),
            Verdict::Flood => Err("flood"),
        }
    }

    /// The client that asked, if it is on a subnet that we know.
    fn client<'a>(&self, request: &'a Request, asked: Asked, arrival: &Arrival) -> Option<Client4<'a>> {
        let name = asked.subnet.clone()?;
        let subnet = self.roster.read(|i| i.subnets.get(&name).map(|subnet| subnet.spec.clone()))?;
        let local = arrival.local;
        let server = Some(&subnet)
            .filter(|subnet| subnet.gives_addresses())
            .and_then(|_| request.server_override())
            .unwrap_or(local);
        Some(Client4 {
            request,
            mac: asked.request.mac,
            asked,
            name,
            subnet,
            local,
            server,
            role: arrival.role,
        })
    }

    /// Whose packet it is. Firmware that sends the machine's GUID where its MAC should be is known by that, and goes by the machine's
    /// first MAC (EDK2 `PxeBcDhcp4CallBack`).
    fn mac_of(&self, request: &Request) -> Option<Mac> {
        let by_uuid = || {
            let uuid = request.uuid.filter(|_| request.hardware.len == 16)?;
            // No interface has the MAC of zeros.
            self.roster
                .read(|inventory| inventory.machine_that_says(Mac::new([0; 6]), Some(uuid))?.macs().next())
        };
        request.mac().or_else(by_uuid)
    }

    /// Another server that gives addresses here betrays itself by its clients, who name it.
    fn look_for_others(&self, client: &Client4<'_>) {
        let other = client.request.server_id.filter(|server| self.is_another(client, *server));
        if let Some(server) = other.filter(|_| client.subnet.mode == SubnetMode::Authoritative) {
            self.metrics.foreign();
            self.sightings.foreign_server(&client.name, server, client.mac);
        }
    }

    fn is_another(&self, client: &Client4<'_>, server: Ipv4Addr) -> bool {
        server != client.server && server != client.local && !self.leases.is_ours(server)
    }

    /// Writes down what firmware and iPXE were told.
    async fn note(&self, client: &Client4<'_>, answered: &Answered) {
        let (Some(reply), Some(machine)) = (&answered.reply, &client.asked.machine) else { return };
        if client.asked.decision.step == Step::AddressOnly || reply.kind == ReplyKind::Nak {
            return;
        }
        let file = reply.boot.as_ref().map(|boot| boot.file.clone());
        let seen = Seen {
            phase: Phase::Dhcp,
            detail: file.clone(),
            bytes: 0,
            request: true,
            done: reply.kind == ReplyKind::Ack,
        };
        let noted =
            self.boots.note(&client.asked, machine, client.address(reply).map(IpAddr::V4), seen).await;
        self.journal.later(noted.writes);
        tracing::info!(
            boot.id = %noted.boot,
            machine.mac = %client.mac,
            "DHCP: {} for {}: {}, boots {}",
            answered.outcome.name(),
            machine.name,
            reply.yiaddr.map_or_else(|| "no address".to_owned(), |address| address.to_string()),
            file.as_deref().unwrap_or("nothing")
        );
    }
}

impl Client4<'_> {
    /// The address that the client has by this answer, or from another server.
    fn address(&self, reply: &Reply) -> Option<Ipv4Addr> {
        let own = Some(self.request.ciaddr).filter(|ip| !ip.is_unspecified());
        reply.yiaddr.or(own)
    }
}
