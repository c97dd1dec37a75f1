//! The sockets of TFTP: where requests arrive, and one for each transfer.
use super::{codec, codec::ErrorCode, transfer::Transfer};
use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg, setsockopt, sockopt};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use std::{
    error::Error,
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr, SocketAddrV4, UdpSocket},
    ops::Range,
    os::fd::AsRawFd as _,
};

/// Requests wait here while others are read: a hall that powers on sends them all at once.
const RECEIVE_BUFFER: usize = 4 << 20;
/// What IP, UDP and TFTP put before a block.
const HEADERS: u16 = 20 + 8 + 4;
/// What the kernel takes as one (UDP_MAX_SEGMENTS), and how large an UDP datagram may be.
const SEGMENTS: u64 = 64;
const LARGEST: usize = 65_507;

/// The port that takes requests.
pub(super) fn open(listen: SocketAddrV4) -> io::Result<tokio::net::UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.bind(&listen.into())?;
    setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
    // The kernel gives what net.core.rmem_max allows.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    tokio::net::UdpSocket::from_std(socket.into())
}

/// A socket from an unused port of that address of ours, to that client only. Routers on the way may cut its packets into
/// fragments: firmware puts them together, and does not answer "too big".
pub(super) fn connected(local: IpAddr, peer: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((local, 0))?;
    set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DONT)?;
    socket.connect(peer)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The largest block that leaves our interface in one piece.
pub(super) fn largest_block(socket: &UdpSocket) -> u16 {
    let mtu = getsockopt(socket, sockopt::IpMtu).ok().and_then(|mtu| u16::try_from(mtu.min(65_535)).ok());
    mtu.unwrap_or(1500).saturating_sub(HEADERS).max(8)
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
