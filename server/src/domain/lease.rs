//! The addresses of one subnet: who holds which, and until when.
use pilotlight_types::{Mac, Timestamp, resource::Ipv4Range};
use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
    time::Duration,
};

/// How long an address stays set aside for a client that was offered it.
pub const OFFER_TIME: Duration = Duration::from_secs(60);

/// How long an address that a client declined (somebody else uses it) is left alone.
pub const PROBATION: Duration = Duration::from_secs(3600);

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
}

/// Why there is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// The ranges have no free address.
    #[error("every address of the subnet's ranges is taken")]
    Exhausted,
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
    /// Whether an address is set aside for another machine, or is our own.
    pub set_aside: &'a dyn Fn(Ipv4Addr) -> bool,
}

/// The leases of one subnet.
#[derive(Debug, Default)]
pub struct LeaseBook {
    by_ip: HashMap<Ipv4Addr, Lease>,
    by_mac: HashMap<Mac, Ipv4Addr>,
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

    /// How many addresses are held or offered.
    pub fn held(&self, now: Timestamp) -> usize {
        self.by_ip.values().filter(|lease| lease.expires > now).count()
    }

    /// Sets an address aside for the client: the one reserved for it, the one that it had, the one that it asks for, or a free one.
    pub fn offer(
        &mut self,
        mac: Mac,
        asked: Option<Ipv4Addr>,
        pool: Pool<'_>,
        now: Timestamp,
    ) -> Result<Lease, NoAddress> {
        let ip = self.pick(mac, asked, pool, now)?;
        if let Some(held) = self.of(mac, now).filter(|held| held.ip == ip) {
            let lease = Lease { expires: held.expires.max(now.plus(OFFER_TIME)), ..held };
            self.put(lease);
            return Ok(lease);
        }
        let lease = Lease { ip, mac: Some(mac), expires: now.plus(OFFER_TIME), bound: false };
        self.put(lease);
        Ok(lease)
    }

    /// Whether the client may have this address now.
    pub fn may_have(&self, mac: Mac, ip: Ipv4Addr, pool: Pool<'_>, now: Timestamp) -> bool {
        let ours = pool.reserved == Some(ip)
            || pool.ranges.iter().any(|range| range.contains(ip)) && !(pool.set_aside)(ip);
        ours && self.free_for(mac, ip, now)
    }

    /// Gives the address to the client until `expires`. The caller has asked [`LeaseBook::may_have`].
    pub fn bind(&mut self, mac: Mac, ip: Ipv4Addr, expires: Timestamp) -> Lease {
        let lease = Lease { ip, mac: Some(mac), expires, bound: true };
        self.put(lease);
        lease
    }

    /// Takes the address back from the client; says whether it was its own.
    pub fn release(&mut self, mac: Mac, ip: Ipv4Addr) -> bool {
        if self.by_ip.get(&ip).is_none_or(|lease| lease.mac != Some(mac)) {
            return false;
        }
        self.by_ip.remove(&ip);
        self.by_mac.remove(&mac);
        true
    }

    /// Leaves the address alone for a while: the client found somebody else on it. None if it was not its own.
    pub fn decline(&mut self, mac: Mac, ip: Ipv4Addr, now: Timestamp) -> Option<Lease> {
        if !self.release(mac, ip) {
            return None;
        }
        let lease = Lease { ip, mac: None, expires: now.plus(PROBATION), bound: true };
        self.put(lease);
        Some(lease)
    }

    fn pick(
        &self,
        mac: Mac,
        asked: Option<Ipv4Addr>,
        pool: Pool<'_>,
        now: Timestamp,
    ) -> Result<Ipv4Addr, NoAddress> {
        // Somebody else may still hold it, from before it was reserved: then any other address will do until they let go.
        if let Some(reserved) = pool.reserved.filter(|ip| self.free_for(mac, *ip, now)) {
            return Ok(reserved);
        }
        let had = self.by_mac.get(&mac).copied();
        if let Some(ip) = [had, asked].into_iter().flatten().find(|ip| self.may_have(mac, *ip, pool, now)) {
            return Ok(ip);
        }
        let total: u64 = pool.ranges.iter().map(|range| range.size()).sum();
        if total == 0 {
            return Err(NoAddress::NoRange);
        }
        // Start at a place that depends on the client, so that it tends to get the same address again.
        let start =
            mac.bytes().iter().fold(0u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(*byte)))
                % total;
        let candidates = (start..total).chain(0..start).filter_map(|index| nth(pool.ranges, index));
        let mut ended = None;
        let mut seen = HashSet::new();
        for ip in candidates.filter(|ip| self.may_have(mac, *ip, pool, now)) {
            if !self.by_ip.contains_key(&ip) {
                return Ok(ip);
            }
            // An ended lease is taken over only when nothing was never leased: its client may come back for it.
            if seen.insert(ip) && ended.is_none_or(|(_, expires)| self.expiry(ip) < expires) {
                ended = Some((ip, self.expiry(ip)));
            }
        }
        ended.map(|(ip, _)| ip).ok_or(NoAddress::Exhausted)
    }

    fn expiry(&self, ip: Ipv4Addr) -> Timestamp {
        self.by_ip.get(&ip).map(|lease| lease.expires).unwrap_or_default()
    }

    fn free_for(&self, mac: Mac, ip: Ipv4Addr, now: Timestamp) -> bool {
        self.by_ip.get(&ip).is_none_or(|lease| lease.mac == Some(mac) || lease.expires <= now)
    }

    fn put(&mut self, lease: Lease) {
        if let Some(before) = self.by_ip.insert(lease.ip, lease)
            && before.mac != lease.mac
            && let Some(mac) = before.mac
        {
            self.by_mac.remove(&mac);
        }
        if let Some(mac) = lease.mac
            && let Some(other) = self.by_mac.insert(mac, lease.ip)
            && other != lease.ip
        {
            self.by_ip.remove(&other);
        }
    }
}

fn nth(ranges: &[Ipv4Range], mut index: u64) -> Option<Ipv4Addr> {
    for range in ranges {
        if let Some(ip) = range.nth(index) {
            return Some(ip);
        }
        index -= range.size();
    }
    None
}

#[cfg(test)]
mod tests;
