//! What an answer does to the leases on its way: the same answer is found for a client and for whoever only asks what it would be.
use crate::{
    domain::{
        lease::NoAddress,
        lease6::{Given6, Holder},
    },
    service::leases6::{Asker6, Leases6},
};
use pilotlight_types::resource::Name;
use std::net::Ipv6Addr;

/// Whether the addresses of an answer are given, or only looked for.
pub(super) enum Leasing {
    /// They are set aside, given and taken back. These were given: they must be durable before the client is told.
    Real(Vec<Given6>),
    /// Nothing is changed.
    Preview,
}

impl Leasing {
    pub(super) fn is_real(&self) -> bool {
        matches!(self, Self::Real(_))
    }

    /// Sets an address aside for a moment.
    pub(super) fn offer(
        &mut self,
        leases: &Leases6,
        asker: Asker6<'_>,
        asked: &[Ipv6Addr],
    ) -> Result<Ipv6Addr, NoAddress> {
        match self {
            Self::Real(_) => leases.offer(asker, asked).map(|lease| lease.ip),
            Self::Preview => leases.would_give(asker, asked),
        }
    }

    /// Gives an address for the lease time.
    pub(super) fn bind(
        &mut self,
        leases: &Leases6,
        asker: Asker6<'_>,
        asked: &[Ipv6Addr],
    ) -> Result<Ipv6Addr, NoAddress> {
        match self {
            Self::Real(given) => {
                let bound = leases.bind(asker, asked)?;
                let ip = bound.lease.ip;
                given.push(bound);
                Ok(ip)
            }
            Self::Preview => leases.would_give(asker, asked),
        }
    }

    /// Takes an address back, or leaves it alone for a while if the client found somebody else on it; says whether it was the
    /// client's.
    pub(super) fn take_back(
        &self,
        leases: &Leases6,
        (subnet, holder): (&Name, &Holder),
        ip: Ipv6Addr,
        declined: bool,
    ) -> bool {
        match (self, declined) {
            (Self::Real(_), false) => leases.release(subnet, holder, ip),
            (Self::Real(_), true) => leases.decline(subnet, holder, ip),
            (Self::Preview, _) => leases.is_of(subnet, holder, ip),
        }
    }
}
