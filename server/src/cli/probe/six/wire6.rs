//! The wire under a machine that is simulated on IPv6: a neighbour of its own on one interface, which has the link-local address that
//! is made of its MAC and answers for it. The interface's own addresses stay as they are, and this host's own servers hear nothing.
use super::super::{frames::Frames, wire::own_socket};
use crate::{
    dhcp::socket::frame::checksum,
    dhcp6::wire::{CLIENT_PORT, Packet, SERVER_PORT},
    interface,
};
use anyhow::{Context, Result};
use pilotlight_types::Mac;
use std::{
    net::{Ipv6Addr, SocketAddrV6},
    time::Instant,
};
use tokio::{net::UdpSocket, time};

const IPV6: [u8; 2] = [0x86, 0xdd];
const UDP: u8 = 17;
const ICMP: u8 = 58;
/// All_DHCP_Relay_Agents_and_Servers (RFC 8415 section 7.1).
const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// Neighbor discovery is refused when it could have come through a router (RFC 4861 section 7.1).
const OF_THIS_LINK: u8 = 255;

/// An interface, with a raw socket on it. Takes CAP_NET_RAW.
pub(in crate::cli) struct Wire6 {
    frames: Frames,
    mac: Mac,
    /// The address that is played.
    pub(in crate::cli) address: Ipv6Addr,
    // Keeps the groups of the address, and the kernel from answering that nobody has the port.
    _member: Option<UdpSocket>,
}

/// A server's message to the client.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Received6 {
    /// When it came.
    pub(in crate::cli) at: Instant,
    /// Who sent it.
    pub(in crate::cli) from: SocketAddrV6,
    /// Its content.
    pub(in crate::cli) bytes: Vec<u8>,
    /// Its content, read.
    pub(in crate::cli) packet: Packet,
}

/// What is in a frame for the address that is played.
enum Heard<'a> {
    /// A datagram to the client's port.
    Datagram(SocketAddrV6, &'a [u8]),
    /// Somebody looks for the MAC of the address (RFC 4861 section 4.3).
    WhoHas(Mac, Ipv6Addr),
}

impl Wire6 {
    /// Opens a raw socket on an interface of Ethernet, for a machine with this MAC, or with the interface's own.
    pub(in crate::cli) fn open(name: &str, mac: Option<Mac>) -> Result<Self> {
        let frames = Frames::open(name)?;
        let mac = mac.unwrap_or(frames.mac);
        let address = link_local(mac);
        let member = member(name, address).ok();
        Ok(Self { frames, mac, address, _member: member })
    }

    /// The MAC that is played.
    pub(in crate::cli) fn mac(&self) -> Mac {
        self.mac
    }

    /// Sends a message to everybody who serves DHCPv6 on the link.
    pub(in crate::cli) fn send(&self, content: &[u8]) -> Result<()> {
        let ports = [CLIENT_PORT.to_be_bytes(), SERVER_PORT.to_be_bytes()].concat();
        let length = u16::try_from(8 + content.len()).unwrap_or(u16::MAX).to_be_bytes();
        let datagram = [&ports[..], &length, &[0, 0], content].concat();
        let frame = self.frame((group(SERVERS), SERVERS), (UDP, 1), datagram, 6);
        self.frames.send(&frame)
    }

    /// The next answer to this question that comes before the deadline.
    pub(in crate::cli) async fn reply(
        &self,
        transaction: [u8; 3],
        deadline: Instant,
    ) -> Result<Option<Received6>> {
        loop {
            let frame = match time::timeout_at(deadline.into(), self.frames.next()).await {
                Ok(frame) => frame?,
                Err(_) => return Ok(None),
            };
            match self.heard(&frame) {
                Some(Heard::WhoHas(hardware, asker)) => self.answer(hardware, asker)?,
                Some(Heard::Datagram(from, content)) => {
                    let Ok(packet) = Packet::read(content) else { continue };
                    if packet.transaction == transaction && packet.hops.is_empty() {
                        let bytes = content.to_vec();
                        return Ok(Some(Received6 { at: Instant::now(), from, bytes, packet }));
                    }
                }
                None => {}
            }
        }
    }

    /// Says which MAC the address has (RFC 4861 section 4.4): solicited, and to be believed.
    fn answer(&self, hardware: Mac, asker: Ipv6Addr) -> Result<()> {
        let head = [136, 0, 0, 0, 0x60, 0, 0, 0];
        let advert = [&head[..], &self.address.octets(), &[2, 1], &self.mac.bytes()].concat();
        self.frames.send(&self.frame((hardware, asker), (ICMP, OF_THIS_LINK), advert, 2))
    }

    /// A frame with a packet in it, whose checksum is at this place of its content.
    fn frame(
        &self,
        (hardware, to): (Mac, Ipv6Addr),
        (kind, hops): (u8, u8),
        mut content: Vec<u8>,
        at: usize,
    ) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
        let (from, to) = (self.address.octets(), to.octets());
        // The pseudo-header (RFC 8200 section 8.1).
        let sum = match checksum(&[&from[..], &to, &[0, 0], &length, &[0, 0, 0, kind], &content].concat()) {
            [0, 0] => [0xff, 0xff],
            sum => sum,
        };
        if let Some(field) = content.get_mut(at..at + 2) {
            field.copy_from_slice(&sum);
        }
        let header = [&[0x60, 0, 0, 0][..], &length, &[kind, hops], &from, &to].concat();
        [&hardware.bytes()[..], &self.mac.bytes(), &IPV6, &header, &content].concat()
    }

    /// Checksums are the network card's affair.
    fn heard<'a>(&self, frame: &'a [u8]) -> Option<Heard<'a>> {
        let hardware = Mac::new(*frame.get(6..)?.first_chunk()?);
        let packet = frame.get(12..)?.strip_prefix(&IPV6)?;
        let address = |at: usize| Some(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?));
        let length = usize::from(u16::from_be_bytes(*packet.get(4..)?.first_chunk()?));
        let content = packet.get(40..)?.get(..length)?;
        let (source, target) = (address(8)?, address(24)?);
        match (packet.get(6)?, content) {
            (&UDP, [a, b, c, d, _, _, _, _, content @ ..])
                if target == self.address && u16::from_be_bytes([*c, *d]) == CLIENT_PORT =>
            {
                let port = u16::from_be_bytes([*a, *b]);
                Some(Heard::Datagram(SocketAddrV6::new(source, port, 0, 0), content))
            }
            // Who has no address yet asks for itself, and is not to be answered.
            (&ICMP, [135, 0, ..]) if address(48)? == self.address && !source.is_unspecified() => {
                Some(Heard::WhoHas(hardware, source))
            }
            _ => None,
        }
    }
}

/// The link-local address that is made of a MAC (RFC 4291 appendix A).
fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.bytes();
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// The Ethernet address of a group (RFC 2464 section 7).
fn group(address: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = address.octets();
    Mac::new([0x33, 0x33, a, b, c, d])
}

/// A member of the group in which the MAC of the address is asked for: the network card takes no others.
fn member(name: &str, address: Ipv6Addr) -> Result<UdpSocket> {
    let index = interface::index(name).context("no such interface")?;
    let any = Ipv6Addr::UNSPECIFIED.into();
    let socket = own_socket(Some(name), any, CLIENT_PORT).or_else(|_| own_socket(Some(name), any, 0))?;
    let [.., a, b, c] = address.octets();
    let solicited = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
    socket.join_multicast_v6(&solicited, index)?;
    Ok(socket)
}
