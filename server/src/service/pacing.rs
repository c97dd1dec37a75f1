//! Pacing, subnet by subnet: who loads an image now and who waits, how fast bytes go out, and where it stood before a restart.
use super::roster::Roster;
use crate::domain::{
    attempt,
    pacing::{Limits, Offers, Segment, Turn},
};
use pilotlight_types::{
    MachineId, Timestamp,
    api::{Boot, Phase},
    resource::{LinkRate, Name},
};
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The rate is what was sent in this time.
const RATE_OVER: Duration = Duration::from_secs(10);

/// What a link is taken for when neither its subnet nor the daemon's interface says.
const ASSUMED: LinkRate = LinkRate::mbit(1000);

/// Paces machines.
#[derive(Debug, Clone)]
pub struct Pacing {
    roster: Roster,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    assumed: LinkRate,
    networks: HashMap<Name, Network>,
    /// Where each machine was seen last.
    of: HashMap<MachineId, Name>,
}

#[derive(Debug, Default)]
struct Network {
    segment: Segment,
    offers: Offers,
    sent: VecDeque<(Timestamp, u64)>,
}

/// How it goes in a subnet.
#[derive(Debug, Clone, PartialEq)]
pub struct Paced {
    /// The subnet.
    pub subnet: Name,
    /// What its link is taken for.
    pub link: LinkRate,
    /// How many may load at once, where an operator says so.
    pub most: Option<u32>,
    /// Machines that load their image.
    pub loading: usize,
    /// Machines that wait for their turn.
    pub waiting: usize,
    /// Machines whose firmware waits for an offer.
    pub held: usize,
    /// Bytes a second, over the last ten seconds.
    pub rate: u64,
}

impl Pacing {
    /// Nobody loads, and nobody waits.
    pub fn new(roster: Roster) -> Self {
        let state = State { assumed: ASSUMED, networks: HashMap::new(), of: HashMap::new() };
        Self { roster, state: Arc::new(Mutex::new(state)) }
    }

    /// Takes links for that fast where their subnet does not say.
    pub fn assume(&self, link: LinkRate) {
        self.lock().assumed = link;
    }

    /// A machine asks to load an image of so many bytes.
    pub fn ask(&self, subnet: &Name, machine: MachineId, bytes: u64, now: Timestamp) -> Turn {
        let limits = self.limits(subnet);
        let mut state = self.lock();
        let Network { segment, offers, .. } = state.at(subnet, machine);
        segment.ask(machine, bytes, Limits { programs: offers.goes_on(now), ..limits }, now)
    }

    /// Whether firmware that asks for an address gets its offer now.
    pub fn offer(&self, subnet: &Name, machine: MachineId, now: Timestamp) -> bool {
        let limits = self.limits(subnet);
        self.lock().at(subnet, machine).offers.ask(machine, limits, now)
    }

    /// A machine has come for its script.
    pub fn arrived(&self, machine: MachineId) {
        if let Some(network) = self.lock().network(machine) {
            network.offers.arrived(machine);
        }
    }

    /// So many bytes went to a machine, and this is how far its boot is.
    pub fn saw(&self, machine: MachineId, boot: &Boot, bytes: u64, now: Timestamp) {
        let mut state = self.lock();
        let Some(network) = state.network(machine) else { return };
        network.sent(bytes, now);
        if attempt::has_loaded(boot) {
            network.segment.done(machine);
        } else {
            network.segment.loaded(machine, bytes, attempt::kernel_starts(boot), now);
        }
    }

    /// A machine's boot is over.
    pub fn done(&self, machine: MachineId) {
        let mut state = self.lock();
        if let Some(network) = state.network(machine) {
            network.segment.done(machine);
            network.offers.arrived(machine);
        }
        state.of.remove(&machine);
    }

    /// Finds out from a boot that goes on where its machine was before the daemon was started again.
    pub fn restore(&self, machine: MachineId, boot: &Boot) {
        let Some(script) = boot.phase(Phase::Script).filter(|_| !attempt::has_loaded(boot)) else { return };
        let subnet = boot.address.and_then(|address| self.subnet_of(address));
        let (Some(subnet), Some(loads)) = (subnet, attempt::loads(boot)) else { return };
        // How much it has still to load is not known: as if it had nothing left, which lets others in a little early.
        let loads = loads.then_some(0);
        let mut state = self.lock();
        let network = state.at(&subnet, machine);
        network.segment.restore(machine, script.started, loads, attempt::last_sign(boot));
    }

    /// How it goes, in each subnet where machines boot.
    pub fn shown(&self, now: Timestamp) -> Vec<Paced> {
        let mut subnets: Vec<Name> = self.lock().networks.keys().cloned().collect();
        subnets.sort();
        let limits: Vec<_> = subnets.into_iter().map(|subnet| (self.declared(&subnet), subnet)).collect();
        let state = self.lock();
        let shown = limits.into_iter().filter_map(|((link, most), subnet)| {
            let network = state.networks.get(&subnet)?;
            let counts = network.segment.counts(now);
            Some(Paced {
                subnet,
                link: link.unwrap_or(state.assumed),
                most: most.map(NonZeroU32::get),
                loading: counts.loading,
                waiting: counts.waiting,
                held: network.offers.held(now),
                rate: network.rate(now),
            })
        });
        shown.collect()
    }

    /// What a subnet's link is taken for.
    pub fn link(&self, subnet: &Name) -> LinkRate {
        self.declared(subnet).0.unwrap_or_else(|| self.lock().assumed)
    }

    fn limits(&self, subnet: &Name) -> Limits {
        let (link, boots) = self.declared(subnet);
        let link = link.unwrap_or_else(|| self.lock().assumed);
        Limits { rate: link.bytes(), boots, programs: false }
    }

    fn declared(&self, subnet: &Name) -> (Option<LinkRate>, Option<NonZeroU32>) {
        self.roster.read(|inventory| {
            let spec = inventory.subnets.get(subnet).map(|subnet| &subnet.spec);
            (spec.and_then(|spec| spec.link_rate), spec.and_then(|spec| spec.concurrent_boots))
        })
    }

    fn subnet_of(&self, address: IpAddr) -> Option<Name> {
        self.roster.read(|inventory| inventory.subnet_of(address).map(|(name, _)| name.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A machine's network, now that it is seen there: it leaves the one where it was before.
    fn at(&mut self, subnet: &Name, machine: MachineId) -> &mut Network {
        if self.of.get(&machine).is_some_and(|before| before != subnet)
            && let Some(before) = self.network(machine)
        {
            before.segment.done(machine);
            before.offers.arrived(machine);
        }
        self.of.insert(machine, subnet.clone());
        self.networks.entry(subnet.clone()).or_default()
    }

    fn network(&mut self, machine: MachineId) -> Option<&mut Network> {
        self.of.get(&machine).and_then(|name| self.networks.get_mut(name))
    }
}

impl Network {
    fn sent(&mut self, bytes: u64, now: Timestamp) {
        match self.sent.back_mut() {
            Some((at, sum)) if now.since(*at) < Duration::from_secs(1) => *sum = sum.saturating_add(bytes),
            _ => self.sent.push_back((now, bytes)),
        }
        while self.sent.front().is_some_and(|(at, _)| now.since(*at) >= RATE_OVER) {
            self.sent.pop_front();
        }
    }

    fn rate(&self, now: Timestamp) -> u64 {
        let recent = self.sent.iter().filter(|(at, _)| now.since(*at) < RATE_OVER);
        recent.map(|(_, bytes)| bytes).fold(0, |sum: u64, bytes| sum.saturating_add(*bytes))
            / RATE_OVER.as_secs()
    }
}
