//! DHCP bytes to a typed [`Request`], a typed [`Reply`] to bytes (RFC 2131, RFC 2132, PXE 2.1, RFC 4578).
//!
//! Everything here is pure and takes hostile input: a bad option is that option's loss, never its
//! neighbours'. The options are walked by hand: the general DHCP codecs drop all that follows an option that
//! they cannot read, and real firmware sends such options.

mod encode;
pub mod options;
mod packet;
mod parse;
#[cfg(test)]
mod tests;
mod words;

use crate::domain::firmware::Identity;
pub use encode::encode;
use options::{Options, code};
pub use packet::Packet;
pub use parse::parse;
use pilotlight_types::Mac;
use std::{collections::BTreeMap, net::Ipv4Addr};
use uuid::Uuid;

/// Where a message's kind is a DHCP one (RFC 2132 section 9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageType {
    /// Is there a server?
    Discover,
    /// A server's proposal; of interest only as a sign of another server.
    Offer,
    /// I take that one; or: may I keep it?
    Request,
    /// That address is in use by somebody else.
    Decline,
    /// A server's grant.
    Ack,
    /// A server's refusal.
    Nak,
    /// I need it no more.
    Release,
    /// I have an address; tell me the rest.
    Inform,
    /// Lease query and the like.
    Other(u8),
}

impl MessageType {
    /// By its number in option 53.
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            other => Self::Other(other),
        }
    }
}

/// Whose packet it is, by `htype`, `hlen` and `chaddr` (RFC 2131 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardware {
    /// 1 is Ethernet.
    pub kind: u8,
    /// How many bytes of `address` count: at most 16.
    pub len: u8,
    /// All of `chaddr`, as sent.
    pub address: [u8; 16],
}

impl Hardware {
    /// The Ethernet address, if it is one: `htype` 1 or 6 (RFC 1700) with six bytes, and an address that a
    /// host can have.
    pub fn mac(&self) -> Option<Mac> {
        let [a, b, c, d, e, f, ..] = self.address;
        Some(Mac::new([a, b, c, d, e, f]))
            .filter(|mac| self.len == 6 && matches!(self.kind, 1 | 6) && mac.is_host())
    }

    /// Firmware set to "SendGUID" puts the machine's GUID where its address should be (EDK2
    /// `PxeBcDhcp4CallBack`).
    fn guid(&self) -> Option<Uuid> {
        (self.len == 16).then(|| smbios_uuid(self.address)).flatten()
    }
}

/// SMBIOS writes a UUID's first three fields little-endian (DSP0134 section 7.2.1); this is what the
/// operating system prints. All zeros and all ones mean that the board has none.
fn smbios_uuid(raw: [u8; 16]) -> Option<Uuid> {
    Some(Uuid::from_bytes_le(raw)).filter(|uuid| !uuid.is_nil() && !uuid.is_max())
}

/// A client's packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Option 53.
    pub kind: MessageType,
    /// How many relays it came through.
    pub hops: u8,
    /// Transaction id.
    pub xid: u32,
    /// Seconds since the client began; iPXE's are not real.
    pub secs: u16,
    /// The client cannot take unicast before it has its address.
    pub broadcast: bool,
    /// The address that the client has and uses already.
    pub ciaddr: Ipv4Addr,
    /// The relay's address on the client's network.
    pub giaddr: Ipv4Addr,
    /// `htype`, `hlen`, `chaddr`.
    pub hardware: Hardware,
    /// Option 50: the address asked for.
    pub requested: Option<Ipv4Addr>,
    /// Option 54: the server whose offer is taken.
    pub server_id: Option<Ipv4Addr>,
    /// Option 61.
    pub client_id: Option<Vec<u8>>,
    /// Option 12.
    pub hostname: Option<String>,
    /// Option 60.
    pub vendor_class: Option<String>,
    /// Option 77, raw (iPXE's has no lengths).
    pub user_class: Option<Vec<u8>>,
    /// Option 93: all of the list.
    pub archs: Vec<u16>,
    /// Option 94: type, major, minor.
    pub undi: Option<[u8; 3]>,
    /// Option 97, or `chaddr` where that is a GUID: as the operating system prints it.
    pub uuid: Option<Uuid>,
    /// Option 175, raw.
    pub ipxe: Option<Vec<u8>>,
    /// Option 57.
    pub max_size: Option<u16>,
    /// Option 55.
    pub parameters: Vec<u8>,
    /// Option 82, raw.
    pub relay_info: Option<Vec<u8>>,
    /// Option 43.71: the boot server item that a PXE ROM chose, which the answer must repeat (PXE 2.1 section
    /// 2.2.3).
    pub boot_item: Option<[u8; 4]>,
    /// All options, those above as well.
    pub options: Options,
}

