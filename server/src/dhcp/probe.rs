//! Whether somebody uses an address already: asked before it is given, by ARP on our own links (RFC 5227 section 2.1), by ICMP echo behind
//! a relay (RFC 2131 section 3.1). Beside the packets, never while one waits: a few addresses of each subnet are looked at ahead, and one
//! that had to be offered without a look is looked at while its client makes up its mind.
mod arp;
mod icmp;

use crate::{
    errors, interface,
    metrics::DhcpMetrics,
    service::{leases::Leases, roster::Roster, sightings::Sightings, tasks::Tasks},
};
use ipnet::Ipv4Net;
use pilotlight_types::{Mac, resource::Name};
use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::Ipv4Addr,
    time::Duration,
};
use tokio::time;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether enough addresses are ready.
const PERIOD: Duration = Duration::from_secs(1);

/// How long an answer may take. A client takes an offer after a second or later; hosts on a link answer within a millisecond.
const PATIENCE: Duration = Duration::from_millis(400);

/// One question may get lost: they are asked twice.
const AGAIN: Duration = Duration::from_millis(150);

/// Who answered at which address; by ICMP it is not known who.
type Found = HashMap<Ipv4Addr, Option<Mac>>;

/// Looks at addresses.
#[derive(Debug)]
pub struct Probes {
    /// The addresses to look at, and who is to know.
    pub leases: Leases,
    /// The subnets.
    pub roster: Roster,
    /// Where conflicts are told.
    pub sightings: Sightings,
    /// The interfaces that DHCP is served on.
    pub interfaces: Vec<String>,
    /// Counts the conflicts.
    pub metrics: DhcpMetrics,
}

impl Probes {
    /// Looks at addresses until it is stopped. Without the right to raw sockets (CAP_NET_RAW) it says so once, and none is looked at.
    pub async fn run(self, tasks: Tasks, stop: CancellationToken) {
        let does = "looks whether addresses that are given next are in use";
        let passes = tasks.register("probes", does, PERIOD);
        let mut ticks = time::interval(PERIOD);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut failed = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.leases.unprobed() => {}
            }
            let began = passes.begin();
            let done = self.pass().await;
            passes.ended(began, done.as_ref().err().map(|error| errors::chain(error)));
            match done {
                Ok(()) => failed = false,
                Err(error) if !failed => {
                    failed = true;
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "addresses are given without a look whether they are in use"
                    );
                }
                Err(_) => {}
            }
        }
    }

    async fn pass(&self) -> io::Result<()> {
        let mut by_subnet: BTreeMap<Name, Vec<Ipv4Addr>> = BTreeMap::new();
        for (subnet, ip) in self.leases.to_probe() {
            by_subnet.entry(subnet).or_default().push(ip);
        }
        // One subnet's trouble is not another's.
        let mut all = Ok(());
        for (subnet, ips) in by_subnet {
            let looked = self.look(&subnet, &ips).await;
            all = all.and(looked);
        }
        all
    }

    async fn look(&self, subnet: &Name, ips: &[Ipv4Addr]) -> io::Result<()> {
        let Some(net) = self.roster.read(|i| i.subnets.get(subnet).map(|subnet| subnet.spec.cidr)) else {
            return Ok(());
        };
        let (found, how) = match self.link_of(net) {
            Some(interface) => (arp::ask(interface, ips).await?, "arp"),
            None => (icmp::ask(ips).await?, "icmp"),
        };
        for ip in ips {
            match found.get(ip) {
                None => self.leases.nobody_at(subnet, *ip),
                Some(mac) => {
                    if let Some(lease) = self.leases.somebody_at(subnet, *ip, *mac) {
                        self.metrics.conflict(how);
                        self.sightings.conflict(subnet, &lease, *mac, how);
                    }
                }
            }
        }
        Ok(())
    }

    /// The interface that is on this network itself.
    fn link_of(&self, net: Ipv4Net) -> Option<&str> {
        let on_it = |name: &&String| {
            interface::addresses(name).is_ok_and(|all| all.iter().any(|ip| net.contains(ip)))
        };
        self.interfaces.iter().find(on_it).map(String::as_str)
    }
}
