//! The IPv6 addresses of one subnet: who holds which, and until when. A range may have more addresses than anybody can count: where a
//! client's search begins follows from who it is, so that it gets the same address again though nothing of it was remembered.
use super::{
    duid::Duid,
    lease::{self, NoAddress, OFFER_TIME, PROBATION, STRANGERS_OFFER_TIME},
};
use pilotlight_types::{Mac, Timestamp, api::LeaseState, resource::Ipv6Range};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    net::Ipv6Addr,
    str::FromStr,
};

/// How many addresses are looked at for one message.
const STEPS: u128 = 1024;

/// How many addresses clients that nobody declared hold at most in a subnet, however large its ranges are.
pub const MOST_OF_STRANGERS: usize = 16_384;

/// Who holds an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// An interface, whatever runs behind it.
    Interface(Mac),
    /// One association of a client whose interface is not known.
    Client {
        /// The client's name.
        duid: Duid,
        /// Its number for the association (IAID).
        association: u32,
    },
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(mac) => mac.fmt(f),
            Self::Client { duid, association } => write!(f, "{duid}/{association}"),
        }
    }
}

/// A text that names no holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a MAC, or a DUID, `/` and a number are expected")]
pub struct NoHolder;

impl FromStr for Holder {
    type Err = NoHolder;

    fn from_str(text: &str) -> Result<Self, NoHolder> {
        match text.split_once('/') {
            None => text.parse().map(Self::Interface).map_err(|_| NoHolder),
            Some((duid, association)) => Ok(Self::Client {
                duid: duid.parse().map_err(|_| NoHolder)?,
                association: association.parse().map_err(|_| NoHolder)?,
            }),
        }
    }
}

/// One address, held by one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease6 {
    /// The address.
    pub ip: Ipv6Addr,
    /// Its holder. None while the address is on probation.
    pub holder: Option<Holder>,
    /// When it ends.
    pub expires: Timestamp,
    /// Whether the client was told that it has it; if not, it was only advertised.
    pub bound: bool,
    /// Whether the holder is a machine that was declared.
    pub declared: bool,
}

impl Lease6 {
    /// What is with the address, for people; nothing, if that is over and nobody is to get it again.
    pub fn state(&self, now: Timestamp) -> Option<LeaseState> {
        lease::state((self.holder.is_some(), self.bound), self.expires, now)
    }
}

/// Where a client's address comes from.
#[derive(Clone, Copy)]
pub struct Pool6<'a> {
    /// Addresses that may be leased to anyone.
    pub ranges: &'a [Ipv6Range],
    /// The address reserved for this client's machine.
    pub reserved: Option<Ipv6Addr>,
    /// Whether an address is set aside for another machine, or is our own.
    pub set_aside: &'a dyn Fn(Ipv6Addr) -> bool,
    /// Whether another machine uses the address in a boot that goes on, whatever became of its lease.
    pub in_use: &'a dyn Fn(Ipv6Addr) -> bool,
    /// Whether this holder of the reserved address gives it up for the client: it is the same machine, at another stage of its boot.
    pub gives_way: &'a dyn Fn(&Holder) -> bool,
    /// Whether the client is a machine that was declared.
    pub declared: bool,
    /// How many percent of the ranges are kept for such machines.
    pub kept: u8,
}

impl Pool6<'_> {
    fn size(&self) -> u128 {
        self.ranges.iter().fold(0, |sum: u128, range| sum.saturating_add(range.size()))
    }

    fn nth(&self, mut index: u128) -> Option<Ipv6Addr> {
        for range in self.ranges {
            if let Some(ip) = range.nth(index) {
                return Some(ip);
            }
            index -= range.size();
        }
        None
    }

    fn gives(&self, ip: Ipv6Addr) -> bool {
        self.reserved == Some(ip)
            || self.ranges.iter().any(|range| range.contains(ip)) && !(self.set_aside)(ip)
    }

    fn most_of_strangers(&self) -> usize {
        let left = self.size() / 100 * u128::from(100 - self.kept.min(100))
            + self.size() % 100 * u128::from(100 - self.kept.min(100)) / 100;
        usize::try_from(left).unwrap_or(usize::MAX).min(MOST_OF_STRANGERS)
    }
}

