//! What holds for every answer, however it came about. It is told here in other words than the daemon's: from what was sent before,
//! and from what is declared.
use super::{
    hall::{Hall, OURS, RETIRED, base},
    packets, said,
};
use pilotlight::dhcp::{
    listener::{Answered, Arrival, Outcome, Role},
    wire::{self, Destination, MessageType, Reply, ReplyKind, Request},
};
use pilotlight::domain::stage::Stage;
use pilotlight_types::{
    Mac, Timestamp,
    resource::{Name, SubnetMode, SubnetSpec, Unknown},
};
use std::{collections::HashMap, net::Ipv4Addr, time::Duration};

/// The least time for which an address that was offered is its client's.
const OFFERED: Duration = Duration::from_secs(20);

/// How long an address that a client declined is nobody's.
const DECLINED: Duration = Duration::from_secs(3600);

/// Who was told that an address is theirs.
#[derive(Debug, Clone, Copy)]
struct Held {
    mac: Mac,
    until: Timestamp,
}

/// What was promised so far.
#[derive(Default)]
pub struct Rules {
    acked: HashMap<Ipv4Addr, Held>,
    offered: HashMap<Ipv4Addr, Held>,
    declined: HashMap<Ipv4Addr, Timestamp>,
}

impl Rules {
    /// What is sent and what is counted are of one kind.
    pub fn outcome(&self, answered: &Answered) {
        let kind = answered.reply.as_ref().map(|reply| reply.kind);
        let fits = match answered.outcome {
            Outcome::Offered => kind == Some(ReplyKind::Offer),
            Outcome::Acked | Outcome::Informed => kind == Some(ReplyKind::Ack),
            Outcome::Naked => kind == Some(ReplyKind::Nak),
            _ => kind.is_none(),
        };
        assert!(fits, "{answered:?}");
    }

    /// `explain` says of a packet what is then done, unless that depends on how many came before it, or on the database.
    pub fn foretold(&self, foretold: &Answered, answered: &Answered, request: &Request) {
        let unforeseen = |outcome| {
            matches!(outcome, Outcome::Failed | Outcome::Silent("too_often" | "flood" | "paced"))
                // Who is recorded by this very packet is somebody else afterwards.
                || matches!(outcome, Outcome::Silent("unknown_machine"))
        };
        if unforeseen(foretold.outcome)
            || unforeseen(answered.outcome)
            || matches!(answered.outcome, Outcome::Shadow(_))
        {
            return;
        }
        let address = |answered: &Answered| answered.reply.as_ref().map(|reply| (reply.kind, reply.yiaddr));
        assert_eq!(
            (foretold.outcome, address(foretold)),
            (answered.outcome, address(answered)),
            "foretold: {}",
            said(request, answered)
        );
    }

    /// Nobody was answered, but what was promised may have changed.
    pub fn unanswered(&mut self, request: &Request, arrival: &Arrival, answered: &Answered, hall: &Hall) {
        let Some(mac) = request.mac() else { return };
        // A client speaks for what it has on that network.
        let here = |ip: Ipv4Addr| {
            subnet(request, arrival).is_some_and(|(_, subnet)| ipnet::Ipv4Net::contains(&subnet.cidr, &ip))
        };
        match answered.outcome {
            Outcome::Released if here(request.ciaddr) => self.give_up(mac, request.ciaddr),
            Outcome::Declined => {
                if let Some(ip) = request.requested.filter(|ip| here(*ip)) {
                    let its_own = [&self.acked, &self.offered].iter().any(|all| {
                        all.get(&ip).is_some_and(|held| held.mac == mac && held.until > hall.now())
                    });
                    if its_own {
                        self.give_up(mac, ip);
                        self.declined.insert(ip, hall.now().plus(DECLINED));
                    }
                }
            }
            _ => {}
        }
    }

    fn give_up(&mut self, mac: Mac, ip: Ipv4Addr) {
        for all in [&mut self.acked, &mut self.offered] {
            if all.get(&ip).is_some_and(|held| held.mac == mac) {
                all.remove(&ip);
            }
        }
    }

    /// Offers and what was declined are forgotten; who was told that it has an address has it.
    pub fn restarted(&mut self) {
        self.offered.clear();
        self.declined.clear();
    }

