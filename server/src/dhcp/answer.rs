//! From a DHCP request to its answer: who asks, what they get, and which address (RFC 2131 section 4.3).
use super::{
    listener::{Answered, Arrival, Handler, Outcome},
    wire::{BootFields, LeaseTimes, MessageType, Reply, ReplyKind, Request, Style},
};
use crate::{
    domain::{
        boot::{BootRequest, Step},
        firmware::classify,
    },
    metrics::DhcpMetrics,
    service::{
        boots::{Asked, Boots, Seen},
        delivery::Ports,
        journal::Journal,
        leases::{Asker, Leases},
        roster::Roster,
    },
};
use pilotlight_types::{
    Mac,
    api::Phase,
    resource::{Name, ReplyStyle, SubnetMode, SubnetSpec},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
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
    /// Counts the outcomes.
    pub metrics: DhcpMetrics,
}

/// A request of a client on a subnet that we serve.
struct Client4<'a> {
    request: &'a Request,
    mac: Mac,
    asked: Asked,
    name: Name,
    subnet: Arc<SubnetSpec>,
    server: Ipv4Addr,
}

impl Handler for DhcpAnswers {
    async fn handle(&self, request: Request, arrival: Arrival) -> Answered {
        if arrival.local.is_unspecified() {
            return Answered::silent("no_address_of_ours");
        }
        let Some(mac) = request.mac() else { return Answered::silent("no_mac") };
        if !matches!(
            request.kind,
            MessageType::Discover
                | MessageType::Request
                | MessageType::Decline
                | MessageType::Release
                | MessageType::Inform
        ) {
            return Answered::silent("not_for_servers");
        }
        // The relay says which network it is; a client that renews says its own address; else it is the interface's.
        let own = Some(request.ciaddr).filter(|address| !address.is_unspecified());
        let from = request.link().or(own).unwrap_or(arrival.local);
        let firmware = classify(&request.identity());
        if request.kind == MessageType::Discover {
            self.boots.firmware().asks(mac, &firmware, self.journal.now());
        }
        let question = BootRequest { mac, uuid: request.uuid, firmware };
        let asked = self.boots.ask(question, from).await;
        let found = asked.subnet.clone().and_then(|name| {
            self.roster
                .read(|inventory| inventory.subnets.get(&name).map(|subnet| (name, subnet.spec.clone())))
        });
        let Some((name, subnet)) = found else { return Answered::silent("no_subnet") };
        if subnet.mode == SubnetMode::Ignore {
            return Answered::silent("subnet_ignored");
        }
        // A machine that is to get nothing gets nothing, whatever it asks.
        if let Step::Silent { why } = asked.decision.step {
            return Answered::silent(why.name());
        }
        let client = Client4 { request: &request, mac, asked, name, subnet, server: arrival.local };
        let answered = match request.kind {
            MessageType::Discover => self.discover(&client),
            MessageType::Request => self.request(&client).await,
            MessageType::Decline => self.decline(&client),
            MessageType::Release => {
                self.leases.release(&client.name, mac, request.ciaddr);
                Answered { reply: None, outcome: Outcome::Released }
            }
            _ => self.inform(&client),
        };
        self.note(&client, &answered).await;
        answered
    }

    fn count(&self, outcome: Outcome) {
        self.metrics.count(outcome.name(), if let Outcome::Silent(why) = outcome { why } else { "" });
    }
}

impl DhcpAnswers {
    fn asker<'a>(&self, client: &'a Client4<'_>) -> Asker<'a> {
        let machine = client.asked.machine.as_ref().map(|machine| machine.id);
        Asker { subnet: &client.name, mac: client.mac, machine }
    }

    fn discover(&self, client: &Client4<'_>) -> Answered {
        match self.leases.offer(self.asker(client), client.request.requested) {
            Ok(lease) => Answered::with(self.reply(client, ReplyKind::Offer, Some(lease.ip))),
            Err(error) => {
                tracing::warn!(machine.mac = %client.mac, subnet = %client.name, "no address for {}: {error}", client.mac);
                Answered::silent("no_address")
            }
        }
    }

