//! IPv6 leases: advertised from memory, told to clients when durable.
use super::{boots::Boots, journal::Journal, leases::lease_time, roster::Roster};
use crate::{
    domain::{
        lease::NoAddress,
        lease6::{Given6, Holder, Lease6, LeaseBook6, Pool6},
    },
    store::{Db, Lease6Row, StoreError, Write},
};
use pilotlight_types::{
    MachineId, Timestamp,
    resource::{Name, SubnetSpec},
};
use std::{
    collections::{BTreeMap, HashSet},
    net::Ipv6Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The IPv6 leases of every subnet.
#[derive(Debug, Clone)]
pub struct Leases6 {
    // Whoever holds this lock may read the roster and the boots, and never the other way round.
    books: Arc<Mutex<BTreeMap<Name, LeaseBook6>>>,
    ours: Arc<HashSet<Ipv6Addr>>,
    roster: Roster,
    boots: Boots,
    journal: Journal,
}

/// Who asks for an address.
#[derive(Debug, Clone, Copy)]
pub struct Asker6<'a> {
    /// The subnet that it is on.
    pub subnet: &'a Name,
    /// Who will hold the address.
    pub holder: &'a Holder,
    /// The machine that it is, where it is known.
    pub machine: Option<MachineId>,
    /// Whether it is firmware or iPXE, which needs the address for a moment only.
    pub boots: bool,
}

impl Leases6 {
    /// Reads the leases. `ours` are the server's own addresses, which are nobody else's.
    pub async fn load(
        db: &Db,
        roster: Roster,
        boots: Boots,
        journal: Journal,
        ours: HashSet<Ipv6Addr>,
    ) -> Result<Self, StoreError> {
        let mut rows: BTreeMap<Name, Vec<Lease6>> = BTreeMap::new();
        for Lease6Row { subnet, lease } in db.read().await?.leases6().await? {
            let declared = match &lease.holder {
                None => true,
                Some(Holder::Interface(mac)) => roster.read(|i| {
                    i.machine_that_says(*mac, None).is_some_and(|machine| machine.is_vouched_for())
                }),
                Some(Holder::Client { .. }) => false,
            };
            rows.entry(subnet).or_default().push(Lease6 { declared, ..lease });
        }
        let books = rows.into_iter().map(|(subnet, leases)| (subnet, LeaseBook6::load(leases))).collect();
        Ok(Self { books: Arc::new(Mutex::new(books)), ours: Arc::new(ours), roster, boots, journal })
    }

    /// Sets an address aside for a moment: one of those asked for, if it can be had.
    pub fn offer(&self, asker: Asker6<'_>, asked: &[Ipv6Addr]) -> Result<Lease6, NoAddress> {
        let now = self.journal.now();
        self.with_pool(asker, |book, pool, _| book.offer(asker.holder, asked, pool, now))
            .unwrap_or(Err(NoAddress::NoRange))
    }

    /// Gives an address for the subnet's lease time: one of those asked for, if it can be had. The client is not told before
    /// [`Leases6::commit`].
    pub fn bind(&self, asker: Asker6<'_>, asked: &[Ipv6Addr]) -> Result<Given6, NoAddress> {
        let now = self.journal.now();
        let bound = self.with_pool(asker, |book, pool, spec| {
            let ip = book.pick(asker.holder, asked, pool, now)?;
            let end = now.plus(lease_time(spec, asker.boots));
            Ok(book.bind(asker.holder, ip, end, pool.declared))
        });
        bound.unwrap_or(Err(NoAddress::NoRange))
    }

    /// Makes leases of a subnet durable.
    pub async fn commit(&self, subnet: &Name, given: Vec<Given6>) -> Result<(), StoreError> {
        let row =
            |given: &Given6| Write::Lease6(Lease6Row { subnet: subnet.clone(), lease: given.lease.clone() });
        let done = self.journal.commit(given.iter().map(row).collect()).await;
        if done.is_err()
            && let Some(book) = self.lock().get_mut(subnet)
        {
            given.into_iter().rev().for_each(|given| book.unbind(given));
        }
        done
    }

    /// Which address [`Leases6::offer`] or [`Leases6::bind`] would give.
    pub fn would_give(&self, asker: Asker6<'_>, asked: &[Ipv6Addr]) -> Result<Ipv6Addr, NoAddress> {
        let now = self.journal.now();
        self.with_pool(asker, |book, pool, _| book.pick(asker.holder, asked, pool, now))
            .unwrap_or(Err(NoAddress::NoRange))
    }

