//! Leases: offered from memory, acknowledged when durable.
use super::{journal::Journal, roster::Roster};
use crate::{
    domain::lease::{Lease, LeaseBook, NoAddress, Pool},
    store::{Db, LeaseRow, StoreError, Write},
};
use pilotlight_types::{Mac, MachineId, Timestamp, resource::Name};
use std::{
    collections::{BTreeMap, HashSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The leases of every subnet.
#[derive(Debug, Clone)]
pub struct Leases {
    books: Arc<Mutex<BTreeMap<Name, LeaseBook>>>,
    ours: Arc<HashSet<Ipv4Addr>>,
    roster: Roster,
    journal: Journal,
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
}

impl Leases {
    /// Reads the leases. `ours` are the server's own addresses, which are nobody else's.
    pub async fn load(
        db: &Db,
        roster: Roster,
        journal: Journal,
        ours: HashSet<Ipv4Addr>,
    ) -> Result<Self, StoreError> {
        let mut rows: BTreeMap<Name, Vec<Lease>> = BTreeMap::new();
        for row in db.read().await?.leases().await? {
            rows.entry(row.subnet).or_default().push(row.lease);
        }
        let books = rows.into_iter().map(|(subnet, leases)| (subnet, LeaseBook::load(leases))).collect();
        Ok(Self { books: Arc::new(Mutex::new(books)), ours: Arc::new(ours), roster, journal })
    }

    /// Sets an address aside for a minute.
    pub fn offer(&self, asker: Asker<'_>, asked: Option<Ipv4Addr>) -> Result<Lease, NoAddress> {
        let now = self.journal.now();
        self.with_pool(asker, |book, pool| book.offer(asker.mac, asked, pool, now))
            .unwrap_or(Err(NoAddress::NoRange))
    }

    /// Gives the address for the subnet's lease time, durably; none if the asker may not have it.
    pub async fn bind(&self, asker: Asker<'_>, ip: Ipv4Addr) -> Result<Option<Lease>, StoreError> {
        let now = self.journal.now();
        let Some(time) =
            self.roster.read(|i| i.subnets.get(asker.subnet).map(|subnet| subnet.spec.lease.std()))
        else {
            return Ok(None);
        };
        let bound = self.with_pool(asker, |book, pool| {
            book.may_have(asker.mac, ip, pool, now).then(|| book.bind(asker.mac, ip, now.plus(time)))
        });
        let Some(lease) = bound.flatten() else { return Ok(None) };
        self.journal.commit(vec![Write::Lease(LeaseRow { subnet: asker.subnet.clone(), lease })]).await?;
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

    /// Leaves an address alone for a while; says whether it was the asker's to decline.
    pub fn decline(&self, subnet: &Name, mac: Mac, ip: Ipv4Addr) -> bool {
        let now = self.journal.now();
        let probation = self.lock().get_mut(subnet).and_then(|book| book.decline(mac, ip, now));
        if let Some(lease) = probation {
            self.journal.later(vec![Write::Lease(LeaseRow { subnet: subnet.clone(), lease })]);
        }
        probation.is_some()
    }

    /// The address that a client holds or was offered on a subnet.
    pub fn of(&self, subnet: &Name, mac: Mac) -> Option<Ipv4Addr> {
        let now = self.journal.now();
        self.lock().get(subnet).and_then(|book| book.of(mac, now)).map(|lease| lease.ip)
    }

    /// How many addresses of each subnet are held.
    pub fn held(&self, now: Timestamp) -> Vec<(Name, usize)> {
        self.lock().iter().map(|(subnet, book)| (subnet.clone(), book.held(now))).collect()
    }

    fn with_pool<T>(&self, asker: Asker<'_>, act: impl FnOnce(&mut LeaseBook, Pool<'_>) -> T) -> Option<T> {
        self.roster.read(|inventory| {
            let subnet = inventory.subnets.get(asker.subnet)?;
            let reserved = asker
                .machine
                .and_then(|id| inventory.machine(id)?.spec.ip)
                .filter(|ip| ipnet::Ipv4Net::contains(&subnet.spec.cidr, ip));
            let set_aside = |ip: Ipv4Addr| {
                self.ours.contains(&ip)
                    || subnet.spec.gateway == Some(ip)
                    || inventory.reserved(ip).is_some_and(|other| Some(other.id) != asker.machine)
            };
            let pool = Pool { ranges: &subnet.spec.ranges, reserved, set_aside: &set_aside };
            Some(act(self.lock().entry(asker.subnet.clone()).or_default(), pool))
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, LeaseBook>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
