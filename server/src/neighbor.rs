//! Router adverts for iPXE. Built with IPv6, iPXE waits some 13 seconds in each boot for a router to answer its solicitations
//! (RFC 4861 section 6.3.7) before it fetches anything, though it has its IPv4 address since long. An advert of lifetime 0 and
//! without a prefix answers it, and changes nothing else: nobody takes us for a router.
mod socket;
mod wire;

pub use socket::Solicitations;

use crate::{
    metrics::NeighborMetrics,
    service::{boots::Boots, roster::Roster},
};
use pilotlight_types::{Mac, api::Phase};

/// Knows who is answered.
#[derive(Debug, Clone)]
pub struct Adverts {
    /// The machines and subnets.
    pub roster: Roster,
    /// What boots.
    pub boots: Boots,
    /// Counts the adverts.
    pub metrics: NeighborMetrics,
}

impl Adverts {
    /// Whether this interface is one whose iPXE waits: it was given an address, and has not asked for its script yet.
    fn wanted(&self, mac: Mac) -> bool {
        let waiting = || {
            let machine = self
                .roster
                .read(|inventory| inventory.machine_that_says(mac, None).map(|machine| machine.id))?;
            let boot = self.boots.of(machine).filter(|boot| boot.mac == mac && boot.ended.is_none())?;
            let address = boot.address.filter(|_| boot.furthest() < Some(Phase::Script))?;
            self.roster.read(|inventory| {
                inventory.subnet_of(address).map(|(_, subnet)| subnet.spec.answer_router_solicitations)
            })
        };
        waiting().unwrap_or(false)
    }
}
