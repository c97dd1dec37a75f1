//! The addresses of one subnet: who holds which, and until when.
mod gaps;
mod pick;
pub mod room;

use self::gaps::Gaps;
use pilotlight_types::{Mac, Timestamp, api::LeaseState, resource::Ipv4Range};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::Ipv4Addr,
    time::Duration,
};

/// How long an address stays set aside for a declared machine that was offered it.
pub const OFFER_TIME: Duration = Duration::from_secs(60);

/// The same for a client that nobody declared: made-up ones must not hold much for long.
pub const STRANGERS_OFFER_TIME: Duration = Duration::from_secs(20);

/// How long an address that somebody else uses is left alone.
pub const PROBATION: Duration = Duration::from_secs(3600);

/// How long it counts that a probe found nobody at an address.
pub const PROBE_COUNTS: Duration = Duration::from_secs(60);

/// One address, held by one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub ip: Ipv4Addr,
    /// Its holder. None while the address is on probation.
    pub mac: Option<Mac>,
    /// When it ends.
    pub expires: Timestamp,
    /// Whether the client asked for it and was told that it has it; if not, it was only offered.
    pub bound: bool,
    /// Whether the holder is a machine that was declared.
    pub declared: bool,
}

impl Lease {
    /// What is with the address, for people; nothing, if that is over and nobody is to get it again.
    pub fn state(&self, now: Timestamp) -> Option<LeaseState> {
        state((self.mac.is_some(), self.bound), self.expires, now)
    }
}

/// What is with an address that is, or is not, held by somebody who asked for it.
pub(super) fn state((held, bound): (bool, bool), expires: Timestamp, now: Timestamp) -> Option<LeaseState> {
    Some(match (expires > now, held, bound) {
        (true, false, _) => LeaseState::Abandoned,
        (true, true, true) => LeaseState::Leased,
        (true, true, false) => LeaseState::Offered,
        (false, true, true) => LeaseState::Ended,
        (false, ..) => return None,
    })
}

/// An address that was set aside for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// The lease to be.
    pub lease: Lease,
    /// Whether nobody has looked yet if somebody else uses it.
    pub unprobed: bool,
    /// Another address that the client had, which is taken back.
    pub former: Option<Ipv4Addr>,
}

/// Why there is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// The ranges have no free address.
    #[error("every address of the subnet's ranges is taken")]
    Exhausted,
    /// What is free is kept for declared machines.
    #[error("what is free of the subnet's ranges is kept for declared machines")]
    Kept,
    /// The subnet has no ranges, and the machine no reservation.
    #[error("the subnet has no ranges, and no address is reserved for the machine")]
    NoRange,
}

/// Where a client's address comes from.
#[derive(Clone, Copy)]
pub struct Pool<'a> {
    /// Addresses that may be leased to anyone.
    pub ranges: &'a [Ipv4Range],
    /// The address reserved for this client.
    pub reserved: Option<Ipv4Addr>,
    /// Whether an address is set aside for another machine, is excluded, or is our own.
    pub set_aside: &'a dyn Fn(Ipv4Addr) -> bool,
    /// Whether another machine uses the address in a boot that goes on, whatever became of its lease.
    pub in_use: &'a dyn Fn(Ipv4Addr) -> bool,
    /// Whether the client is a machine that was declared.
    pub declared: bool,
    /// How many addresses are kept for such machines.
    pub kept: u64,
}

impl Pool<'_> {
    fn size(&self) -> u64 {
        self.ranges.iter().map(|range| range.size()).sum()
    }

    fn gives(&self, ip: Ipv4Addr) -> bool {
        self.reserved == Some(ip)
            || self.ranges.iter().any(|range| range.contains(ip)) && !(self.set_aside)(ip)
    }
}

/// The leases of one subnet. It remembers who had an address after the lease ended, so that the client gets the same one again; its
/// size is bounded by that of the ranges.
#[derive(Debug, Default)]
pub struct LeaseBook {
    by_ip: HashMap<Ipv4Addr, Lease>,
    by_mac: HashMap<Mac, Ipv4Addr>,
    /// Those that had not ended at the last sweep, the next to end first.
    live: BTreeSet<(Timestamp, Ipv4Addr)>,
    /// Those that had, the longest ended first.
    ended: BTreeSet<(Timestamp, Ipv4Addr)>,
    /// How many of `live` are held by clients that nobody declared.
    strangers: u64,
    /// The addresses of the ranges that are not in `by_ip`.
    gaps: Gaps,
    /// Where a probe found nobody, and when.
    probed: BTreeMap<Ipv4Addr, Timestamp>,
    /// When the whole range was last searched without finding anything.
    searched: Option<Timestamp>,
}