/// A lease that was given, and what the client had until then: the same address for another time, or another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given6 {
    /// What it has now.
    pub lease: Lease6,
    /// What it had.
    pub former: Option<Lease6>,
}

/// The leases of one subnet: those that have not ended.
#[derive(Debug, Default)]
pub struct LeaseBook6 {
    by_ip: HashMap<Ipv6Addr, Lease6>,
    by_holder: HashMap<Holder, Ipv6Addr>,
    ends: BTreeSet<(Timestamp, Ipv6Addr)>,
    strangers: usize,
}

impl LeaseBook6 {
    /// A book that starts with these leases.
    pub fn load(leases: impl IntoIterator<Item = Lease6>) -> Self {
        let mut book = Self::default();
        leases.into_iter().for_each(|lease| book.put(lease));
        book
    }

    /// The client's lease, or what it was advertised, unless that has ended.
    pub fn of(&self, holder: &Holder, now: Timestamp) -> Option<&Lease6> {
        self.by_holder.get(holder).and_then(|ip| self.by_ip.get(ip)).filter(|lease| lease.expires > now)
    }

    /// Every address that is held, advertised or on probation, and those whose clients get them again.
    pub fn all(&self) -> impl Iterator<Item = &Lease6> {
        self.by_ip.values()
    }

    /// How many addresses are held, advertised or on probation.
    pub fn held(&self, now: Timestamp) -> usize {
        self.ends.iter().rev().take_while(|(expires, _)| *expires > now).count()
    }

    /// Sets an address aside for the client: the one reserved for it, the one that it has, the one that it asks for, or a free one.
    pub fn offer(
        &mut self,
        holder: &Holder,
        asked: &[Ipv6Addr],
        pool: Pool6<'_>,
        now: Timestamp,
    ) -> Result<Lease6, NoAddress> {
        let ip = self.pick(holder, asked, pool, now)?;
        let held = self.of(holder, now).filter(|lease| lease.ip == ip && lease.bound);
        if let Some(held) = held {
            return Ok(held.clone());
        }
        let time = if pool.declared { OFFER_TIME } else { STRANGERS_OFFER_TIME };
        let lease = Lease6 {
            ip,
            holder: Some(holder.clone()),
            expires: now.plus(time),
            bound: false,
            declared: pool.declared,
        };
        self.put(lease.clone());
        Ok(lease)
    }

    /// Which address [`LeaseBook6::offer`] would set aside.
    pub fn pick(
        &self,
        holder: &Holder,
        asked: &[Ipv6Addr],
        pool: Pool6<'_>,
        now: Timestamp,
    ) -> Result<Ipv6Addr, NoAddress> {
        let has = self.of(holder, now).map(|lease| lease.ip);
        let mut wanted = pool.reserved.into_iter().chain(has).chain(asked.iter().copied());
        if let Some(ip) = wanted.find(|ip| self.may_have(holder, *ip, pool, now)) {
            return Ok(ip);
        }
        let size = pool.size();
        if size == 0 {
            return Err(NoAddress::NoRange);
        }
        if !pool.declared && self.strangers >= pool.most_of_strangers() {
            return Err(if pool.kept == 0 { NoAddress::Exhausted } else { NoAddress::Kept });
        }
        let start = hash(holder) % size;
        let near = (0..STEPS.min(size)).filter_map(|step| pool.nth((start + step) % size));
        near.into_iter().find(|ip| self.may_have(holder, *ip, pool, now)).ok_or(NoAddress::Exhausted)
    }