    /// Somebody may have been found at an address that was offered.
    pub fn probed(&mut self) {
        self.offered.clear();
    }

    /// Whoever gets an answer may have it, and the address in it is nobody else's.
    pub fn may_have_it(&mut self, request: &Request, arrival: &Arrival, reply: &Reply, hall: &Hall) {
        let Some((name, subnet)) = subnet(request, arrival) else {
            panic!("no subnet: {request:?} {reply:?}")
        };
        assert!(matches!(subnet.mode, SubnetMode::Authoritative | SubnetMode::Proxy), "{name}: {request:?}");
        let mac = request.mac();
        assert_ne!(mac, Some(packets::mac(RETIRED)), "{reply:?}");
        let declared = mac.and_then(|mac| base().machine_that_says(mac, request.uuid));
        // Some were accepted meanwhile, by a subnet that accepts whoever comes.
        let accepted = hall.answers.roster.read(|inventory| {
            let machine = mac.and_then(|mac| inventory.machine_that_says(mac, request.uuid));
            machine.is_some_and(|machine| machine.stage != Stage::Discovered)
        });
        assert!(accepted || subnet.unknown != Unknown::Ignore, "a stranger: {request:?} {reply:?}");
        let Some(ip) = reply.yiaddr else {
            return assert!(reply.lease.is_none() || request.kind == MessageType::Inform);
        };
        assert_eq!(
            (subnet.mode, arrival.role),
            (SubnetMode::Authoritative, Role::Server),
            "{request:?} {reply:?}"
        );
        let mac = mac.expect("an address is for a MAC");
        let reserved = base().machines().find(|machine| machine.spec.ip == Some(ip));
        let free = subnet.ranges.iter().any(|range| range.contains(ip))
            && !subnet.exclude.iter().any(|range| range.contains(ip))
            && !OURS.contains(&ip)
            && subnet.gateway != Some(ip);
        let may = reserved.map_or(free, |machine| Some(machine.id) == declared.map(|machine| machine.id));
        assert!(may && ipnet::Ipv4Net::contains(&subnet.cidr, &ip), "{ip} in {name}: {request:?}");
        self.give(mac, ip, name, subnet, reply, hall);
    }

    fn give(&mut self, mac: Mac, ip: Ipv4Addr, name: &Name, subnet: &SubnetSpec, reply: &Reply, hall: &Hall) {
        let now = hall.now();
        for (what, all) in [("has", &self.acked), ("was offered", &self.offered)] {
            if let Some(held) = all.get(&ip).filter(|held| held.until > now && held.mac != mac) {
                panic!(
                    "{ip} is given to {mac}, and {} {what} it until {:?}, now {now:?}",
                    held.mac, held.until
                );
            }
        }
        let declined = self.declined.get(&ip).is_some_and(|until| *until > now);
        assert!(!declined, "{ip} was declined");
        let seconds = reply.lease.expect("an address has an end").lease;
        // A client has one address on a network: the newest.
        let here = |ip: &Ipv4Addr| ipnet::Ipv4Net::contains(&subnet.cidr, ip);
        match reply.kind {
            ReplyKind::Ack => {
                let until = now.plus(Duration::from_secs(seconds.into()));
                let row = hall.kept().leases.get(&ip).cloned();
                let durable = row.is_some_and(|row| {
                    row.subnet == *name && row.lease.mac == Some(mac) && row.lease.expires >= until
                });
                assert!(durable, "{mac} is told that it has {ip} before that is written");
                self.acked.retain(|other, held| held.mac != mac || !here(other));
                self.offered.retain(|other, held| held.mac != mac || !here(other));
                self.acked.insert(ip, Held { mac, until });
            }
            _ => {
                // Who looks for a server has no address any more; it gets the one that it had, but for one that is reserved for it.
                self.acked.retain(|other, held| held.mac != mac || !here(other) || *other == ip);
                self.offered.retain(|other, held| held.mac != mac || !here(other));
                self.offered.insert(ip, Held { mac, until: now.plus(OFFERED) });
            }
        }
    }