impl Request {
    /// What [`crate::domain::firmware::classify`] looks at.
    pub fn identity(&self) -> Identity<'_> {
        Identity {
            vendor_class: self.vendor_class.as_deref(),
            user_class: self.user_class.as_deref(),
            archs: &self.archs,
            ipxe_options: self.ipxe.as_deref(),
            dhcp6: false,
        }
    }

    /// The client's Ethernet address.
    pub fn mac(&self) -> Option<Mac> {
        self.hardware.mac()
    }

    /// The network that the address is to be from: what the relay selects (82.5, RFC 3527), else what the
    /// client does (118, RFC 3011), else `giaddr`.
    pub fn link(&self) -> Option<Ipv4Addr> {
        let address = |raw: [u8; 4]| Some(Ipv4Addr::from(raw)).filter(|ip| !ip.is_unspecified());
        let relay = self.relay_sub_option(5).and_then(|raw| address(raw.try_into().ok()?));
        relay
            .or_else(|| self.options.first(code::SUBNET_SELECTION).and_then(address))
            .or_else(|| address(self.giaddr.octets()))
    }

    /// The address that the relay wants to be told for the server's, so that renewals pass it (82.11, RFC
    /// 5107).
    pub fn server_override(&self) -> Option<Ipv4Addr> {
        let raw: [u8; 4] = self.relay_sub_option(11)?.try_into().ok()?;
        Some(Ipv4Addr::from(raw)).filter(|address| is_unicast(*address))
    }

    /// One sub-option of option 82 (RFC 3046 section 2.0): 1 is the circuit id, 2 the remote id.
    pub fn relay_sub_option(&self, code: u8) -> Option<&[u8]> {
        options::sub_option(self.relay_info.as_deref()?, code)
    }
}

/// Why bytes are no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than the fixed part and the cookie.
    #[error("{0} bytes are too few for a DHCP packet: 240 at least")]
    Short(usize),
    /// A reply, or junk.
    #[error("op is {0}, and a request's is 1")]
    NotARequest(u8),
    /// A hardware address that is longer than its field.
    #[error("hlen is {0}, and chaddr has 16 bytes")]
    HardwareLength(u8),
    /// No magic cookie.
    #[error("the magic cookie is not there")]
    Cookie,
    /// BOOTP, or a packet without its kind.
    #[error("option 53 is not there: BOOTP, which is not served")]
    NotDhcp,
}

/// What a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// DHCPOFFER.
    Offer,
    /// DHCPACK.
    Ack,
    /// DHCPNAK.
    Nak,
}

/// Lease times in seconds (RFC 2131 section 4.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// Option 51.
    pub lease: u32,
    /// Option 58: T1.
    pub renew: u32,
    /// Option 59: T2.
    pub rebind: u32,
}

impl LeaseTimes {
    /// With T1 and T2 at a half and seven eighths of it.
    pub fn of(lease: u32) -> Self {
        Self { lease, renew: lease / 2, rebind: lease - lease / 8 }
    }
}

