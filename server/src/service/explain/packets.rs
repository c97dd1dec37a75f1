//! What would be answered to a packet: the question as it comes in, and which of the two protocols it is of.
use crate::domain::inventory::Inventory;
use pilotlight_types::{
    api::{PacketExplanation, PacketQuestion},
    resource::{Name, SubnetSpec},
};
use std::{fmt, net::IpAddr, sync::Arc};

/// The longest packet that is read: what a UDP datagram can hold.
const LONGEST: usize = 65_507;

/// The ports of DHCPv6: of clients, and of servers and relays.
const DHCP6_PORTS: [u16; 2] = [546, 547];

/// What every DHCP packet has at the end of its fixed part (RFC 2131 section 3).
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// Says what would be answered to a packet. DHCP and DHCPv6 do, each for its own: they know packets.
pub trait ExplainPackets: fmt::Debug + Send + Sync {
    /// Explains a packet. `local` is an address of ours for where neither the packet nor the subnet tell which one was
    /// asked. Nothing is set aside, written down or sent.
    fn explain(&self, question: &PacketQuestion, local: IpAddr) -> Result<PacketExplanation, BadPacket>;
}

/// Explains packets of either protocol.
#[derive(Debug, Clone)]
pub struct Packets {
    /// Those of DHCP, and of PXE at port 4011.
    pub dhcp: Arc<dyn ExplainPackets>,
    /// Those of DHCPv6.
    pub dhcp6: Arc<dyn ExplainPackets>,
}

/// Why a packet cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum BadPacket {
    /// It is not given in hex.
    #[error("`packet`: {0}")]
    NotHex(String),
    /// It is no packet of DHCP, or of DHCPv6, at all.
    #[error("`packet`: {0}")]
    NotDhcp(String),
    /// There is no such subnet.
    #[error("`subnet`: there is no subnet {0}")]
    NoSuchSubnet(String),
    /// It may have come from several.
    #[error("`subnet`: the packet does not say which network it is from; name one of: {0}")]
    WhichSubnet(String),
}

impl Packets {
    /// Explains a packet: of the protocol of its port, or, without a port, of the one that it looks like.
    pub fn explain(&self, question: &PacketQuestion, local: IpAddr) -> Result<PacketExplanation, BadPacket> {
        let dhcp6 = match question.port {
            Some(port) => DHCP6_PORTS.contains(&port),
            None => looks_like_dhcp6(&content(question)?),
        };
        if dhcp6 { self.dhcp6.explain(question, local) } else { self.dhcp.explain(question, local) }
    }
}

/// The types of DHCPv6 messages are 1 to 13 and more; a DHCP packet begins with 1 or 2 as well, and has its cookie.
fn looks_like_dhcp6(bytes: &[u8]) -> bool {
    let has_cookie = bytes.get(236..240) == Some(&COOKIE);
    !has_cookie && bytes.len() >= 4 && matches!(bytes.first(), Some(1..=36))
}

/// The bytes of the packet in question. Blanks, colons and line ends between the digits are left out.
pub fn content(question: &PacketQuestion) -> Result<Vec<u8>, BadPacket> {
    let digits: String = question.packet.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    if digits.len() > 2 * LONGEST {
        return Err(BadPacket::NotHex(format!("more than the {LONGEST} bytes that a datagram can have")));
    }
    hex::decode(digits).map_err(|error| BadPacket::NotHex(format!("no hex: {error}")))
}

/// The subnet that a packet is from which does not say so itself: the one of that name, or the only one of those that it `may` be
/// from; none, if there is none.
pub fn subnet(
    inventory: &Inventory,
    named: Option<&str>,
    may: impl Fn(&SubnetSpec) -> bool,
) -> Result<Option<Arc<SubnetSpec>>, BadPacket> {
    let all: Vec<(&Name, &Arc<SubnetSpec>)> =
        inventory.subnets.iter().map(|(name, subnet)| (name, &subnet.spec)).collect();
    if let Some(wanted) = named {
        let found = all.into_iter().find(|(name, _)| name.as_str() == wanted);
        let unknown = || BadPacket::NoSuchSubnet(wanted.chars().take(80).collect());
        return found.map(|(_, subnet)| Some(subnet.clone())).ok_or_else(unknown);
    }
    let possible: Vec<_> = all.into_iter().filter(|(_, subnet)| may(subnet)).collect();
    match possible.as_slice() {
        [] => Ok(None),
        [(_, only)] => Ok(Some((*only).clone())),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            Err(BadPacket::WhichSubnet(names.join(", ")))
        }
    }
}
