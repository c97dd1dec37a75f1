//! ARP probes: "who has this address?", asked by somebody who has none yet (RFC 5227 section 2.1.1, RFC 826).
use super::{AGAIN, Found, PATIENCE};
use crate::interface;
use nix::sys::socket::{self, LinkAddr, MsgFlags};
use pilotlight_types::Mac;
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::Ipv4Addr, os::fd::AsRawFd as _};
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};

const ETHERNET_AND_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ARP: [u8; 2] = [8, 6];
const REQUEST: [u8; 2] = [0, 1];

/// Asks for these addresses on a link; returns who answered.
pub(super) async fn ask(interface: &str, ips: &[Ipv4Addr]) -> io::Result<Found> {
    let link = interface::link(interface).map_err(io::Error::other)?;
    let Some((link, ours)) = link.and_then(|link| Some((link, Mac::new(link.addr()?)))) else {
        return Err(io::Error::other(format!("{interface} has no Ethernet address")));
    };
    let socket = open(&link)?;
    let mut found = Found::new();
    let start = Instant::now();
    for deadline in [start + AGAIN, start + PATIENCE] {
        for ip in ips.iter().filter(|ip| !found.contains_key(ip)) {
            send(&socket, &link, &probe(ours, *ip));
        }
        while let Ok(frame) = timeout_at(deadline, receive(&socket)).await {
            if let Some((mac, ip)) = sender(&frame?).filter(|(mac, ip)| *mac != ours && ips.contains(ip)) {
                found.insert(ip, Some(mac));
            }
        }
    }
    Ok(found)
}

/// A raw socket for ARP on this link.
fn open(link: &LinkAddr) -> io::Result<UdpSocket> {
    // packet(7): the protocol is a frame's type, as it lies on the wire.
    let protocol = Protocol::from(i32::from(u16::from_ne_bytes(ARP)));
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
    socket.set_nonblocking(true)?;
    socket::bind(socket.as_raw_fd(), link)?;
    // Raw, and no UDP: what tokio does with the one it does with the other.
    UdpSocket::from_std(socket.into())
}

/// What is not sent is asked again.
fn send(socket: &UdpSocket, link: &LinkAddr, frame: &[u8]) {
    if let Err(error) = socket::sendto(socket.as_raw_fd(), frame, link, MsgFlags::empty()) {
        tracing::debug!(error = &error as &dyn std::error::Error, "an ARP probe was not sent");
    }
}

async fn receive(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 64];
    let length = socket.recv(&mut buffer).await?;
    buffer.truncate(length);
    Ok(buffer)
}

/// The frame that asks. Its sender has no address: nobody's ARP table is touched.
fn probe(ours: Mac, ip: Ipv4Addr) -> Vec<u8> {
    let (nobody, unknown) = (Ipv4Addr::UNSPECIFIED.octets(), [0; 6]);
    let ours = ours.bytes();
    [&[0xff; 6][..], &ours, &ARP, &ETHERNET_AND_IPV4, &REQUEST, &ours, &nobody, &unknown, &ip.octets()]
        .concat()
}

/// Who says in an ARP packet, a request or a reply, that an address is theirs.
fn sender(frame: &[u8]) -> Option<(Mac, Ipv4Addr)> {
    let packet = frame.get(12..)?.strip_prefix(&ARP)?.strip_prefix(&ETHERNET_AND_IPV4)?;
    let (mac, rest) = packet.get(2..)?.split_first_chunk::<6>()?;
    let (ip, _) = rest.split_first_chunk::<4>()?;
    Some((Mac::new(*mac), Ipv4Addr::from(*ip))).filter(|(_, ip)| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_probe_is_nobodys_claim_and_an_answer_is_somebodys() {
        let (ours, theirs) = (Mac::new([2, 0, 0, 0, 0, 1]), Mac::new([2, 0, 0, 0, 0, 9]));
        let ip = Ipv4Addr::new(10, 77, 0, 120);
        let mut frame = probe(ours, ip);
        assert_eq!(frame.len(), 42);
        assert_eq!(frame[38..], ip.octets());
        assert_eq!(sender(&frame), None, "the sender's address is all zeros");
        frame[21] = 2;
        frame[22..28].copy_from_slice(&theirs.bytes());
        frame[28..32].copy_from_slice(&ip.octets());
        assert_eq!(sender(&frame), Some((theirs, ip)));
    }

    proptest! {
        #[test]
        fn no_frame_makes_it_panic(frame in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = sender(&frame);
        }
    }
}
