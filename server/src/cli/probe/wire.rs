//! The wire under a simulated machine: frames out of and into one interface, beside its own addresses and without changing
//! them. What is sent does not reach this host's own servers, for frames do not turn round at an interface: it asks the others.
use super::frames::Frames;
use crate::dhcp::{socket::frame, wire::Packet};
use anyhow::Result;
use pilotlight_types::Mac;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    time::{Duration, Instant},
};
use tokio::{net::UdpSocket, time};

const CLIENT: u16 = 68;
const SERVER: u16 = 67;
const BOOT_SERVER: u16 = 4011;
const BROADCAST: Mac = Mac::new([0xff; 6]);

/// An interface, with a raw socket on it. Takes CAP_NET_RAW.
pub(in crate::cli) struct Wire {
    frames: Frames,
}

/// A packet to a client's port.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Received {
    /// When it came.
    pub(in crate::cli) at: Instant,
    /// Who sent it.
    pub(in crate::cli) from: SocketAddrV4,
    /// The hardware address that it came from: the server, or the relay.
    pub(in crate::cli) hardware: Mac,
    /// Its content.
    pub(in crate::cli) bytes: Vec<u8>,
    /// Its content, read.
    pub(in crate::cli) packet: Packet,
}

impl Wire {
    /// Opens a raw socket on an interface of Ethernet.
    pub(in crate::cli) fn open(name: &str) -> Result<Self> {
        Ok(Self { frames: Frames::open(name)? })
    }

    /// The interface's own hardware address.
    pub(in crate::cli) fn mac(&self) -> Mac {
        self.frames.mac
    }

    /// Sends a DHCP packet: to everybody, or to the server whose hardware address is known.
    pub(in crate::cli) fn send(
        &self,
        from: (Mac, Ipv4Addr),
        to: Option<(Mac, Ipv4Addr)>,
        content: &[u8],
    ) -> Result<()> {
        let (hardware, address) = to.unwrap_or((BROADCAST, Ipv4Addr::BROADCAST));
        let source = (from.0, SocketAddrV4::new(from.1, CLIENT));
        let frame = frame::udp(source, (hardware, SocketAddrV4::new(address, SERVER)), content);
        self.frames.send(&frame)
    }

    /// The next reply of this transaction that comes before the deadline.
    pub(in crate::cli) async fn reply(&self, xid: u32, deadline: Instant) -> Result<Option<Received>> {
        loop {
            let frame = match time::timeout_at(deadline.into(), self.frames.next()).await {
                Ok(frame) => frame?,
                Err(_) => return Ok(None),
            };
            let Some((hardware, from, content)) = to_client(&frame) else { continue };
            let Ok(packet) = Packet::read(content) else { continue };
            if packet.op == 2 && packet.xid == xid {
                let bytes = content.to_vec();
                return Ok(Some(Received { at: Instant::now(), from, hardware, bytes, packet }));
            }
        }
    }

    /// Forgets what came before now.
    pub(in crate::cli) fn drain(&self) {
        self.frames.drain();
    }
}

/// Who sent a frame with a UDP datagram to the client's port, and its content. Checksums are the network card's affair.
fn to_client(frame: &[u8]) -> Option<(Mac, SocketAddrV4, &[u8])> {
    let hardware = Mac::new(*frame.get(6..)?.first_chunk()?);
    let ip = frame.get(12..)?.strip_prefix(&[8, 0])?;
    let (first, kind) = (ip.first()?, ip.get(9)?);
    if first >> 4 != 4 || *kind != 17 {
        return None;
    }
    let source = Ipv4Addr::from(*ip.get(12..)?.first_chunk::<4>()?);
    let udp = ip.get(usize::from(first & 15) * 4..)?;
    let number = |at: usize| Some(u16::from_be_bytes(*udp.get(at..)?.first_chunk()?));
    if number(2)? != CLIENT {
        return None;
    }
    Some((hardware, SocketAddrV4::new(source, number(0)?), udp.get(8..usize::from(number(4)?))?))
}

/// Asks a boot server at port 4011, from the interface's own address and, as UEFI does, from port 4011 if that is free.
pub(in crate::cli) async fn ask_boot_server(
    interface: &str,
    server: Ipv4Addr,
    content: &[u8],
    xid: u32,
    wait: Duration,
) -> Result<Option<Received>> {
    let any = Ipv4Addr::UNSPECIFIED.into();
    let socket = own_socket(Some(interface), any, BOOT_SERVER);
    let socket = socket.or_else(|_| own_socket(Some(interface), any, 0))?;
    socket.send_to(content, (server, BOOT_SERVER)).await?;
    let mut buffer = vec![0; 2048];
    let deadline = time::Instant::now() + wait;
    while let Ok(got) = time::timeout_at(deadline, socket.recv_from(&mut buffer)).await {
        // Nobody is there: the host says so.
        let Ok((size, from)) = got else { return Ok(None) };
        let bytes = buffer.get(..size).unwrap_or_default().to_vec();
        if let (Ok(packet), SocketAddr::V4(from)) = (Packet::read(&bytes), from)
            && packet.op == 2
            && packet.xid == xid
        {
            return Ok(Some(Received { at: Instant::now(), from, hardware: BROADCAST, bytes, packet }));
        }
    }
    Ok(None)
}

/// A UDP socket at `any` address of its family; one that uses this interface only, if one is given.
pub(in crate::cli) fn own_socket(interface: Option<&str>, any: IpAddr, port: u16) -> Result<UdpSocket> {
    let at = SocketAddr::new(any, port);
    let socket = socket2::Socket::new(socket2::Domain::for_address(at), socket2::Type::DGRAM, None)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(interface) = interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    socket.bind(&at.into())?;
    socket.set_nonblocking(true)?;
    Ok(UdpSocket::from_std(socket.into())?)
}
