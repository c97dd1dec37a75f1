//! What becomes of a client's addresses: advertised, given, kept, taken back, refused (RFC 8415 section 18.3).
use super::{
    super::{
        listener::{Answered, Outcome},
        wire::{Association, AssociationKind, Given, Reply, ReplyKind, Status, StatusCode},
    },
    Client6, Dhcp6Answers,
    leasing::Leasing,
};
use crate::{
    domain::{dhcp6::Asks, lease::NoAddress, lease6::Holder},
    service::leases6::Asker6,
};
use ipnet::Ipv6Net;
use std::net::Ipv6Addr;

impl Dhcp6Answers {
    /// The answer. What it does to the leases is `leasing`'s affair.
    pub(super) fn address(&self, client: &Client6<'_>, leasing: &mut Leasing) -> Answered {
        let reply = match client.message.asks {
            Asks::Solicit if client.message.rapid_commit => {
                Reply { rapid_commit: true, ..self.give(client, ReplyKind::Reply, leasing) }
            }
            Asks::Solicit => self.give(client, ReplyKind::Advertise, leasing),
            Asks::Request => self.give(client, ReplyKind::Reply, leasing),
            Asks::Renew | Asks::Rebind => self.keep(client, leasing),
            Asks::Confirm => return self.confirm(client),
            Asks::Release | Asks::Decline => return self.give_back(client, leasing),
            Asks::Information => self.reply(client, ReplyKind::Reply, Vec::new()),
        };
        let outcome = match reply.kind {
            _ if reply.is_empty_handed() => Outcome::NoAddress,
            ReplyKind::Advertise => Outcome::Advertised,
            ReplyKind::Reply => Outcome::Replied,
        };
        Answered { reply: Some(reply), outcome }
    }

    /// An address for each association, advertised or given for good.
    fn give(&self, client: &Client6<'_>, kind: ReplyKind, leasing: &mut Leasing) -> Reply {
        let mut given = Vec::new();
        for (association, holder) in client.associations() {
            given.push(match holder {
                Err(status) => association.without(status),
                Ok(_) if kind == ReplyKind::Reply && client.is_elsewhere(association) => {
                    association.without(Status::new(StatusCode::NotOnLink, "not an address of this link"))
                }
                Ok(holder) => {
                    let asker = client.asker(&holder);
                    let lease = match kind {
                        ReplyKind::Advertise => leasing.offer(&self.leases, asker, &association.addresses),
                        ReplyKind::Reply => leasing.bind(&self.leases, asker, &association.addresses),
                    };
                    match lease {
                        Ok(ip) => association.with([(ip, client.lease_seconds())]),
                        Err(none) => association.without(no_address(none)),
                    }
                }
            });
        }
        self.reply(client, kind, given)
    }

    /// A client that wants to go on with what it has. What it may not have is taken from it at once.
    fn keep(&self, client: &Client6<'_>, leasing: &mut Leasing) -> Reply {
        let mut kept = Vec::new();
        for (association, holder) in client.associations() {
            let Ok(holder) = holder else {
                kept.push(association.without(no_binding()));
                continue;
            };
            let asker = client.asker(&holder);
            let may_have = |ip: &Ipv6Addr| self.leases.may_have(asker, *ip);
            let Some(ip) = association.addresses.iter().copied().find(may_have) else {
                kept.push(if association.addresses.is_empty() {
                    association.without(no_binding())
                } else {
                    association.with(association.addresses.iter().map(|ip| (*ip, 0)))
                });
                continue;
            };
            let seconds = client.lease_seconds();
            kept.push(match leasing.bind(&self.leases, asker, &[ip]) {
                Ok(kept) => {
                    let others = association.addresses.iter().filter(|other| **other != kept);
                    association.with([(kept, seconds)].into_iter().chain(others.map(|ip| (*ip, 0))))
                }
                Err(none) => association.without(no_address(none)),
            });
        }
        self.reply(client, ReplyKind::Reply, kept)
    }

