//! The sockets of TFTP: where requests arrive, and one for each transfer.
use super::{codec, codec::ErrorCode, transfer::Transfer};
use nix::{
    cmsg_space, libc,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, getsockopt, recvmsg, sendmsg,
        setsockopt, sockopt,
    },
};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};
use std::{
    error::Error,
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    ops::Range,
    os::fd::AsRawFd as _,
};

/// Requests wait here while others are read: a hall that powers on sends them all at once.
const RECEIVE_BUFFER: usize = 4 << 20;
/// What IPv4, UDP and TFTP put before a block.
const HEADERS: u16 = 20 + 8 + 4;
/// The same with IPv6.
const HEADERS6: u16 = 40 + 8 + 4;
/// What the kernel takes as one (UDP_MAX_SEGMENTS), and how large an UDP datagram may be.
const SEGMENTS: u64 = 64;
const LARGEST: usize = 65_507;

/// The port that takes requests. `[::]` is every address of both families.
pub(super) fn open(listen: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(listen), socket2::Type::DGRAM, None)?;
    if listen.is_ipv6() {
        socket.set_only_v6(false)?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    } else {
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
    }
    socket.bind(&listen.into())?;
    // The kernel gives what net.core.rmem_max allows.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    tokio::net::UdpSocket::from_std(socket.into())
}

/// A datagram's length, its sender, and the address of ours that it was sent to.
pub(super) fn receive(
    socket: &tokio::net::UdpSocket,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr, Option<IpAddr>)> {
    let mut control = cmsg_space!(libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let got =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
    let peer = got.address.and_then(|address| {
        let v6 = || address.as_sockaddr_in6().map(|address| SocketAddr::from(SocketAddrV6::from(*address)));
        address.as_sockaddr_in().map(|address| SocketAddr::from((address.ip(), address.port()))).or_else(v6)
    });
    let local = got.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(Ipv4Addr::from_bits(u32::from_be(info.ipi_spec_dst.s_addr))))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).to_canonical())
        }
        _ => None,
    });
    Ok((got.bytes, peer.map(canonical).ok_or(io::ErrorKind::InvalidData)?, local))
}

/// A socket of both families writes addresses of IPv4 as such of IPv6. What is left as it is keeps its link.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    }
}

/// A socket from an unused port of that address of ours, to that client only. Routers on the way may cut its packets into
/// fragments: firmware puts them together, and does not answer "too big".
pub(super) fn connected(local: IpAddr, peer: SocketAddr) -> io::Result<UdpSocket> {
    let socket = match (local, peer) {
        // A link-local address is one of the client's link.
        (IpAddr::V6(local), SocketAddr::V6(peer)) => {
            let socket = UdpSocket::bind(SocketAddrV6::new(local, 0, 0, peer.scope_id()))?;
            set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DONT)?;
            socket
        }
        _ => {
            let socket = UdpSocket::bind((local, 0))?;
            set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DONT)?;
            socket
        }
    };
    socket.connect(peer)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The largest block that leaves our interface in one piece.
pub(super) fn largest_block(socket: &UdpSocket) -> u16 {
    let ipv6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
    let (mtu, headers) = if ipv6 {
        (rustix::net::sockopt::ipv6_mtu(socket).ok(), HEADERS6)
    } else {
        let mtu = getsockopt(socket, sockopt::IpMtu).ok();
        (mtu.and_then(|mtu| u32::try_from(mtu).ok()), HEADERS)
    };
    let mtu = mtu.and_then(|mtu| u16::try_from(mtu.min(65_535)).ok());
    mtu.unwrap_or(1500).saturating_sub(headers).max(8)
}

/// Tells the client an error. It may get lost: the client then asks again.
pub(super) fn say(local: IpAddr, peer: SocketAddr, code: ErrorCode, message: &str) {
    let sent = connected(local, peer).and_then(|socket| socket.send(&codec::encode_error(code, message)));
    if let Err(error) = sent {
        tracing::debug!(error = &error as &dyn Error, "cannot tell {peer} that its request was refused");
    }
}

/// Sends packets of a transfer; `segmented` says whether the kernel takes a window as one (UDP_SEGMENT), and is cleared when
/// it does not.
pub(super) fn send(
    socket: &UdpSocket,
    transfer: &Transfer,
    range: Range<u64>,
    out: &mut Vec<u8>,
    segmented: &mut bool,
) -> io::Result<()> {
    let Range { start: mut at, end } = range;
    while at < end {
        let size = transfer.packet_size();
        let most = if *segmented { SEGMENTS.min((LARGEST / usize::from(size)) as u64).max(1) } else { 1 };
        let until = end.min(at + most);
        out.clear();
        (at..until).for_each(|number| transfer.append(number, out));
        if until - at == 1 {
            socket.send(out)?;
        } else {
            let sent = sendmsg::<()>(
                socket.as_raw_fd(),
                &[IoSlice::new(out)],
                &[ControlMessage::UdpGsoSegments(&size)],
                MsgFlags::empty(),
                None,
            );
            match sent.map_err(io::Error::from) {
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused
                    ) =>
                {
                    return Err(error);
                }
                // An interface that cannot make checksums, or a kernel that does not know it: one by one, then.
                Err(_) => {
                    *segmented = false;
                    continue;
                }
            }
        }
        at = until;
    }
    Ok(())
}
