//! Beside another DHCP server: firmware and iPXE are told what to boot, and never an address (PXE 2.1 section 2.2).
use super::{
    super::{
        listener::{Answered, Outcome},
        wire::{MessageType, ReplyKind},
    },
    Client4, DhcpAnswers,
};
use crate::service::boots::Seen;
use ipnet::Ipv4Net;
use pilotlight_types::api::Phase;
use std::net::Ipv4Addr;

impl DhcpAnswers {
    /// At port 67. The client puts our offer and the other server's together; its REQUEST is the other one's.
    pub(super) fn proxy(&self, client: &Client4<'_>) -> Answered {
        let request = client.request;
        match request.kind {
            MessageType::Discover => Answered::with(self.proxy_reply(client, ReplyKind::Offer)),
            MessageType::Request if request.server_id == Some(client.local) => {
                Answered::with(self.proxy_reply(client, ReplyKind::Ack))
            }
            MessageType::Request => {
                self.saw_address(client);
                Answered::silent("other_server")
            }
            MessageType::Inform => {
                let reply = self.proxy_reply(client, ReplyKind::Ack);
                Answered { reply: Some(reply), outcome: Outcome::Informed }
            }
            _ => Answered::silent("other_server"),
        }
    }

    /// At port 4011: a client that has an address from anywhere asks what to boot.
    pub(super) fn boot_server(&self, client: &Client4<'_>) -> Answered {
        let other = client.request.server_id.is_some_and(|server| self.is_another(client, server));
        let reply = self.proxy_reply(client, ReplyKind::Ack);
        match client.request.kind {
            // iPXE names the server whose offer it follows; UEFI names none.
            _ if other => Answered::silent("other_server"),
            _ if reply.boot.is_none() => Answered::silent("nothing_to_boot"),
            MessageType::Inform => Answered { reply: Some(reply), outcome: Outcome::Informed },
            _ => Answered::with(reply),
        }
    }

    /// The address that the other server gave: what the machine fetches next comes from there. It is the client's word only, so
    /// it speaks of its own network.
    fn saw_address(&self, client: &Client4<'_>) {
        let within = |ip: &Ipv4Addr| Ipv4Net::contains(&client.subnet.cidr, ip);
        let address = client.request.requested.filter(within);
        let (Some(machine), Some(address)) = (&client.asked.machine, address) else { return };
        let open = self.boots.of(machine.id).filter(|boot| boot.ended.is_none() && boot.mac == client.mac);
        if let Some(boot) = open {
            let seen = Seen { phase: Phase::Dhcp, detail: None, bytes: 0, request: false, done: true };
            self.boots.saw_at(boot.id, address.into(), seen);
        }
    }
}
