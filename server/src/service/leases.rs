//! Leases: offered from memory, acknowledged when durable.
use super::{boots::Boots, journal::Journal, roster::Roster};
use crate::{
    domain::{
        inventory::Inventory,
        lease::{Lease, LeaseBook, NoAddress, Offered, Pool},
    },
    store::{Db, LeaseRow, StoreError, Write},
};
use ipnet::Ipv4Net;
use pilotlight_types::{
    Mac, MachineId, Timestamp,
    resource::{Ipv4Range, Name, SubnetMode, SubnetSpec},
};
use std::{
    collections::{BTreeMap, HashSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// How many addresses of a subnet are kept ready where a probe has just found nobody.
const READY: usize = 4;

/// How many addresses wait for a probe that were offered without one; what is beyond goes without.
const MOST_WAITING: usize = 1024;

/// The leases of every subnet.
#[derive(Debug, Clone)]
pub struct Leases {
    // Whoever holds this lock may read the roster and the boots, and never the other way round.
    books: Arc<Mutex<BTreeMap<Name, LeaseBook>>>,
    ours: Arc<HashSet<Ipv4Addr>>,
    roster: Roster,
    boots: Boots,
    journal: Journal,
    unprobed: Arc<Unprobed>,
}

/// Addresses that were offered before anybody looked whether they are free.
#[derive(Debug, Default)]
struct Unprobed {
    waiting: Mutex<Vec<(Name, Ipv4Addr)>>,
    there_are_some: Notify,
}

/// Who asks for an address.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The subnet that it is on.
    pub subnet: &'a Name,
    /// Its interface.
    pub mac: Mac,
    /// The machine that it is, where it is known.
    pub machine: Option<MachineId>,
    /// Whether it is firmware or iPXE, which needs the address for a moment only.
    pub boots: bool,
}

impl Leases {
    /// Reads the leases. `ours` are the server's own addresses, which are nobody else's.
    pub async fn load(
        db: &Db,
        roster: Roster,
        boots: Boots,
        journal: Journal,
        ours: HashSet<Ipv4Addr>,
    ) -> Result<Self, StoreError> {
        let rows = db.read().await?.leases().await?;
        Ok(Self::new(rows, roster, boots, journal, ours))
    }

    /// The same, with the leases that were stored.
    pub fn new(
        stored: Vec<LeaseRow>,
        roster: Roster,
        boots: Boots,
        journal: Journal,
        ours: HashSet<Ipv4Addr>,
    ) -> Self {
        let mut rows: BTreeMap<Name, Vec<Lease>> = BTreeMap::new();
        for LeaseRow { subnet, lease } in stored {
            let declared = lease.mac.is_none_or(|mac| {
                roster.read(|i| i.machine_that_says(mac, None).is_some_and(|m| m.is_vouched_for()))
            });
            rows.entry(subnet).or_default().push(Lease { declared, ..lease });
        }
        let books = rows.into_iter().map(|(subnet, leases)| (subnet, LeaseBook::load(leases))).collect();
        let (books, ours, unprobed) = (Arc::new(Mutex::new(books)), Arc::new(ours), Arc::default());
        Self { books, ours, roster, boots, journal, unprobed }
    }

    /// Whether an address is this server's own.
    pub fn is_ours(&self, ip: Ipv4Addr) -> bool {
        self.ours.contains(&ip)
    }

    /// Sets an address aside for a moment.
    pub fn offer(&self, asker: Asker<'_>, asked: Option<Ipv4Addr>) -> Result<Lease, NoAddress> {
        let now = self.journal.now();
        let offered = self.with_pool(asker, |book, pool, spec| {
            book.offer(asker.mac, asked, pool, now).map(|offered| (offered, spec.probe))
        });
        let (Offered { lease, unprobed, former }, probe) = offered.unwrap_or(Err(NoAddress::NoRange))?;
        if let Some(former) = former {
            self.journal.later(vec![Write::NoLease(former, asker.mac)]);
        }
        if unprobed && probe {
            self.unprobed.put(asker.subnet, lease.ip);
        }
        Ok(lease)
    }

    /// What [`Leases::offer`] would set aside.
    pub fn would_offer(&self, asker: Asker<'_>, asked: Option<Ipv4Addr>) -> Result<Ipv4Addr, NoAddress> {
        let now = self.journal.now();
        self.with_pool(asker, |book, pool, _| book.would_offer(asker.mac, asked, pool, now))
            .unwrap_or(Err(NoAddress::NoRange))
    }

    /// Whether [`Leases::bind`] would give it.
    pub fn would_bind(&self, asker: Asker<'_>, ip: Ipv4Addr) -> bool {
        let now = self.journal.now();
        self.with_pool(asker, |book, pool, _| book.may_have(asker.mac, ip, pool, now)).unwrap_or(false)
    }

    /// Our own address on a network.
    pub fn ours_in(&self, network: Ipv4Net) -> Option<Ipv4Addr> {
        self.ours.iter().copied().filter(|ip| network.contains(ip)).min()
    }

    /// Gives the address for the subnet's lease time, durably; none if the asker may not have it.
    pub async fn bind(&self, asker: Asker<'_>, ip: Ipv4Addr) -> Result<Option<Lease>, StoreError> {
        let now = self.journal.now();
        let bound = self.with_pool(asker, |book, pool, spec| {
            let end = now.plus(lease_time(spec, asker.boots));
            book.may_have(asker.mac, ip, pool, now).then(|| book.bind(asker.mac, ip, end, pool.declared))
        });
        let Some((lease, former)) = bound.flatten() else { return Ok(None) };
        let ended = former.filter(|had| had.ip != ip).map(|other| Write::NoLease(other.ip, asker.mac));
        let mut writes: Vec<Write> = ended.into_iter().collect();
        writes.push(Write::Lease(LeaseRow { subnet: asker.subnet.clone(), lease }));
        if let Err(error) = self.journal.commit(writes).await {
            if let Some(book) = self.lock().get_mut(asker.subnet) {
                book.unbind(lease, former);
            }
            return Err(error);
        }
        Ok(Some(lease))
    }

    /// Takes an address back; says whether it was the asker's.
    pub fn release(&self, subnet: &Name, mac: Mac, ip: Ipv4Addr) -> bool {
        let released = self.lock().get_mut(subnet).is_some_and(|book| book.release(mac, ip));
        if released {
            self.journal.later(vec![Write::NoLease(ip, mac)]);
        }
        released
    }

    /// Leaves an address alone for a while; none if it was not the asker's to decline.
    pub fn decline(&self, subnet: &Name, mac: Mac, ip: Ipv4Addr) -> Option<Lease> {
        let now = self.journal.now();
        let probation = self.lock().get_mut(subnet).and_then(|book| book.decline(mac, ip, now));
        if let Some(lease) = probation {
            self.journal.later(vec![Write::Lease(LeaseRow { subnet: subnet.clone(), lease })]);
        }
        probation
    }

    /// Addresses to be probed now: those that were offered without a look, and the next ones of each subnet.
    pub fn to_probe(&self) -> Vec<(Name, Ipv4Addr)> {
        let now = self.journal.now();
        let mut all = self.unprobed.take();
        let probing = |i: &Inventory| -> Vec<Name> {
            let served = |spec: &SubnetSpec| {
                spec.mode == SubnetMode::Authoritative && spec.probe && !spec.ranges.is_empty()
            };
            i.subnets.iter().filter(|(_, s)| served(&s.spec)).map(|(name, _)| name.clone()).collect()
        };
        for subnet in self.roster.read(probing) {
            // No client's: the interface that nobody can have.
            let anyone = Asker { subnet: &subnet, mac: Mac::new([0; 6]), machine: None, boots: false };
            let next = self.with_pool(anyone, |book, pool, _| book.to_probe(pool, READY, now));
            all.extend(next.into_iter().flatten().map(|ip| (subnet.clone(), ip)));
        }
        all
    }

    /// Returns when an address was offered without a look.
    pub async fn unprobed(&self) {
        self.unprobed.there_are_some.notified().await;
    }

    /// Notes that a probe found nobody.
    pub fn nobody_at(&self, subnet: &Name, ip: Ipv4Addr) {
        let now = self.journal.now();
        if let Some(book) = self.lock().get_mut(subnet) {
            book.nobody_at(ip, now);
        }
    }

    /// Notes that somebody uses an address: `mac`, where that is known. Returns the lease that keeps it from others, unless it was
    /// given away meanwhile.
    pub fn somebody_at(&self, subnet: &Name, ip: Ipv4Addr, mac: Option<Mac>) -> Option<Lease> {
        let now = self.journal.now();
        let lease = self.lock().get_mut(subnet)?.somebody_at(ip, mac, now)?;
        self.journal.later(vec![Write::Lease(LeaseRow { subnet: subnet.clone(), lease })]);
        Some(lease)
    }

    /// The address that a client holds or was offered on a subnet.
    pub fn of(&self, subnet: &Name, mac: Mac) -> Option<Ipv4Addr> {
        let now = self.journal.now();
        self.lock().get(subnet).and_then(|book| book.of(mac, now)).map(|lease| lease.ip)
    }

    /// Our own addresses in a range.
    pub fn ours_among(&self, range: Ipv4Range) -> impl Iterator<Item = Ipv4Addr> {
        self.ours.iter().copied().filter(move |ip| range.contains(*ip))
    }

    /// Every lease there is, with its subnet.
    pub fn all(&self) -> Vec<(Name, Lease)> {
        let books = self.lock();
        books.iter().flat_map(|(subnet, book)| book.all().map(|lease| (subnet.clone(), *lease))).collect()
    }

    /// How many addresses of each subnet are held.
    pub fn held(&self, now: Timestamp) -> Vec<(Name, usize)> {
        self.lock().iter().map(|(subnet, book)| (subnet.clone(), book.held(now))).collect()
    }

    fn with_pool<T>(
        &self,
        asker: Asker<'_>,
        act: impl FnOnce(&mut LeaseBook, Pool<'_>, &SubnetSpec) -> T,
    ) -> Option<T> {
        let (spec, machine) = self.roster.read(|inventory| {
            let spec = inventory.subnets.get(asker.subnet)?.spec.clone();
            Some((spec, asker.machine.and_then(|id| inventory.machine(id)).cloned()))
        })?;
        let reserved = machine
            .as_ref()
            .and_then(|machine| machine.spec.ip)
            .filter(|ip| ipnet::Ipv4Net::contains(&spec.cidr, ip));
        let set_aside = |ip: Ipv4Addr| {
            self.ours.contains(&ip)
                || spec.gateway == Some(ip)
                || spec.exclude.iter().any(|range| range.contains(ip))
                || self.roster.read(|i| i.reserved(ip).is_some_and(|other| Some(other.id) != asker.machine))
        };
        let in_use = |ip: Ipv4Addr| self.boots.uses(ip).is_some_and(|other| Some(other) != asker.machine);
        let pool = Pool {
            ranges: &spec.ranges,
            reserved,
            set_aside: &set_aside,
            in_use: &in_use,
            declared: machine.is_some_and(|machine| machine.is_vouched_for()),
            kept: spec.keep_for_declared.of(spec.ranges.iter().map(|range| range.size()).sum()),
        };
        Some(act(self.lock().entry(asker.subnet.clone()).or_default(), pool, &spec))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, LeaseBook>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a client's lease lasts: a short time for firmware and iPXE.
pub fn lease_time(subnet: &SubnetSpec, boots: bool) -> Duration {
    if boots { subnet.boot_lease.min(subnet.lease).std() } else { subnet.lease.std() }
}

impl Unprobed {
    fn put(&self, subnet: &Name, ip: Ipv4Addr) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING {
            waiting.push((subnet.clone(), ip));
            self.there_are_some.notify_one();
        }
    }

    fn take(&self) -> Vec<(Name, Ipv4Addr)> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