impl LeaseBook {
    /// A book that starts with these leases.
    pub fn load(leases: impl IntoIterator<Item = Lease>) -> Self {
        let mut book = Self::default();
        leases.into_iter().for_each(|lease| book.put(lease));
        book
    }

    /// The client's lease or offer, unless it has ended.
    pub fn of(&self, mac: Mac, now: Timestamp) -> Option<Lease> {
        self.by_mac.get(&mac).and_then(|ip| self.by_ip.get(ip)).copied().filter(|lease| lease.expires > now)
    }

    /// Who holds the address, unless the lease has ended.
    pub fn holder(&self, ip: Ipv4Addr, now: Timestamp) -> Option<Mac> {
        self.by_ip.get(&ip).filter(|lease| lease.expires > now).and_then(|lease| lease.mac)
    }

    /// Every address that is held, offered or on probation, and those whose clients get them again.
    pub fn all(&self) -> impl Iterator<Item = &Lease> {
        self.by_ip.values()
    }

    /// How many addresses are held, offered or on probation.
    pub fn held(&self, now: Timestamp) -> usize {
        self.live.iter().rev().take_while(|(expires, _)| *expires > now).count()
    }

    /// Sets an address aside for the client: the one reserved for it, the one that it had, the one that it asks for, or a free one.
    pub fn offer(
        &mut self,
        mac: Mac,
        asked: Option<Ipv4Addr>,
        pool: Pool<'_>,
        now: Timestamp,
    ) -> Result<Offered, NoAddress> {
        let ip = self.pick(mac, asked, pool, now)?;
        let time = if pool.declared { OFFER_TIME } else { STRANGERS_OFFER_TIME };
        let before = self.by_ip.get(&ip).copied().filter(|lease| lease.mac == Some(mac));
        let lease = match before.filter(|held| held.expires > now) {
            Some(held) => {
                Lease { expires: held.expires.max(now.plus(time)), declared: pool.declared, ..held }
            }
            None => {
                Lease { ip, mac: Some(mac), expires: now.plus(time), bound: false, declared: pool.declared }
            }
        };
        let probed = self.probed.remove(&ip).is_some_and(|at| now < at.plus(PROBE_COUNTS));
        let former = self.other_than(ip, mac);
        self.put(lease);
        // A reserved address is the operator's word; one that the client had is its own.
        let unprobed = before.is_none() && !probed && pool.reserved != Some(ip);
        Ok(Offered { lease, unprobed, former })
    }

    /// What [`LeaseBook::offer`] would set aside.
    pub fn would_offer(
        &mut self,
        mac: Mac,
        asked: Option<Ipv4Addr>,
        pool: Pool<'_>,
        now: Timestamp,
    ) -> Result<Ipv4Addr, NoAddress> {
        self.pick(mac, asked, pool, now)
    }

    /// Whether the client may have this address now.
    pub fn may_have(&mut self, mac: Mac, ip: Ipv4Addr, pool: Pool<'_>, now: Timestamp) -> bool {
        self.sweep(now);
        pool.gives(ip) && self.free_for(mac, ip, pool, now) && self.has_room_for(mac, ip, pool, now)
    }

    /// Gives the address to the client until `expires`; with it comes what the client had before: this address for another time, or
    /// another one, which is taken back. The caller has asked [`LeaseBook::may_have`].
    pub fn bind(
        &mut self,
        mac: Mac,
        ip: Ipv4Addr,
        expires: Timestamp,
        declared: bool,
    ) -> (Lease, Option<Lease>) {
        let former = self.by_mac.get(&mac).and_then(|had| self.by_ip.get(had)).copied();
        let lease = Lease { ip, mac: Some(mac), expires, bound: true, declared };
        self.put(lease);
        (lease, former)
    }

    /// Takes a lease back that could not be written down, so that the client was never told of it: what it had before is still its
    /// own. Without that, the address stays set aside for the client.
    pub fn unbind(&mut self, lease: Lease, former: Option<Lease>) {
        let unchanged = self.by_ip.get(&lease.ip) == Some(&lease);
        let free = |ip| ip == lease.ip || !self.by_ip.contains_key(&ip);
        if let Some(former) = former.filter(|former| unchanged && free(former.ip)) {
            self.put(former);
        }
    }

    /// Takes the address back from the client; says whether it was its own.
    pub fn release(&mut self, mac: Mac, ip: Ipv4Addr) -> bool {
        if self.by_ip.get(&ip).is_none_or(|lease| lease.mac != Some(mac)) {
            return false;
        }
        self.remove(ip);
        true
    }

