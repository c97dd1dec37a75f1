//! Frames out of and into one interface of Ethernet, beside what this host does there. What is sent does not reach this host's own
//! servers, for frames do not turn round at an interface.
use crate::interface;
use anyhow::{Context, Result};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvfrom, sendto, socket,
};
use pilotlight_types::Mac;
use std::os::fd::AsRawFd as _;
use tokio::{io::Interest, net::UdpSocket};

/// `PACKET_OUTGOING` of packet(7): our own frames come by as well.
const OUTGOING: u8 = 4;
/// No frame that is of use is longer.
const LONGEST: usize = 2048;

/// An interface, with a raw socket on it. Takes CAP_NET_RAW.
pub(super) struct Frames {
    // A packet socket, and no UDP: what tokio does with the one it does with the other.
    socket: UdpSocket,
    link: LinkAddr,
    index: usize,
    /// The interface's own hardware address.
    pub(super) mac: Mac,
}

impl Frames {
    /// Opens a raw socket on an interface.
    pub(super) fn open(name: &str) -> Result<Self> {
        let link = interface::link(name)?.with_context(|| format!("{name} is no Ethernet interface"))?;
        let mac = Mac::new(link.addr().with_context(|| format!("{name} has no hardware address"))?);
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)
            .context("no raw socket: run as root, or with CAP_NET_RAW")?;
        let index = link.ifindex();
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { socket, link, index, mac })
    }

    /// Sends a frame, from its Ethernet header on.
    pub(super) fn send(&self, frame: &[u8]) -> Result<()> {
        sendto(self.socket.as_raw_fd(), frame, &self.link, MsgFlags::empty())
            .context("the frame cannot be sent: is the interface up?")?;
        Ok(())
    }

    /// The next frame that somebody else sent.
    pub(super) async fn next(&self) -> Result<Vec<u8>> {
        loop {
            let mut buffer = vec![0; LONGEST];
            let read = || Ok(recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer)?);
            let got = self.socket.async_io(Interest::READABLE, read).await;
            let (size, from) = got.context("the interface cannot be listened to")?;
            if from.is_some_and(|from| from.ifindex() == self.index && from.pkttype() != OUTGOING) {
                buffer.truncate(size);
                return Ok(buffer);
            }
        }
    }

    /// Forgets what came before now.
    pub(super) fn drain(&self) {
        let mut buffer = [0; LONGEST];
        while recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer).is_ok() {}
    }
}
