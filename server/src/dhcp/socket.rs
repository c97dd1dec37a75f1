//! A DHCP socket: one UDP port on one interface (RFC 2131 section 4.1), and a raw socket for clients that
//! have an address on paper only.
use super::wire::Destination;
use crate::interface::{self, InterfaceError};
use nix::{
    cmsg_space,
    errno::Errno,
    libc,
    sys::socket::{
        self, AddressFamily, ControlMessage, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockType,
        SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt::Ipv4PacketInfo,
    },
};
use pilotlight_types::Mac;
use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsRawFd as _, OwnedFd},
    sync::Arc,
};
use tokio::{io::Interest, net::UdpSocket};

pub mod frame;
pub(super) use frame::checksum;
#[cfg(test)]
mod tests;

/// A hall that powers on sends its DISCOVERs in the same second.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Why a socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another server serves that interface.
    #[error(
        "UDP port {port} on {interface} is in use: another DHCP server runs here (see `ss -lunp`); \
         stop it, take {interface} out of dhcp.interfaces, or set dhcp.share-port and the subnet's mode to proxy (dnsmasq must \
         then have `bind-interfaces`)"
    )]
    AddrInUse {
        /// Of which interface.
        interface: String,
        /// Which port.
        port: u16,
    },
    /// Ports below 1024 are for root.
    #[error(
        "no permission for UDP port {port} on {interface}: run with CAP_NET_BIND_SERVICE and CAP_NET_RAW"
    )]
    PermissionDenied {
        /// Of which interface.
        interface: String,
        /// Which port.
        port: u16,
    },
    /// There is no such interface.
    #[error("there is no network interface `{interface}`: see `ip link`, and set dhcp.interfaces")]
    NoDevice {
        /// Its name.
        interface: String,
    },
    /// Anything else.
    #[error("cannot open UDP port {port} on {interface}")]
    Other {
        /// Of which interface.
        interface: String,
        /// Which port.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl SocketError {
    fn new(interface: &str, port: u16, source: io::Error) -> Self {
        let interface = interface.to_owned();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddrInUse { interface, port },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { interface, port },
            _ if source.raw_os_error() == Some(Errno::ENODEV as i32) => Self::NoDevice { interface },
            _ => Self::Other { interface, port, source },
        }
    }
}

/// A packet that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Who sent it: 0.0.0.0 for a client without an address, a relay otherwise.
    pub from: SocketAddrV4,
    /// The address that it was sent to: a broadcast one, or ours.
    pub to: Ipv4Addr,
    /// Our address for an answer: the one that it was sent to, else the interface's first.
    pub local: Ipv4Addr,
}

/// Where a packet is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// As the reply says; the ports are those of the socket.
    Reply(Destination),
    /// Back to this address and port: answers at port 4011.
    Peer(SocketAddrV4),
}

/// One port on one interface.
#[derive(Debug)]
pub struct Socket {
    udp: UdpSocket,
    raw: Option<Raw>,
    interface: Arc<str>,
    index: u32,
    port: u16,
    sharing: Sharing,
}

/// Whether the port is ours alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// It is: a second server on the same interface is an error, and not half of the answers.
    Alone,
    /// Another server on this host has it as well. We hear broadcasts only: what is sent to this host is the
    /// other one's, such as the renewal of a lease that it gave.
    Broadcasts,
}

#[derive(Debug)]
struct Raw {
    socket: OwnedFd,
    link: LinkAddr,
    mac: Mac,
}

impl Socket {
    /// Takes the port on that interface. Needs a tokio runtime. Sockets of different interfaces do not collide.
    pub fn bind(interface: &str, port: u16, sharing: Sharing) -> Result<Self, SocketError> {
        let failed = |error| SocketError::new(interface, port, error);
        let index = interface::index(interface)
            .ok_or_else(|| SocketError::NoDevice { interface: interface.to_owned() })?;
        let raw = match interface::link(interface) {
            Ok(Some(link)) => Raw::open(link),
            Ok(None) => None,
            Err(InterfaceError::Missing(interface)) => return Err(SocketError::NoDevice { interface }),
            Err(InterfaceError::List(error)) => return Err(failed(error)),
        };
        let udp = open(interface, port, sharing).map_err(failed)?;
        let port = udp.local_addr().map_err(failed)?.port();
        Ok(Self { udp, raw, interface: interface.into(), index, port, sharing })
    }

    /// The interface's name.
    pub fn interface(&self) -> &Arc<str> {
        &self.interface
    }

    /// Our port: the one that was found, if 0 was asked for.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether others have the port as well.
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// Whether the interface was deleted, and perhaps made again: this socket then hears nothing for ever,
    /// and has no error to say so.
    pub fn is_stale(&self) -> bool {
        interface::index(&self.interface) != Some(self.index)
    }

    /// Whether [`Destination::HardwareUnicast`] can be had: an Ethernet interface, and CAP_NET_RAW. A
    /// broadcast goes out instead otherwise.
    pub fn has_raw(&self) -> bool {
        self.raw.is_some()
    }

