//! Which address a client is given. No search is longer than [`STEPS`], but for one in a while that goes through the whole range.
use super::{LeaseBook, NoAddress, Pool};
use pilotlight_types::{Mac, Timestamp, resource::Ipv4Range};
use std::{net::Ipv4Addr, time::Duration};

/// How many addresses are looked at for one packet.
const STEPS: usize = 1024;

/// After the whole range was searched in vain, it is not searched again for so long.
const REST: Duration = Duration::from_secs(1);

impl LeaseBook {
    pub(super) fn pick(
        &mut self,
        mac: Mac,
        asked: Option<Ipv4Addr>,
        pool: Pool<'_>,
        now: Timestamp,
    ) -> Result<Ipv4Addr, NoAddress> {
        self.sweep(now);
        // Somebody else may still hold it, from before it was reserved: then any other address will do until they let go.
        if let Some(reserved) = pool.reserved.filter(|ip| self.free_for(mac, *ip, pool, now)) {
            return Ok(reserved);
        }
        let had = self.by_mac.get(&mac).copied();
        if let Some(ip) = [had, asked].into_iter().flatten().find(|ip| self.may_have(mac, *ip, pool, now)) {
            return Ok(ip);
        }
        let size = pool.size();
        if size == 0 {
            return Err(NoAddress::NoRange);
        }
        if !pool.declared && self.strangers >= size.saturating_sub(pool.kept) {
            return Err(if pool.kept == 0 { NoAddress::Exhausted } else { NoAddress::Kept });
        }
        self.gaps.fit(pool.ranges, self.by_ip.keys());
        // Start at a place that depends on the client, so that it tends to get the same address again.
        let start =
            mac.bytes().iter().fold(0u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(*byte)))
                % size;
        let start = nth(pool.ranges, start).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let free = |ip: &Ipv4Addr| self.is_free(*ip, pool);
        let near = || self.gaps.from(start).take(STEPS).find(free);
        if let Some(ip) = self.probed_free(mac, pool, now).or_else(near).or_else(|| self.long_ended(pool)) {
            return Ok(ip);
        }
        // What is left is behind very many that are set aside, or not there: a flood must not make us look for it each time.
        if self.searched.is_some_and(|at| now < at.plus(REST)) {
            return Err(NoAddress::Exhausted);
        }
        let found = self.gaps.from(start).find(free);
        self.searched = if found.is_none() { Some(now) } else { None };
        found.ok_or(NoAddress::Exhausted)
    }

    /// Up to `count` addresses that would be given next: those never leased first, then those whose leases ended longest ago.
    pub(super) fn next_free(&mut self, pool: Pool<'_>, count: usize) -> Vec<Ipv4Addr> {
        self.gaps.fit(pool.ranges, self.by_ip.keys());
        let fresh = self.gaps.from(Ipv4Addr::UNSPECIFIED).take(STEPS);
        let ended = self.ended.iter().take(STEPS).map(|(_, ip)| *ip);
        let unknown = |ip: &Ipv4Addr| !self.probed.contains_key(ip) && self.is_free(*ip, pool);
        fresh.chain(ended).filter(unknown).take(count).collect()
    }

    /// An address where a probe found nobody a moment ago.
    fn probed_free(&self, mac: Mac, pool: Pool<'_>, now: Timestamp) -> Option<Ipv4Addr> {
        let counts = |at: Timestamp| now < at.plus(super::PROBE_COUNTS);
        let mut free = self.probed.iter().filter(|(_, at)| counts(**at)).map(|(ip, _)| *ip);
        free.find(|ip| self.free_for(mac, *ip, pool, now) && self.is_free(*ip, pool))
    }

    /// An ended lease is taken over only when nothing was never leased: its client may come back for it.
    fn long_ended(&self, pool: Pool<'_>) -> Option<Ipv4Addr> {
        self.ended.iter().take(STEPS).map(|(_, ip)| *ip).find(|ip| self.is_free(*ip, pool))
    }

    /// Whether an address without a live lease may be given to anyone.
    fn is_free(&self, ip: Ipv4Addr, pool: Pool<'_>) -> bool {
        pool.ranges.iter().any(|range| range.contains(ip)) && !(pool.set_aside)(ip) && !(pool.in_use)(ip)
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