/// How a client wants to be told what to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// 60 with 43.6 = 8, "use the file name that you have here": PXE ROMs.
    Pxe,
    /// As [`Self::Pxe`], with the menu that a Raspberry Pi looks for: 43.9 and 43.10.
    RaspberryPi,
    /// UEFI's PXE. With an address, neither 60 nor 43: 60 alone would send it to port 4011. As a proxy 60,
    /// and it does ask at 4011.
    Plain,
    /// UEFI HTTP Boot: takes nothing without its own option 60 echoed.
    HttpClient,
    /// iPXE: with an address, 175.176 = 1 spares it the two seconds that it would wait for a proxy.
    Ipxe,
}

/// What to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootFields {
    /// A file name for TFTP, or a URL.
    pub file: String,
    /// How to say so.
    pub style: Style,
}

/// Our answer. An answer without `yiaddr` is a proxy's (or one to an INFORM): it says what to boot and gives
/// no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Offer, ack or nak.
    pub kind: ReplyKind,
    /// The address that is given.
    pub yiaddr: Option<Ipv4Addr>,
    /// The next server. When booting and unspecified, `server_id` is sent in its place: UEFI ignores option
    /// 66.
    pub siaddr: Ipv4Addr,
    /// Option 54: our address on that network. UEFI drops an offer without it.
    pub server_id: Ipv4Addr,
    /// Options 51, 58, 59.
    pub lease: Option<LeaseTimes>,
    /// Option 1.
    pub mask: Option<Ipv4Addr>,
    /// Option 3.
    pub routers: Vec<Ipv4Addr>,
    /// Option 6.
    pub dns: Vec<Ipv4Addr>,
    /// Option 15.
    pub domain: Option<String>,
    /// Option 12.
    pub hostname: Option<String>,
    /// Option 28.
    pub broadcast_address: Option<Ipv4Addr>,
    /// What to boot, if anything.
    pub boot: Option<BootFields>,
    /// What the operator adds, by number; it takes the place of what is above.
    pub options: BTreeMap<u8, Vec<u8>>,
    /// Option 56, in a nak.
    pub message: Option<String>,
}

impl Reply {
    /// One that says nothing yet but who sends it.
    pub fn new(kind: ReplyKind, server_id: Ipv4Addr) -> Self {
        Self {
            kind,
            yiaddr: None,
            siaddr: Ipv4Addr::UNSPECIFIED,
            server_id,
            lease: None,
            mask: None,
            routers: Vec::new(),
            dns: Vec::new(),
            domain: None,
            hostname: None,
            broadcast_address: None,
            boot: None,
            options: BTreeMap::new(),
            message: None,
        }
    }

    /// A refusal, with its reason for the client's log.
    pub fn nak(server_id: Ipv4Addr, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::new(ReplyKind::Nak, server_id) }
    }
}

/// Where a reply goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To the relay, at the server port. To its `giaddr`, whatever address the packet came from.
    Relay(Ipv4Addr),
    /// To a client that has its address, at the client port.
    Unicast(Ipv4Addr),
    /// To all, at the client port.
    Broadcast,
    /// To a client that does not answer ARP yet: the address is given with the frame.
    HardwareUnicast {
        /// The frame's destination.
        mac: Mac,
        /// The packet's destination.
        yiaddr: Ipv4Addr,
    },
}

/// Where a reply goes (RFC 2131 section 4.1). Answers at port 4011 go to where the request came from instead.
pub fn destination(request: &Request, reply: &Reply) -> Destination {
    if !request.giaddr.is_unspecified() {
        return Destination::Relay(request.giaddr);
    }
    match (reply.kind, reply.yiaddr, request.mac()) {
        (ReplyKind::Nak, ..) => Destination::Broadcast,
        _ if is_unicast(request.ciaddr) => Destination::Unicast(request.ciaddr),
        (_, Some(yiaddr), Some(mac)) if !request.broadcast => Destination::HardwareUnicast { mac, yiaddr },
        _ => Destination::Broadcast,
    }
}

/// Whether somebody can have this address: a hostile `ciaddr` must not make us send to a group.
fn is_unicast(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && !address.is_broadcast() && !address.is_multicast()
}