    async fn request(&self, client: &Client4<'_>) -> Answered {
        let request = client.request;
        // It took another server's offer (RFC 2131 section 4.3.2, SELECTING).
        if request.server_id.is_some_and(|server| server != client.server) {
            return Answered::silent("other_server");
        }
        let renewing = Some(request.ciaddr).filter(|address| !address.is_unspecified());
        let Some(wanted) = request.requested.or(renewing) else {
            return Answered::silent("no_address_asked");
        };
        if !ipnet::Ipv4Net::contains(&client.subnet.cidr, &wanted) {
            return Answered::with(Reply::nak(client.server, format!("{wanted} is not on this network")));
        }
        match self.leases.bind(self.asker(client), wanted).await {
            Ok(Some(lease)) => Answered::with(self.reply(client, ReplyKind::Ack, Some(lease.ip))),
            Ok(None) => Answered::with(Reply::nak(client.server, format!("{wanted} is not yours to have"))),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a lease was not stored, so {} got no answer",
                    client.mac
                );
                Answered { reply: None, outcome: Outcome::Failed }
            }
        }
    }

    fn decline(&self, client: &Client4<'_>) -> Answered {
        if let Some(address) = client.request.requested
            && self.leases.decline(&client.name, client.mac, address)
        {
            tracing::warn!(machine.mac = %client.mac, "{} found somebody else on {address}; it is left alone for a while", client.mac);
        }
        Answered { reply: None, outcome: Outcome::Declined }
    }

    /// A client that has an address and wants the rest: no lease times, no address (RFC 2131 section 4.3.5).
    fn inform(&self, client: &Client4<'_>) -> Answered {
        let reply = Reply { lease: None, ..self.reply(client, ReplyKind::Ack, None) };
        Answered { reply: Some(reply), outcome: Outcome::Informed }
    }

    fn reply(&self, client: &Client4<'_>, kind: ReplyKind, address: Option<Ipv4Addr>) -> Reply {
        let subnet = &client.subnet;
        let known = client.asked.machine.as_ref();
        Reply {
            yiaddr: address,
            siaddr: client.server,
            lease: Some(LeaseTimes::of(subnet.lease.as_secs())),
            mask: Some(subnet.cidr.netmask()),
            routers: subnet.gateway.into_iter().collect(),
            dns: subnet.dns.clone(),
            domain: subnet.domain.clone(),
            hostname: known.map(|machine| machine.name.to_string()),
            broadcast_address: Some(subnet.cidr.broadcast()),
            boot: self.boot_fields(client),
            ..Reply::new(kind, client.server)
        }
    }

    fn boot_fields(&self, client: &Client4<'_>) -> Option<BootFields> {
        let local = IpAddr::V4(client.server);
        match &client.asked.decision.step {
            Step::BootProgram { file, reply } => {
                self.boots.firmware().told(client.mac, *reply);
                let style = match reply {
                    ReplyStyle::Plain => Style::Plain,
                    ReplyStyle::Pxe => Style::Pxe,
                    ReplyStyle::RaspberryPi => Style::RaspberryPi,
                    ReplyStyle::Http => Style::HttpClient,
                };
                let url = || format!("{}/boot/files/{file}", self.ports.http(local));
                let file = if style == Style::HttpClient { url() } else { file.clone() };
                Some(BootFields { file, style })
            }
            Step::Script => Some(BootFields {
                file: self.ports.script(local, client.mac, client.request.uuid),
                style: Style::Ipxe,
            }),
            Step::AddressOnly | Step::Silent { .. } => None,
        }
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
        let (boot, writes) = self.boots.note(&client.asked, machine, reply.yiaddr, seen).await;
        self.journal.later(writes);
        tracing::info!(
            boot.id = %boot,
            machine.mac = %client.mac,
            "DHCP: {} for {}: {}, boots {}",
            answered.outcome.name(),
            machine.name,
            reply.yiaddr.map_or_else(|| "no address".to_owned(), |address| address.to_string()),
            file.as_deref().unwrap_or("nothing")
        );
    }
}