    /// Whether the address is the holder's, to give back or to decline.
    pub fn is_of(&self, subnet: &Name, holder: &Holder, ip: Ipv6Addr) -> bool {
        self.lock().get(subnet).is_some_and(|book| book.is_of(holder, ip))
    }

    /// An address of ours in this network.
    pub fn ours_in(&self, network: ipnet::Ipv6Net) -> Option<Ipv6Addr> {
        self.ours.iter().filter(|ip| ipnet::Ipv6Net::contains(&network, *ip)).min().copied()
    }

    /// Whether the asker may have this very address.
    pub fn may_have(&self, asker: Asker6<'_>, ip: Ipv6Addr) -> bool {
        let now = self.journal.now();
        self.with_pool(asker, |book, pool, _| book.may_have(asker.holder, ip, pool, now)).unwrap_or(false)
    }

    /// Takes an address back; says whether it was the holder's.
    pub fn release(&self, subnet: &Name, holder: &Holder, ip: Ipv6Addr) -> bool {
        let released = self.lock().get_mut(subnet).and_then(|book| book.release(holder, ip));
        let was = released.is_some();
        self.forget(subnet, released);
        was
    }

    /// Leaves an address alone for a while; says whether it was the holder's to decline.
    pub fn decline(&self, subnet: &Name, holder: &Holder, ip: Ipv6Addr) -> bool {
        let now = self.journal.now();
        let probation = self.lock().get_mut(subnet).and_then(|book| book.decline(holder, ip, now));
        let was = probation.is_some();
        if let Some(lease) = probation {
            self.journal.later(vec![Write::Lease6(Lease6Row { subnet: subnet.clone(), lease })]);
        }
        was
    }

    /// Every lease there is, with its subnet.
    pub fn all(&self) -> Vec<(Name, Lease6)> {
        let books = self.lock();
        books
            .iter()
            .flat_map(|(subnet, book)| book.all().map(|lease| (subnet.clone(), lease.clone())))
            .collect()
    }

    /// How many addresses of each subnet are held.
    pub fn held(&self, now: Timestamp) -> Vec<(Name, usize)> {
        self.lock().iter().map(|(subnet, book)| (subnet.clone(), book.held(now))).collect()
    }

    fn forget(&self, subnet: &Name, leases: impl IntoIterator<Item = Lease6>) {
        let row = |lease| Write::NoLease6(Lease6Row { subnet: subnet.clone(), lease });
        let writes: Vec<Write> = leases.into_iter().map(row).collect();
        if !writes.is_empty() {
            self.journal.later(writes);
        }
    }

    fn with_pool<T>(
        &self,
        asker: Asker6<'_>,
        act: impl FnOnce(&mut LeaseBook6, Pool6<'_>, &SubnetSpec) -> T,
    ) -> Option<T> {
        let (spec, machine) = self.roster.read(|inventory| {
            let spec = inventory.subnets.get(asker.subnet)?.spec.clone();
            Some((spec, asker.machine.and_then(|id| inventory.machine(id)).cloned()))
        })?;
        let network = spec.cidr6?;
        let reserved = machine.as_ref().and_then(|machine| machine.spec.ip6);
        let set_aside = |ip: Ipv6Addr| {
            self.ours.contains(&ip)
                || self.roster.read(|i| i.reserved(ip).is_some_and(|other| Some(other.id) != asker.machine))
        };
        let in_use = |ip: Ipv6Addr| self.boots.uses(ip).is_some_and(|other| Some(other) != asker.machine);
        // The system of a machine may hide its interface, which its firmware does not: both are to have the address reserved for it.
        let gives_way = |holder: &Holder| match (asker.holder, holder) {
            (Holder::Client { .. }, Holder::Interface(mac)) => {
                machine.as_ref().is_some_and(|machine| machine.spec.macs.contains(mac))
            }
            (Holder::Interface(_), Holder::Client { .. }) => asker.boots,
            _ => false,
        };
        let pool = Pool6 {
            ranges: &spec.ranges6,
            reserved: reserved.filter(|ip| ipnet::Ipv6Net::contains(&network, ip)),
            set_aside: &set_aside,
            in_use: &in_use,
            gives_way: &gives_way,
            declared: machine.as_ref().is_some_and(|machine| machine.is_vouched_for()),
            kept: spec.keep_for_declared.number(),
        };
        let (ended, done) = {
            let mut books = self.lock();
            let book = books.entry(asker.subnet.clone()).or_default();
            (book.sweep(self.journal.now()), act(book, pool, &spec))
        };
        self.forget(asker.subnet, ended);
        Some(done)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, LeaseBook6>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
