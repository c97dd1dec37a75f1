//! The networks as people look at them: who has which address, how full each subnet is, who else was seen there.
use super::{
    journal::Journal, leases::Leases, leases6::Leases6, roster::Roster, scopes::permits, sightings::Sightings,
};
use crate::domain::{inventory::Inventory, lease::room::room, lease6::Holder, rights::Rights};
use pilotlight_types::{
    Mac,
    api::{Lease, LeaseState, Sighting, SubnetUse},
    resource::{Kind, Name, SubnetSpec, Verb},
};
use std::{
    collections::{BTreeMap, HashSet},
    net::{IpAddr, Ipv4Addr},
};

/// Looks at networks.
#[derive(Debug, Clone)]
pub struct Networks {
    /// What is declared.
    pub roster: Roster,
    /// IPv4 leases.
    pub leases: Leases,
    /// IPv6 leases.
    pub leases6: Leases6,
    /// Who else was seen.
    pub sightings: Sightings,
    /// The time.
    pub journal: Journal,
}

/// Which leases are meant: all that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Meant {
    /// Those of this subnet.
    pub subnet: Option<String>,
    /// Those in this state.
    pub state: Option<LeaseState>,
    /// Those of this machine.
    pub machine: Option<String>,
}

/// The place of a lease in the list of all: by subnet, then by address.
pub type Place = (String, IpAddr);

impl Networks {
    /// The leases behind a place that somebody with these rights may see, and that are meant: those of subnets that they may see. The
    /// name of a machine that they may not see is left out.
    pub fn leases(&self, rights: &Rights, meant: &Meant, after: Option<&Place>, limit: usize) -> Vec<Lease> {
        let now = self.journal.now();
        let (four, six) = (self.leases.all(), self.leases6.all());
        self.roster.read(|inventory| {
            let machine = meant.machine.as_deref().and_then(|name| inventory.machine_named(name));
            if meant.machine.is_some() && machine.is_none() {
                return Vec::new();
            }
            let own: Option<HashSet<Mac>> = machine.map(|machine| machine.macs().collect());
            let sees = Sees { inventory, rights };
            let four = four.into_iter().filter_map(|(subnet, lease)| {
                Some((
                    subnet,
                    IpAddr::V4(lease.ip),
                    lease.state(now)?,
                    lease.mac.map(Holder::Interface),
                    lease.expires,
                ))
            });
            let six = six.into_iter().filter_map(|(subnet, lease)| {
                Some((subnet, IpAddr::V6(lease.ip), lease.state(now)?, lease.holder.clone(), lease.expires))
            });
            let mut all: Vec<_> = four
                .chain(six)
                .filter(|(subnet, address, state, holder, _)| {
                    let mac = if let Some(Holder::Interface(mac)) = holder { Some(*mac) } else { None };
                    meant.subnet.as_deref().is_none_or(|name| name == subnet.as_str())
                        && meant.state.is_none_or(|wanted| wanted == *state)
                        && own.as_ref().is_none_or(|own| mac.is_some_and(|mac| own.contains(&mac)))
                        && after.is_none_or(|(name, last)| (subnet.as_str(), address) > (name.as_str(), last))
                })
                .collect();
            all.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
            let seen = all.into_iter().filter(|(subnet, ..)| sees.subnet(subnet));
            seen.take(limit)
                .map(|(subnet, address, state, holder, expires)| {
                    let (mac, client) = match holder {
                        Some(Holder::Interface(mac)) => (Some(mac), None),
                        Some(client @ Holder::Client { .. }) => (None, Some(client.to_string())),
                        None => (None, None),
                    };
                    let machine = mac.and_then(|mac| sees.machine(mac));
                    Lease { subnet: subnet.to_string(), address, state, mac, client, machine, expires }
                })
                .collect()
        })
    }

    /// How full each subnet is that somebody with these rights may see, and who else was seen there.
    pub fn uses(&self, rights: &Rights) -> Vec<SubnetUse> {
        let now = self.journal.now();
        let mut states: BTreeMap<Name, Vec<(Ipv4Addr, LeaseState)>> = BTreeMap::new();
        for (subnet, lease) in self.leases.all() {
            if let Some(state) = lease.state(now) {
                states.entry(subnet).or_default().push((lease.ip, state));
            }
        }
        let six: BTreeMap<Name, usize> = self.leases6.held(now).into_iter().collect();
        let (relays, servers) = (self.sightings.relays(), self.sightings.foreign());
        self.roster.read(|inventory| {
            let sees = Sees { inventory, rights };
            let seen = inventory.subnets.iter().filter(|(name, _)| sees.subnet(name));
            seen.map(|(name, subnet)| {
                let held = states.get(name).map(Vec::as_slice).unwrap_or_default();
                let count = |wanted| number(held.iter().filter(|(_, state)| *state == wanted).count());
                let reserved = reserved(inventory, &subnet.spec);
                let kept = held.iter().filter(|(_, state)| *state != LeaseState::Ended).map(|(ip, _)| *ip);
                let taken = kept.chain(reserved.iter().copied()).chain(subnet.spec.gateway);
                let ours = subnet.spec.ranges.iter().flat_map(|range| self.leases.ours_among(*range));
                let (addresses, free) =
                    room(&subnet.spec.ranges, &subnet.spec.exclude, &taken.chain(ours).collect());
                SubnetUse {
                    subnet: name.to_string(),
                    addresses,
                    free,
                    leased: count(LeaseState::Leased),
                    offered: count(LeaseState::Offered),
                    abandoned: count(LeaseState::Abandoned),
                    reserved: number(reserved.len()),
                    leased6: number(six.get(name).copied().unwrap_or_default()),
                    relays: sighted(relays.iter().filter(|one| one.0 == *name).map(|one| (one.1, one.2))),
                    servers: sighted(
                        servers.iter().filter(|one| one.0 == *name).map(|one| (IpAddr::V4(one.1), one.2)),
                    ),
                }
            })
            .collect()
        })
    }
}

/// What somebody may see.
struct Sees<'a> {
    inventory: &'a Inventory,
    rights: &'a Rights,
}

impl Sees<'_> {
    fn subnet(&self, name: &Name) -> bool {
        self.permitted(Kind::Subnet, name)
    }

    fn machine(&self, mac: Mac) -> Option<String> {
        let machine = self.inventory.machine_that_says(mac, None)?;
        self.permitted(Kind::Machine, &machine.name).then(|| machine.name.to_string())
    }

    fn permitted(&self, kind: Kind, name: &Name) -> bool {
        permits(self.inventory, self.rights, Verb::Get, (kind, name.as_str()))
            .is_some_and(|seen| seen.is_ok())
    }
}

/// The addresses of a subnet that are reserved for machines.
fn reserved(inventory: &Inventory, subnet: &SubnetSpec) -> HashSet<Ipv4Addr> {
    let own = inventory.machines().filter_map(|machine| machine.spec.ip);
    own.filter(|ip| ipnet::Ipv4Net::contains(&subnet.cidr, ip)).collect()
}

fn sighted(seen: impl Iterator<Item = (IpAddr, pilotlight_types::Timestamp)>) -> Vec<Sighting> {
    seen.map(|(address, last)| Sighting { address, last }).collect()
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