    /// Whether the client may have this address now.
    pub fn may_have(&self, holder: &Holder, ip: Ipv6Addr, pool: Pool6<'_>, now: Timestamp) -> bool {
        let free = match self.by_ip.get(&ip) {
            Some(lease) if lease.expires > now => lease
                .holder
                .as_ref()
                .is_some_and(|other| other == holder || pool.reserved == Some(ip) && (pool.gives_way)(other)),
            _ => !(pool.in_use)(ip),
        };
        let room = || {
            pool.declared
                || pool.reserved == Some(ip)
                || self.strangers < pool.most_of_strangers()
                || self.of(holder, now).is_some()
        };
        pool.gives(ip) && free && room()
    }

    /// Gives the address to the client until `expires`. The caller has asked [`LeaseBook6::may_have`].
    pub fn bind(&mut self, holder: &Holder, ip: Ipv6Addr, expires: Timestamp, declared: bool) -> Given6 {
        let lease = Lease6 { ip, holder: Some(holder.clone()), expires, bound: true, declared };
        let former = self.by_holder.get(holder).and_then(|had| self.by_ip.get(had)).cloned();
        self.put(lease.clone());
        Given6 { lease, former }
    }

    /// Takes a lease back that could not be written down, so that the client was never told of it: what it had before is still its
    /// own. Without that, the address stays set aside for the client.
    pub fn unbind(&mut self, Given6 { lease, former }: Given6) {
        let unchanged = self.by_ip.get(&lease.ip) == Some(&lease);
        let free = |ip| ip == lease.ip || !self.by_ip.contains_key(&ip);
        if let Some(former) = former.filter(|former| unchanged && free(former.ip)) {
            self.put(former);
        }
    }

    /// Takes the address back from the client; none if it was not its own.
    pub fn release(&mut self, holder: &Holder, ip: Ipv6Addr) -> Option<Lease6> {
        if self.is_of(holder, ip) { self.remove(ip) } else { None }
    }

    /// Whether the address is the client's.
    pub fn is_of(&self, holder: &Holder, ip: Ipv6Addr) -> bool {
        self.by_ip.get(&ip).is_some_and(|lease| lease.holder.as_ref() == Some(holder))
    }

    /// Leaves the address alone for a while: the client found somebody else on it. None if it was not its own.
    pub fn decline(&mut self, holder: &Holder, ip: Ipv6Addr, now: Timestamp) -> Option<Lease6> {
        self.release(holder, ip).map(|_| {
            let lease =
                Lease6 { ip, holder: None, expires: now.plus(PROBATION), bound: true, declared: true };
            self.put(lease.clone());
            lease
        })
    }

    /// Forgets the leases that have ended; returns those that clients were told of.
    pub fn sweep(&mut self, now: Timestamp) -> Vec<Lease6> {
        let mut ended = Vec::new();
        while let Some((_, ip)) = self.ends.first().copied().filter(|(expires, _)| *expires <= now) {
            ended.extend(self.remove(ip).filter(|lease| lease.bound));
        }
        ended
    }

    fn put(&mut self, lease: Lease6) {
        self.remove(lease.ip);
        if let Some(before) = lease.holder.clone().and_then(|holder| self.by_holder.insert(holder, lease.ip))
        {
            let holder = lease.holder.clone();
            self.remove(before);
            self.by_holder.extend(holder.map(|holder| (holder, lease.ip)));
        }
        self.ends.insert((lease.expires, lease.ip));
        self.strangers += usize::from(!lease.declared);
        self.by_ip.insert(lease.ip, lease);
    }

    fn remove(&mut self, ip: Ipv6Addr) -> Option<Lease6> {
        let lease = self.by_ip.remove(&ip)?;
        if let Some(holder) = &lease.holder {
            self.by_holder.remove(holder);
        }
        self.ends.remove(&(lease.expires, ip));
        self.strangers -= usize::from(!lease.declared);
        Some(lease)
    }
}

/// FNV-1a of 128 bits over what the holder is written as: the same on every daemon and in every version.
fn hash(holder: &Holder) -> u128 {
    const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    holder.to_string().bytes().fold(START, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests;
