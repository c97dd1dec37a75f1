//! Who has which address, and what else is seen on the networks.
use crate::{Mac, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, str::FromStr};

/// `GET /api/v1/leases`: an address that somebody has, had, or is kept from everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// The subnet.
    pub subnet: String,
    /// The address.
    pub address: IpAddr,
    /// What is with it.
    pub state: LeaseState,
    /// The interface that has it; null for one that nobody has, or whose client did not tell its interface.
    pub mac: Option<Mac>,
    /// Who has it, where that is no interface: in DHCPv6, the client's DUID and the number of its association.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The machine that it is, where that is known.
    pub machine: Option<String>,
    /// When that ends, or ended.
    pub expires: Timestamp,
}

/// What is with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// A client has it.
    Leased,
    /// It was offered to a client, which has not asked for it yet.
    Offered,
    /// Somebody else was found on it: nobody is given it for a while.
    Abandoned,
    /// A client had it. It gets it again when it comes back, unless somebody needs it first.
    Ended,
}

impl LeaseState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Leased, Self::Offered, Self::Abandoned, Self::Ended];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leased => "leased",
            Self::Offered => "offered",
            Self::Abandoned => "abandoned",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for LeaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LeaseState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.name() == text);
        found.ok_or_else(|| "leased, offered, abandoned or ended is expected".to_owned())
    }
}

/// `GET /api/v1/network`: how full a subnet is, and who else was seen on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubnetUse {
    /// The subnet.
    pub subnet: String,
    /// How many IPv4 addresses its ranges have.
    pub addresses: u64,
    /// How many of those anybody could be given now.
    pub free: u64,
    /// How many IPv4 addresses clients have, in the ranges and out of them.
    pub leased: u64,
    /// How many are offered to clients that have not asked for them yet.
    pub offered: u64,
    /// How many nobody is given for a while, because somebody else was found on them.
    pub abandoned: u64,
    /// How many are reserved for machines.
    pub reserved: u64,
    /// How many IPv6 addresses clients have or are offered.
    pub leased6: u64,
    /// Relay agents that passed something on from it in the last hour, the latest first.
    pub relays: Vec<Sighting>,
    /// Other DHCP servers whose addresses clients took in the last hour, the latest first.
    pub servers: Vec<Sighting>,
}

/// Somebody on the network, and when they were seen last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sighting {
    /// Their address.
    pub address: IpAddr,
    /// When.
    pub last: Timestamp,
}
