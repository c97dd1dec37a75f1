//! What is seen on the wire and was not asked for: other DHCP servers, addresses in use, and what we would have answered.
use super::journal::{Actor, Journal};
use crate::domain::{lease::Lease, recent::Recent};
use pilotlight_types::{Mac, Timestamp, resource::Name};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What was seen counts for so long, and is told again after it was gone for so long.
const PERIOD: Duration = Duration::from_secs(3600);

/// So many other servers are told of; whoever makes them up ends there.
const MOST_SERVERS: usize = 64;

/// So many relay agents are remembered.
const MOST_RELAYS: usize = 1024;

/// So many answers of `shadow` are told in [`PERIOD`].
const MOST_ANSWERS: usize = 4096;

/// Tells what is seen, once.
#[derive(Debug, Clone)]
pub struct Sightings {
    journal: Journal,
    servers: Arc<Mutex<Recent<(Name, Ipv4Addr)>>>,
    relays: Arc<Mutex<Recent<(Name, IpAddr)>>>,
    answers: Arc<Mutex<Recent<(Mac, String)>>>,
}

impl Sightings {
    /// Tells it to that journal.
    pub fn new(journal: Journal) -> Self {
        let servers = Arc::new(Mutex::new(Recent::new(PERIOD, MOST_SERVERS)));
        let answers = Arc::new(Mutex::new(Recent::new(PERIOD, MOST_ANSWERS)));
        let relays = Arc::new(Mutex::new(Recent::new(PERIOD, MOST_RELAYS)));
        Self { journal, servers, relays, answers }
    }

    /// A relay agent passed on what a client of a subnet asked.
    pub fn relay(&self, subnet: &Name, relay: IpAddr) {
        lock(&self.relays).is_news((subnet.clone(), relay), self.journal.now());
    }

    /// The relay agents that passed something on in the last hour, from where, and when last; the latest first.
    pub fn relays(&self) -> Vec<(Name, IpAddr, Timestamp)> {
        let mut relays = lock(&self.relays);
        let seen = relays.seen(self.journal.now());
        seen.into_iter().map(|((subnet, relay), last)| (subnet.clone(), *relay, last)).collect()
    }

    /// Another DHCP server serves a subnet that is ours: `mac` took its offer.
    pub fn foreign_server(&self, subnet: &Name, server: Ipv4Addr, mac: Mac) {
        if lock(&self.servers).is_news((subnet.clone(), server), self.journal.now()) {
            let message = format!(
                "another DHCP server, {server}, gives addresses on subnet {subnet}, which is ours: {mac} took its offer"
            );
            self.tell("dhcp.foreign", subnet, message);
        }
    }

    /// The other servers that were seen in the last hour, where, and when last; the latest first.
    pub fn foreign(&self) -> Vec<(Name, Ipv4Addr, Timestamp)> {
        let mut servers = lock(&self.servers);
        let seen = servers.seen(self.journal.now());
        seen.into_iter().map(|((subnet, server), last)| (subnet.clone(), *server, last)).collect()
    }

    /// How many other servers were seen in the last hour.
    pub fn foreign_servers(&self) -> usize {
        lock(&self.servers).count(self.journal.now())
    }

    /// Somebody uses an address that was free, or was thought to be: found by a probe, or by the client that was given it.
    pub fn conflict(&self, subnet: &Name, lease: &Lease, by: Option<Mac>, found: &'static str) {
        let who = by.map_or_else(|| "somebody".to_owned(), |mac| mac.to_string());
        let message = match lease.mac {
            Some(_) => {
                format!("{} is still used by {who}, whose lease has ended: it is kept for them", lease.ip)
            }
            None => format!(
                "{} of subnet {subnet} is used by {who} ({found}): it is left alone for an hour",
                lease.ip
            ),
        };
        self.tell("dhcp.conflict", subnet, message);
    }

    /// A client found somebody else on the IPv6 address that it was given.
    pub fn declined6(&self, subnet: &Name, ip: Ipv6Addr) {
        let message =
            format!("{ip} of subnet {subnet} is used by somebody (declined): it is left alone for an hour");
        self.tell("dhcp.conflict", subnet, message);
    }

    /// What a client would have been answered on a subnet that we only watch.
    pub fn shadow(&self, subnet: &Name, mac: Mac, answer: String) {
        if lock(&self.answers).is_news((mac, answer.clone()), self.journal.now()) {
            self.tell("dhcp.shadow", subnet, format!("{mac}: {answer}"));
        }
    }

    fn tell(&self, kind: &'static str, subnet: &Name, message: String) {
        let event = self.journal.event(kind, &format!("subnet/{subnet}"), &Actor::daemon(), None, message);
        self.journal.later(vec![event]);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
