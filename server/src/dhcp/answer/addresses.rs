//! Where we are the DHCP server: addresses offered, given, taken back, refused (RFC 2131 section 4.3).
use super::{
    super::{
        listener::{Answered, Outcome},
        wire::{MessageType, Reply, ReplyKind},
    },
    Client4, DhcpAnswers,
};
use crate::domain::firmware::Client;
use std::net::Ipv4Addr;

/// What a REQUEST asks, before any lease is looked at (RFC 2131 section 4.3.2).
pub(super) enum Asks {
    /// For nothing that we have a say in.
    Nothing(&'static str),
    /// For an address that cannot be right here.
    Elsewhere(Ipv4Addr),
    /// For this one: that it was offered, that it remembers, or that it has.
    For(Ipv4Addr),
}

impl DhcpAnswers {
    pub(super) async fn address(&self, client: &Client4<'_>) -> Answered {
        match client.request.kind {
            MessageType::Discover => self.discover(client),
            MessageType::Request => self.request(client).await,
            MessageType::Decline => self.decline(client),
            MessageType::Release => {
                self.leases.release(&client.name, client.mac, client.request.ciaddr);
                Answered { reply: None, outcome: Outcome::Released }
            }
            _ => self.inform(client),
        }
    }

    pub(super) fn asks(&self, client: &Client4<'_>) -> Asks {
        let request = client.request;
        if request.server_id.is_some_and(|server| server != client.server && server != client.local) {
            return Asks::Nothing("other_server");
        }
        let renewing = Some(request.ciaddr).filter(|address| !address.is_unspecified());
        match request.requested.or(renewing) {
            None => Asks::Nothing("no_address_asked"),
            Some(wanted) if !ipnet::Ipv4Net::contains(&client.subnet.cidr, &wanted) => {
                Asks::Elsewhere(wanted)
            }
            Some(wanted) => Asks::For(wanted),
        }
    }

    /// In a boot storm firmware is kept waiting for its second or third question, so that boot programs get through. iPXE is not:
    /// its script makes it wait.
    fn may_boot(&self, client: &Client4<'_>) -> bool {
        let firmware = matches!(client.asked.request.firmware.client, Client::Pxe | Client::HttpBoot);
        match &client.asked.machine {
            Some(machine) if firmware => {
                self.boots.pacing().offer(&client.name, machine.id, self.journal.now())
            }
            _ => true,
        }
    }

    fn discover(&self, client: &Client4<'_>) -> Answered {
        if !self.may_boot(client) {
            return Answered::silent("paced");
        }
        match self.leases.offer(client.asker(), client.request.requested) {
            Ok(lease) => Answered::with(self.reply(client, ReplyKind::Offer, Some(lease.ip))),
            Err(error) => {
                tracing::debug!(machine.mac = %client.mac, subnet = %client.name, "no address for {}: {error}", client.mac);
                Answered::silent("no_address")
            }
        }
    }

    async fn request(&self, client: &Client4<'_>) -> Answered {
        let wanted = match self.asks(client) {
            Asks::For(wanted) => wanted,
            Asks::Elsewhere(wanted) => {
                return Answered::with(Reply::nak(client.server, format!("{wanted} is not on this network")));
            }
            Asks::Nothing(why) => {
                self.look_for_others(client);
                return Answered::silent(why);
            }
        };
        match self.leases.bind(client.asker(), wanted).await {
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
        let declined =
            client.request.requested.and_then(|ip| self.leases.decline(&client.name, client.mac, ip));
        if let Some(lease) = declined {
            self.metrics.conflict("declined");
            self.sightings.conflict(&client.name, &lease, None, "declined");
        }
        Answered { reply: None, outcome: Outcome::Declined }
    }

    /// A client that has an address and wants the rest: no lease times, no address (RFC 2131 section 4.3.5).
    fn inform(&self, client: &Client4<'_>) -> Answered {
        let reply = Reply { lease: None, ..self.reply(client, ReplyKind::Ack, None) };
        Answered { reply: Some(reply), outcome: Outcome::Informed }
    }
}
