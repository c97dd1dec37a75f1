//! The DHCPv6 socket: UDP port 547 on one interface, a member of the groups that clients and relays send to.
use super::wire::SERVER_PORT;
use crate::interface;
use nix::{
    cmsg_space,
    errno::Errno,
    libc,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, sendmsg, setsockopt,
        sockopt::Ipv6RecvPacketInfo,
    },
};
use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{Ipv6Addr, SocketAddrV6},
    os::fd::AsRawFd as _,
    sync::Arc,
};
use tokio::{io::Interest, net::UdpSocket};

/// All_DHCP_Relay_Agents_and_Servers, and All_DHCP_Servers, where relays send (RFC 8415 section 7.1).
const GROUPS: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2), Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3)];

/// A hall that powers on sends its Solicits in the same second.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The longest message that is read: what a link of 9000 bytes carries in one piece.
const LONGEST: usize = 9000;

/// Why a socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another server serves that interface.
    #[error(
        "UDP port 547 on {0} is in use: another DHCPv6 server runs here (see `ss -lunp`); stop it, or set dhcp.ipv6 to false"
    )]
    AddrInUse(String),
    /// Ports below 1024 are for root.
    #[error(
        "no permission for UDP port 547 on {0}: run with CAP_NET_BIND_SERVICE, or set dhcp.ipv6 to false"
    )]
    PermissionDenied(String),
    /// There is no such interface.
    #[error("there is no network interface `{0}`: see `ip link`, and set dhcp.interfaces")]
    NoDevice(String),
    /// Anything else, such as a kernel without IPv6.
    #[error(
        "cannot serve DHCPv6 on {interface}: is IPv6 switched off there? Otherwise set dhcp.ipv6 to false"
    )]
    Other {
        /// On which interface.
        interface: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl SocketError {
    fn new(interface: &str, source: io::Error) -> Self {
        let interface = interface.to_owned();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddrInUse(interface),
            io::ErrorKind::PermissionDenied => Self::PermissionDenied(interface),
            _ => Self::Other { interface, source },
        }
    }
}

/// A packet that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Who sent it: a client's link-local address, or a relay.
    pub from: SocketAddrV6,
    /// The address that it was sent to: a group, or ours.
    pub to: Ipv6Addr,
}

/// Port 547 on one interface.
#[derive(Debug)]
pub struct Socket {
    udp: UdpSocket,
    interface: Arc<str>,
    index: u32,
}

impl Socket {
    /// Takes the port on that interface. Needs a tokio runtime. Sockets of different interfaces do not collide.
    pub fn bind(interface: &str) -> Result<Self, SocketError> {
        let index = interface::index(interface).ok_or_else(|| SocketError::NoDevice(interface.to_owned()))?;
        let udp = open(interface, index).map_err(|error| SocketError::new(interface, error))?;
        Ok(Self { udp, interface: interface.into(), index })
    }

    /// The interface's name.
    pub fn interface(&self) -> &Arc<str> {
        &self.interface
    }

    /// Whether the interface was deleted, and perhaps made again: this socket then hears nothing for ever.
    pub fn is_stale(&self) -> bool {
        interface::index(&self.interface) != Some(self.index)
    }

    /// The next packet.
    pub async fn recv(&self) -> io::Result<Datagram> {
        let mut buffer = vec![0; LONGEST];
        let read = || {
            let mut control = cmsg_space!(libc::in6_pktinfo);
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let got = recvmsg::<SockaddrIn6>(
                self.udp.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::empty(),
            )?;
            let nobody = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0);
            let from = got.address.map_or(nobody, SocketAddrV6::from);
            let to = got.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::Ipv6PacketInfo(info) => Some(Ipv6Addr::from(info.ipi6_addr.s6_addr)),
                _ => None,
            });
            Ok((got.bytes, from, to.unwrap_or(Ipv6Addr::UNSPECIFIED)))
        };
        let (len, from, to) = self.udp.async_io(Interest::READABLE, read).await?;
        buffer.truncate(len);
        Ok(Datagram { bytes: buffer, from, to })
    }

    /// Sends a packet out of this interface, from our port. The kernel chooses the address: the link-local one for clients, and the
    /// one on the way to a relay, unless that one asked at `source`.
    pub async fn send(&self, bytes: &[u8], to: SocketAddrV6, source: Ipv6Addr) -> io::Result<()> {
        let info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
            ipi6_ifindex: self.index,
        };
        let to = SockaddrIn6::from(to);
        let write = || {
            let control = [ControlMessage::Ipv6PacketInfo(&info)];
            sendmsg(self.udp.as_raw_fd(), &[IoSlice::new(bytes)], &control, MsgFlags::empty(), Some(&to))?;
            Ok(())
        };
        self.udp.async_io(Interest::WRITABLE, write).await
    }
}

fn open(interface: &str, index: u32) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None)?;
    socket.set_only_v6(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
    // The kernel gives what net.core.rmem_max allows.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, SERVER_PORT, 0, 0).into())?;
    for group in GROUPS {
        match socket.join_multicast_v6(&group, index) {
            // The interface was in the group already.
            Err(error) if error.raw_os_error() == Some(Errno::EADDRINUSE as i32) => {}
            joined => joined?,
        }
    }
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}