    /// Leaves the address alone for a while: the client found somebody else on it. None if it was not its own.
    pub fn decline(&mut self, mac: Mac, ip: Ipv4Addr, now: Timestamp) -> Option<Lease> {
        self.release(mac, ip).then(|| self.abandon(ip, now))
    }

    /// Notes that a probe of the address found nobody.
    pub fn nobody_at(&mut self, ip: Ipv4Addr, now: Timestamp) {
        if self.by_ip.get(&ip).is_none_or(|lease| lease.expires <= now) {
            self.probed.insert(ip, now);
        }
    }

    /// Notes that somebody uses the address: `mac`, where that is known. It is left alone for a while, or kept for its former holder
    /// if that is who is there. None if it was given to somebody meanwhile, who can look for himself.
    pub fn somebody_at(&mut self, ip: Ipv4Addr, mac: Option<Mac>, now: Timestamp) -> Option<Lease> {
        self.probed.remove(&ip);
        let known = self.by_ip.get(&ip).copied();
        let its_own = known.is_some_and(|lease| mac.is_some() && lease.mac == mac);
        if known.is_some_and(|lease| lease.expires > now && (lease.bound || its_own)) {
            return None;
        }
        self.remove(ip);
        let lease = self.abandon(ip, now);
        let Some(former) = known.filter(|_| its_own) else { return Some(lease) };
        let kept = Lease { mac: former.mac, declared: former.declared, ..lease };
        self.put(kept);
        Some(kept)
    }

    /// Addresses that strangers may be given next and that nobody has looked at yet: so many that `wanted` are ready.
    pub fn to_probe(&mut self, pool: Pool<'_>, wanted: usize, now: Timestamp) -> Vec<Ipv4Addr> {
        self.sweep(now);
        self.probed.retain(|_, at| now < at.plus(PROBE_COUNTS));
        let missing = wanted.saturating_sub(self.probed.len());
        self.next_free(pool, missing)
    }

    fn abandon(&mut self, ip: Ipv4Addr, now: Timestamp) -> Lease {
        let lease = Lease { ip, mac: None, expires: now.plus(PROBATION), bound: true, declared: true };
        self.put(lease);
        lease
    }

    fn other_than(&self, ip: Ipv4Addr, mac: Mac) -> Option<Ipv4Addr> {
        self.by_mac.get(&mac).copied().filter(|other| *other != ip)
    }

    /// Whether nobody else holds the address or uses it.
    fn free_for(&self, mac: Mac, ip: Ipv4Addr, pool: Pool<'_>, now: Timestamp) -> bool {
        match self.by_ip.get(&ip) {
            Some(lease) if lease.expires > now => lease.mac == Some(mac),
            Some(lease) if lease.mac == Some(mac) => true,
            _ => !(pool.in_use)(ip),
        }
    }

    /// Whether the client may take one more address: strangers leave some for declared machines.
    fn has_room_for(&self, mac: Mac, ip: Ipv4Addr, pool: Pool<'_>, now: Timestamp) -> bool {
        pool.declared
            || pool.reserved == Some(ip)
            || self.strangers < pool.size().saturating_sub(pool.kept)
            || self.of(mac, now).is_some()
    }

    /// Moves leases that have ended from `live` to `ended`. Offers that nobody took, and probations, are forgotten.
    fn sweep(&mut self, now: Timestamp) {
        while let Some((expires, ip)) = self.live.first().copied().filter(|(expires, _)| *expires <= now) {
            let Some(lease) = self.by_ip.get(&ip).copied() else { return };
            self.remove(ip);
            if let Some(mac) = lease.mac.filter(|_| lease.bound) {
                self.by_ip.insert(ip, lease);
                self.gaps.take(ip);
                self.by_mac.insert(mac, ip);
                self.ended.insert((expires, ip));
            }
        }
    }

    fn put(&mut self, lease: Lease) {
        self.remove(lease.ip);
        if let Some(mac) = lease.mac
            && let Some(other) = self.by_mac.insert(mac, lease.ip)
        {
            self.remove(other);
            self.by_mac.insert(mac, lease.ip);
        }
        self.by_ip.insert(lease.ip, lease);
        self.gaps.take(lease.ip);
        self.live.insert((lease.expires, lease.ip));
        self.strangers += u64::from(!lease.declared);
    }

    fn remove(&mut self, ip: Ipv4Addr) {
        let Some(lease) = self.by_ip.remove(&ip) else { return };
        self.gaps.give(ip);
        if let Some(mac) = lease.mac {
            self.by_mac.remove(&mac);
        }
        if self.live.remove(&(lease.expires, ip)) {
            self.strangers -= u64::from(!lease.declared);
        }
        self.ended.remove(&(lease.expires, ip));
    }
}

#[cfg(test)]
mod tests;