    /// A reply goes to the relay, to the client's own address or frame, or to all on the link; never anywhere else.
    pub fn goes_to(&self, request: &Request, reply: &Reply, to: Destination, hall: &Hall) {
        let _ = hall;
        let host = |ip: Ipv4Addr| {
            let subnet =
                base().subnets.values().find(|subnet| ipnet::Ipv4Net::contains(&subnet.spec.cidr, &ip));
            let edge = subnet.is_some_and(|subnet| {
                [subnet.spec.cidr.broadcast(), subnet.spec.cidr.network()].contains(&ip)
            });
            !edge && !ip.is_multicast() && !ip.is_broadcast() && !ip.is_unspecified() && !ip.is_loopback()
        };
        let right = match to {
            Destination::Relay(relay) => relay == request.giaddr && host(relay),
            Destination::Unicast(ip) => {
                ip == request.ciaddr
                    && request.giaddr.is_unspecified()
                    && host(ip)
                    && reply.kind != ReplyKind::Nak
            }
            Destination::HardwareUnicast { mac, yiaddr } => {
                Some(mac) == request.mac() && Some(yiaddr) == reply.yiaddr && mac.is_host() && host(yiaddr)
            }
            Destination::Broadcast => request.giaddr.is_unspecified(),
        };
        assert!(right, "{to:?}: {request:?}\n{reply:?}");
    }

    /// What is sent fits, is read again, and is the answer to what was asked.
    pub fn bytes(&self, request: &Request, reply: &Reply, sent: &[u8]) {
        let room = usize::from(request.max_size.unwrap_or(0).clamp(576, 1500)) - 28;
        assert!((300..=room).contains(&sent.len()), "{} bytes of {room}", sent.len());
        let mut back = sent.to_vec();
        back[0] = 1;
        let read = wire::parse(&back).expect("our own answer");
        let kind = match reply.kind {
            ReplyKind::Offer => MessageType::Offer,
            ReplyKind::Ack => MessageType::Ack,
            ReplyKind::Nak => MessageType::Nak,
        };
        assert_eq!((read.kind, read.xid, read.server_id), (kind, request.xid, Some(reply.server_id)));
        assert_eq!((read.hardware, read.giaddr), (request.hardware, request.giaddr));
        let [a, b, c, d] = [sent[16], sent[17], sent[18], sent[19]];
        let yiaddr = Some(Ipv4Addr::new(a, b, c, d)).filter(|ip| !ip.is_unspecified());
        assert_eq!(yiaddr, reply.yiaddr.filter(|_| request.kind != MessageType::Inform));
        // RFC 3046 section 2.2: whole, or not at all.
        assert!(read.relay_info.is_none() || read.relay_info == request.relay_info, "{request:?}");
    }

    /// What is kept is no more than there are addresses, and machines that asked.
    pub fn hold_everywhere(&self, hall: &Hall) {
        let now = hall.now();
        for (name, held) in hall.answers.leases.held(now) {
            let ranges = base().subnets.get(&name).map_or(&[][..], |subnet| &subnet.spec.ranges);
            let addresses: u64 = ranges.iter().map(|range| range.size()).sum();
            // Some are reserved, and outside the ranges.
            assert!(held as u64 <= addresses + 1, "{held} of {addresses} in {name}");
        }
        for (ip, held) in self.acked.iter().filter(|(_, held)| held.until > now) {
            let subnet = base().subnet_of(*ip).map(|(name, _)| name).expect("its subnet");
            let of = hall.answers.leases.of(subnet, held.mac);
            assert!(of == Some(*ip), "{} has {ip}, and it is forgotten: {of:?}", held.mac);
        }
    }
}

/// The network that a packet is from: the relay says so, or the client, which has an address there; else it is the interface's.
fn subnet(request: &Request, arrival: &Arrival) -> Option<(&'static Name, &'static SubnetSpec)> {
    let at_4011 = (arrival.role == Role::BootServer).then_some(*arrival.from.ip());
    // Who looks for a server has no address (RFC 2131 table 5).
    let own = Some(request.ciaddr).filter(|_| request.kind != MessageType::Discover);
    let said = [request.link(), own, at_4011].into_iter().flatten().find(|ip| !ip.is_unspecified());
    base().subnet_of(said.unwrap_or(arrival.local)).map(|(name, subnet)| (name, &*subnet.spec))
}
