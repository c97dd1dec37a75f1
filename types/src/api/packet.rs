//! DHCP and DHCPv6 packets in words, and what would be answered to one.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, net::IpAddr};

/// A DHCP or DHCPv6 packet, decoded for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PacketView {
    /// `DHCPDISCOVER`, or `BOOTP request` for one without a kind; `Solicit` in DHCPv6.
    pub kind: String,
    /// Its fixed fields that are not empty, then its options by their numbers.
    pub fields: Vec<PacketField>,
}

/// One field or option of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PacketField {
    /// The option's number; absent for a field of the fixed part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// Its name in the RFC that has it.
    pub name: String,
    /// What it says.
    pub value: String,
}

impl fmt::Display for PacketView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.kind)?;
        for PacketField { code, name, value } in &self.fields {
            let code = code.map(|code| format!("{code:>3} ")).unwrap_or_default();
            writeln!(f, "  {:<28} {value}", format!("{code}{name}"))?;
        }
        Ok(())
    }
}

/// `POST /api/v1/explain`: asks what would be answered to a packet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PacketQuestion {
    /// The UDP content in hex: blanks, colons and line ends are left out.
    pub packet: String,
    /// The subnet whose network it came in on; needed only if the packet does not say (no relay, no own address) and
    /// there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// The address that it was sent from. At port 4011 it says which network the client is on; in DHCPv6 a link-local address may tell
    /// the client's MAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// The address of the server that it was sent to, where that was not a broadcast or a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<IpAddr>,
    /// The UDP port that it was sent to: 67, 4011 or 547. Without this, 67 or 547, by what the packet looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// What would be answered to a packet, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PacketExplanation {
    /// The packet.
    pub packet: PacketView,
    /// Who sent it, and by what that was seen.
    pub client: String,
    /// The subnet that it is taken to come from.
    pub subnet: Option<String>,
    /// The machine that sent it, where it is known.
    pub machine: Option<String>,
    /// The answer in one sentence.
    pub answer: String,
    /// What led there, first things first.
    pub because: Vec<String>,
    /// The outcome as `pilotlight_dhcp_packets_total`, or `pilotlight_dhcp6_packets_total`, would count it.
    pub outcome: String,
    /// Where the answer would go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The answer, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<PacketView>,
    /// The answer, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_hex: Option<String>,
    /// The decision in full; null if the packet did not get as far.
    pub decision: Value,
}

impl PacketExplanation {
    /// Of a packet that is no question, counted as this outcome: nobody is known, and nothing is answered yet.
    pub fn new(packet: PacketView, outcome: &str) -> Self {
        Self {
            packet,
            client: String::new(),
            subnet: None,
            machine: None,
            answer: String::new(),
            because: Vec::new(),
            outcome: outcome.to_owned(),
            to: None,
            reply: None,
            reply_hex: None,
            decision: Value::Null,
        }
    }
}
