//! Where we only watch: what we would have answered is found without giving anything, written down, and not sent.
use super::{
    super::{
        listener::{Answered, Outcome, Role},
        wire::{MessageType, Reply, ReplyKind},
    },
    Client4, DhcpAnswers,
    addresses::Asks,
};

impl DhcpAnswers {
    /// `silence` is why there would have been no answer, if that is known already.
    pub(super) fn watch(&self, client: &Client4<'_>, silence: Option<&'static str>) -> Answered {
        let would = silence.map_or_else(|| self.would(client), Answered::silent);
        let outcome = match would.outcome {
            Outcome::Silent(why) => why,
            other => other.name(),
        };
        if let Some(reply) = &would.reply {
            let boot = reply.boot.as_ref().map_or("nothing", |boot| &boot.file);
            let address = reply.yiaddr.map_or_else(|| "no address".to_owned(), |address| address.to_string());
            let answer = format!("would have been {outcome} {address}, and {boot} to boot");
            self.sightings.shadow(&client.name, client.mac, answer);
        }
        Answered { reply: None, outcome: Outcome::Shadow(outcome) }
    }

    /// What would be answered, were it asked for: nothing is set aside, written down or sent.
    pub(super) fn would(&self, client: &Client4<'_>) -> Answered {
        if client.role == Role::BootServer {
            return self.boot_server(client);
        }
        if !client.subnet.gives_addresses() {
            return match client.request.kind {
                MessageType::Discover => Answered::with(self.proxy_reply(client, ReplyKind::Offer)),
                MessageType::Request if client.request.server_id == Some(client.local) => {
                    Answered::with(self.proxy_reply(client, ReplyKind::Ack))
                }
                MessageType::Inform => Answered {
                    outcome: Outcome::Informed,
                    ..Answered::with(self.proxy_reply(client, ReplyKind::Ack))
                },
                _ => Answered::silent("other_server"),
            };
        }
        match client.request.kind {
            MessageType::Discover => {
                match self.leases.would_offer(client.asker(), client.request.requested) {
                    Ok(ip) => Answered::with(self.reply(client, ReplyKind::Offer, Some(ip))),
                    Err(_) => Answered::silent("no_address"),
                }
            }
            MessageType::Request => match self.asks(client) {
                Asks::Nothing(why) => Answered::silent(why),
                Asks::For(wanted) if self.leases.would_bind(client.asker(), wanted) => {
                    Answered::with(self.reply(client, ReplyKind::Ack, Some(wanted)))
                }
                Asks::Elsewhere(wanted) => {
                    Answered::with(Reply::nak(client.server, format!("{wanted} is not on this network")))
                }
                Asks::For(wanted) => {
                    Answered::with(Reply::nak(client.server, format!("{wanted} is not yours to have")))
                }
            },
            MessageType::Inform => Answered {
                outcome: Outcome::Informed,
                ..Answered::with(self.reply(client, ReplyKind::Ack, None))
            },
            MessageType::Decline => Answered { reply: None, outcome: Outcome::Declined },
            _ => Answered { reply: None, outcome: Outcome::Released },
        }
    }
}
