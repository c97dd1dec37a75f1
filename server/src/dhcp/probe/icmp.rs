//! ICMP echo requests, for addresses on links that are not ours (RFC 792, RFC 2131 section 3.1).
use super::{AGAIN, Found, PATIENCE};
use crate::{clock::random, dhcp::socket::checksum};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;

/// Asks for these addresses; returns those that answered.
pub(super) async fn ask(ips: &[Ipv4Addr]) -> io::Result<Found> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    // Raw, and no UDP: what tokio does with the one it does with the other.
    let socket = UdpSocket::from_std(socket.into())?;
    let [a, b, ..] = random::<16>();
    let question = echo([a, b]);
    let mut found = Found::new();
    let start = Instant::now();
    let mut buffer = [0; 128];
    for deadline in [start + AGAIN, start + PATIENCE] {
        for ip in ips.iter().filter(|ip| !found.contains_key(ip)) {
            // Without a route nobody is there to be asked; what is not sent is asked again.
            if let Err(error) = socket.send_to(&question, SocketAddr::from((*ip, 0))).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "{ip} was not asked by ICMP");
            }
        }
        while let Ok(received) = timeout_at(deadline, socket.recv_from(&mut buffer)).await {
            let (length, from) = received?;
            if let IpAddr::V4(from) = from.ip()
                && ips.contains(&from)
                && is_answer(buffer.get(..length).unwrap_or_default(), [a, b])
            {
                found.insert(from, None);
            }
        }
    }
    Ok(found)
}

/// An echo request that is known by this id.
fn echo(id: [u8; 2]) -> Vec<u8> {
    let packet = |sum: [u8; 2]| [&[ECHO_REQUEST, 0][..], &sum, &id, &[0, 1], b"pilotlight asks!"].concat();
    packet(checksum(&packet([0, 0])))
}

/// Whether an IP packet is the answer to our question: the header's length is in its first byte (RFC 791).
fn is_answer(packet: &[u8], id: [u8; 2]) -> bool {
    let header = packet.first().map_or(0, |first| usize::from(first & 15) * 4);
    let icmp = packet.get(header..).unwrap_or_default();
    icmp.first() == Some(&ECHO_REPLY) && icmp.get(4..6) == Some(&id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_is_known_by_its_id() {
        let mut packet = [&[0x45][..], &[0; 19], &echo([7, 8])].concat();
        assert!(!is_answer(&packet, [7, 8]), "that is the question");
        packet[20] = ECHO_REPLY;
        assert!(is_answer(&packet, [7, 8]));
        assert!(!is_answer(&packet, [7, 9]));
        assert_eq!(checksum(&echo([7, 8])), [0, 0], "a sum over a packet with its checksum is zero");
    }

    #[tokio::test]
    async fn this_host_answers_and_a_test_network_does_not() {
        let nobody = Ipv4Addr::new(127, 255, 255, 255);
        match ask(&[Ipv4Addr::LOCALHOST, nobody]).await {
            Ok(found) => assert_eq!(found.into_keys().collect::<Vec<_>>(), [Ipv4Addr::LOCALHOST]),
            // Without the right to raw sockets there is nothing to see.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(packet in prop::collection::vec(any::<u8>(), 0..80), id: [u8; 2]) {
            is_answer(&packet, id);
        }
    }
}
