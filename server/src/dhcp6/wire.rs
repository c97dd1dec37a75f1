//! DHCPv6 messages: what clients and relays send, and what they are answered (RFC 8415 section 8 and 9). What the daemon does not
//! need is passed over; what cannot be right is refused whole.
mod encode;
mod packet;
mod parse;
#[cfg(test)]
mod tests;
mod words;

pub use encode::encode;
pub use packet::{Asking, Packet};
pub use parse::{Malformed, parse};

use crate::domain::{dhcp6::Asks, duid::Duid};
use pilotlight_types::Mac;
use std::net::Ipv6Addr;

/// The port of servers and relays.
pub const SERVER_PORT: u16 = 547;

/// The port of clients.
pub const CLIENT_PORT: u16 = 546;

/// How many relays may be between a client and us (HOP_COUNT_LIMIT, RFC 8415 section 7.6).
pub const MOST_RELAYS: usize = 8;

/// How many associations of a message are looked at, and how many addresses of each.
pub const MOST_ASSOCIATIONS: usize = 8;

/// The enterprise that PXE and UEFI HTTP Boot go by in option 16 (Intel).
pub const INTEL: u32 = 343;

/// The codes of options (IANA "DHCPv6 Option Codes").
mod code {
    pub(super) const CLIENT_ID: u16 = 1;
    pub(super) const SERVER_ID: u16 = 2;
    pub(super) const IA_NA: u16 = 3;
    pub(super) const IA_TA: u16 = 4;
    pub(super) const IA_ADDRESS: u16 = 5;
    pub(super) const REQUESTED: u16 = 6;
    pub(super) const PREFERENCE: u16 = 7;
    pub(super) const RELAY_MESSAGE: u16 = 9;
    pub(super) const STATUS: u16 = 13;
    pub(super) const RAPID_COMMIT: u16 = 14;
    pub(super) const USER_CLASS: u16 = 15;
    pub(super) const VENDOR_CLASS: u16 = 16;
    pub(super) const INTERFACE_ID: u16 = 18;
    pub(super) const DNS: u16 = 23;
    pub(super) const DOMAINS: u16 = 24;
    pub(super) const IA_PD: u16 = 25;
    pub(super) const BOOT_FILE_URL: u16 = 59;
    pub(super) const ARCHITECTURE: u16 = 61;
    pub(super) const LINK_LAYER_ADDRESS: u16 = 79;
    pub(super) const RELAY_PORT: u16 = 135;
}

const RELAY_FORWARD: u8 = 12;
const RELAY_REPLY: u8 = 13;

/// A client's message, and the relays that it came through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The relays, ours first and the client's last; none, if the client is on our own link.
    pub relays: Vec<Relay>,
    /// What the client says.
    pub message: Message,
}

/// What a relay adds to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// How many relays were there before it, as it says.
    pub hops: u8,
    /// An address of the link that the client is on; unspecified, if the relay has none there.
    pub link: Ipv6Addr,
    /// Whom the relay had the message from: the client, or another relay.
    pub peer: Ipv6Addr,
    /// What it is to get back as it is: its interface's id, and that it is at another port (RFC 8357).
    pub echo: Vec<(u16, Vec<u8>)>,
    /// The client's Ethernet address (RFC 6939).
    pub mac: Option<Mac>,
}

impl Relay {
    /// Whether its answers go to the port that it sends from.
    pub fn has_own_port(&self) -> bool {
        self.echo.iter().any(|(code, _)| *code == code::RELAY_PORT)
    }
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it asks.
    pub asks: Asks,
    /// Its number for this question.
    pub transaction: [u8; 3],
    /// Its name.
    pub client: Option<Duid>,
    /// The server that it asks; none, if it asks all of them.
    pub server: Option<Duid>,
    /// What it wants addresses for.
    pub associations: Vec<Association>,
    /// The options that it wants (option 6).
    pub requested: Vec<u16>,
    /// Whether it takes a Reply in the place of an Advertise.
    pub rapid_commit: bool,
    /// Option 15: all classes, in order.
    pub user_classes: Vec<Vec<u8>>,
    /// Option 16: the first class of the first vendor, or of Intel where that is among them.
    pub vendor_class: Option<VendorClass>,
    /// Option 61: all codes, in order.
    pub archs: Vec<u16>,
}

impl Message {
    /// Whether the client wants this option.
    pub fn wants(&self, code: u16) -> bool {
        self.requested.contains(&code)
    }
}

/// A vendor's class (option 16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorClass {
    /// Whose.
    pub enterprise: u32,
    /// What it says, such as `HTTPClient:Arch:00016:UNDI:003016`.
    pub text: String,
}

/// What addresses are wanted for: an identity association (RFC 8415 section 12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    /// What is wanted.
    pub kind: AssociationKind,
    /// The client's number for it.
    pub id: u32,
    /// The addresses that the client has or wants.
    pub addresses: Vec<Ipv6Addr>,
}

/// What is wanted with an association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssociationKind {
    /// Addresses (IA_NA).
    Addresses,
    /// Temporary addresses (IA_TA), which are never given.
    Temporary,
    /// Prefixes (IA_PD), which are never given.
    Prefixes,
}

/// What a client is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Advertise or Reply.
    pub kind: ReplyKind,
    /// What became of the question as a whole.
    pub status: Option<Status>,
    /// What became of each association.
    pub associations: Vec<Given>,
    /// Whether it is the answer to a Solicit with rapid commit.
    pub rapid_commit: bool,
    /// Option 23.
    pub dns: Vec<Ipv6Addr>,
    /// Option 24.
    pub domain: Option<String>,
    /// Option 59.
    pub boot_file: Option<String>,
    /// Option 16, for firmware that takes a URL from nobody who does not say `HTTPClient` too.
    pub vendor_class: Option<VendorClass>,
}

impl Reply {
    /// An answer without anything.
    pub fn new(kind: ReplyKind) -> Self {
        Self {
            kind,
            status: None,
            associations: Vec::new(),
            rapid_commit: false,
            dns: Vec::new(),
            domain: None,
            boot_file: None,
            vendor_class: None,
        }
    }
}

/// The two answers of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// What a client would get.
    Advertise,
    /// What it gets.
    Reply,
}

/// What became of an association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// What was wanted.
    pub kind: AssociationKind,
    /// The client's number for it.
    pub id: u32,
    /// The addresses, each with the seconds that it is good for: 0 takes it away.
    pub addresses: Vec<(Ipv6Addr, u32)>,
    /// Why there is none.
    pub status: Option<Status>,
}

/// How something ended (option 13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The code.
    pub code: StatusCode,
    /// The same for people.
    pub text: String,
}

/// The codes of option 13 that a server sends (RFC 8415 section 21.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the RFC's own names")]
pub enum StatusCode {
    Success = 0,
    NoAddrsAvail = 2,
    NoBinding = 3,
    NotOnLink = 4,
    UseMulticast = 5,
    NoPrefixAvail = 6,
}

impl Status {
    /// This code, in these words.
    pub fn new(code: StatusCode, text: &str) -> Self {
        Self { code, text: text.to_owned() }
    }
}