    /// Whether the addresses are right for the link; a client that names none learns nothing (RFC 8415 section 18.3.3).
    fn confirm(&self, client: &Client6<'_>) -> Answered {
        let mut all = client.message.associations.iter().flat_map(|association| &association.addresses);
        let Some(network) = client.subnet.cidr6 else { return Answered::silent("no_subnet") };
        if all.clone().next().is_none() {
            return Answered::silent("no_address_asked");
        }
        let status = if all.all(|ip| Ipv6Net::contains(&network, ip)) {
            Status::new(StatusCode::Success, "all of them are of this link")
        } else {
            Status::new(StatusCode::NotOnLink, "not all of them are of this link")
        };
        let reply = Reply { status: Some(status), ..Reply::new(ReplyKind::Reply) };
        Answered { reply: Some(reply), outcome: Outcome::Replied }
    }

    /// Addresses that a client gives back, or that it found somebody else on.
    fn give_back(&self, client: &Client6<'_>, leasing: &Leasing) -> Answered {
        let declined = client.message.asks == Asks::Decline;
        let mut unknown = Vec::new();
        for (association, holder) in client.associations() {
            let Ok(holder) = holder else {
                unknown.push(association.without(no_binding()));
                continue;
            };
            let back =
                |ip: &&Ipv6Addr| leasing.take_back(&self.leases, (&client.name, &holder), **ip, declined);
            let back: Vec<&Ipv6Addr> = association.addresses.iter().filter(back).collect();
            if declined && leasing.is_real() {
                back.iter().for_each(|ip| self.sightings.declined6(&client.name, **ip));
            }
            if back.is_empty() {
                unknown.push(association.without(no_binding()));
            }
        }
        let status = Some(Status::new(StatusCode::Success, ""));
        let reply = Reply { status, associations: unknown, ..Reply::new(ReplyKind::Reply) };
        let outcome = if declined { Outcome::Declined } else { Outcome::Released };
        Answered { reply: Some(reply), outcome }
    }
}

fn no_address(none: NoAddress) -> Status {
    Status::new(StatusCode::NoAddrsAvail, &none.to_string())
}

fn no_binding() -> Status {
    Status::new(StatusCode::NoBinding, "nothing is known of it")
}

impl Client6<'_> {
    /// What the client wants addresses for, with who will hold each, or why it gets none. An interface has one address of ours.
    fn associations(&self) -> impl Iterator<Item = (&Association, Result<Holder, Status>)> {
        let mut taken = Vec::new();
        self.message.associations.iter().map(move |association| {
            let refused = |code, why| Err(Status::new(code, why));
            let holder = match (association.kind, &self.message.client) {
                (AssociationKind::Prefixes, _) => {
                    refused(StatusCode::NoPrefixAvail, "no prefixes are given here")
                }
                (AssociationKind::Temporary, _) | (_, None) => {
                    refused(StatusCode::NoAddrsAvail, "no temporary addresses are given here")
                }
                (AssociationKind::Addresses, Some(client)) => {
                    let holder = self.sender.holder(client, association.id);
                    if taken.contains(&holder) {
                        refused(StatusCode::NoAddrsAvail, "an interface has one address")
                    } else {
                        taken.push(holder.clone());
                        Ok(holder)
                    }
                }
            };
            (association, holder)
        })
    }

    fn asker<'b>(&'b self, holder: &'b Holder) -> Asker6<'b> {
        let machine = self.asked.machine.as_ref().map(|machine| machine.id);
        Asker6 { subnet: &self.name, holder, machine, boots: self.boots() }
    }

    /// Whether one of the addresses that it asks for is of another link.
    fn is_elsewhere(&self, association: &Association) -> bool {
        let here = |ip: &Ipv6Addr| self.subnet.cidr6.is_some_and(|network| Ipv6Net::contains(&network, ip));
        !association.addresses.iter().all(here)
    }
}

impl Reply {
    /// Whether addresses were asked for, and there is none.
    fn is_empty_handed(&self) -> bool {
        let mut wanted = self.associations.iter().filter(|given| given.kind == AssociationKind::Addresses);
        wanted.clone().next().is_some() && wanted.all(|given| given.addresses.is_empty())
    }
}

impl Association {
    fn with(&self, addresses: impl IntoIterator<Item = (Ipv6Addr, u32)>) -> Given {
        let addresses = addresses.into_iter().collect();
        Given { kind: self.kind, id: self.id, addresses, status: None }
    }

    fn without(&self, status: Status) -> Given {
        Given { kind: self.kind, id: self.id, addresses: Vec::new(), status: Some(status) }
    }
}