    /// The next packet.
    pub async fn recv(&self) -> io::Result<Datagram> {
        let mut buffer = vec![0; 4096];
        let read = || {
            let mut control = cmsg_space!(libc::in_pktinfo);
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let got = recvmsg::<SockaddrIn>(
                self.udp.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::empty(),
            )?;
            let from = got.address.map_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), SocketAddrV4::from);
            let info = got.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::Ipv4PacketInfo(info) => Some(info),
                _ => None,
            });
            let address = |raw: libc::in_addr| Ipv4Addr::from_bits(u32::from_be(raw.s_addr));
            let (to, local) = info.map_or((Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED), |info| {
                (address(info.ipi_addr), address(info.ipi_spec_dst))
            });
            Ok((got.bytes, from, to, local))
        };
        let (len, from, to, local) = self.udp.async_io(Interest::READABLE, read).await?;
        buffer.truncate(len);
        Ok(Datagram { bytes: buffer, from, to, local })
    }

    /// Sends a packet out of this interface, from this port and that address of ours.
    pub async fn send(&self, bytes: &[u8], target: Target, source: Ipv4Addr) -> io::Result<()> {
        let client_port = self.port.wrapping_add(1);
        let to = match target {
            Target::Peer(peer) => peer,
            Target::Reply(Destination::Relay(relay)) => SocketAddrV4::new(relay, self.port),
            Target::Reply(Destination::Unicast(client)) => SocketAddrV4::new(client, client_port),
            Target::Reply(Destination::Broadcast) => SocketAddrV4::new(Ipv4Addr::BROADCAST, client_port),
            Target::Reply(Destination::HardwareUnicast { mac, yiaddr }) => {
                let to = SocketAddrV4::new(yiaddr, client_port);
                match &self.raw {
                    Some(raw) => return raw.send(bytes, mac, to, SocketAddrV4::new(source, self.port)),
                    // RFC 2131 section 4.1 allows it: whoever wants unicast takes a broadcast as well.
                    None => SocketAddrV4::new(Ipv4Addr::BROADCAST, client_port),
                }
            }
        };
        match self.send_from(bytes, to, source).await {
            // An address to be reached at that is not this interface's own: the kernel chooses.
            Err(error) if may_be_the_source(&error) && !source.is_unspecified() => {
                self.send_from(bytes, to, Ipv4Addr::UNSPECIFIED).await
            }
            sent => sent,
        }
    }

    async fn send_from(&self, bytes: &[u8], to: SocketAddrV4, source: Ipv4Addr) -> io::Result<()> {
        let address = |address: Ipv4Addr| libc::in_addr { s_addr: address.to_bits().to_be() };
        let info = libc::in_pktinfo {
            ipi_ifindex: i32::try_from(self.index).unwrap_or(0),
            ipi_spec_dst: address(source),
            ipi_addr: address(Ipv4Addr::UNSPECIFIED),
        };
        let to = SockaddrIn::from(to);
        let write = || {
            let control = [ControlMessage::Ipv4PacketInfo(&info)];
            sendmsg(self.udp.as_raw_fd(), &[IoSlice::new(bytes)], &control, MsgFlags::empty(), Some(&to))?;
            Ok(())
        };
        self.udp.async_io(Interest::WRITABLE, write).await
    }
}

fn may_be_the_source(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EINVAL | Errno::EADDRNOTAVAIL | Errno::ENETUNREACH)
    )
}

fn open(interface: &str, port: u16, sharing: Sharing) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_broadcast(true)?;
    setsockopt(&socket, Ipv4PacketInfo, &true)?;
    // The kernel gives what net.core.rmem_max allows.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    let address = match sharing {
        Sharing::Alone => Ipv4Addr::UNSPECIFIED,
        Sharing::Broadcasts => {
            socket.set_reuse_address(true)?;
            Ipv4Addr::BROADCAST
        }
    };
    socket.bind(&SocketAddrV4::new(address, port).into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

impl Raw {
    /// A raw socket that sends only: with protocol 0 the kernel delivers nothing to it (packet(7)).
    fn open(link: LinkAddr) -> Option<Self> {
        let mac = Mac::new(link.addr()?);
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        match socket::socket(AddressFamily::Packet, SockType::Raw, flags, None) {
            Ok(socket) => Some(Self { socket, link, mac }),
            Err(error) => {
                tracing::info!(
                    error = &error as &dyn std::error::Error,
                    "no raw socket: new clients get broadcasts"
                );
                None
            }
        }
    }

    fn send(&self, bytes: &[u8], mac: Mac, to: SocketAddrV4, from: SocketAddrV4) -> io::Result<()> {
        let frame = frame::udp((self.mac, from), (mac, to), bytes);
        // With a raw socket the kernel takes the interface from this address, and the destination from the
        // frame.
        socket::sendto(self.socket.as_raw_fd(), &frame, &self.link, MsgFlags::empty())?;
        Ok(())
    }
}
