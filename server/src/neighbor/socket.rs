//! One raw ICMPv6 socket on one interface: solicitations in, adverts out.
use super::{Adverts, wire};
use crate::interface;
use pilotlight_types::Mac;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{Ipv6Addr, SocketAddr, SocketAddrV6},
    time::Duration,
};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

/// Where routers are asked for (RFC 4291 section 2.7.1).
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// Neighbor discovery is refused when it could have come through a router (RFC 4861 section 6.1).
const HOP_LIMIT: u32 = 255;

/// After an error of the socket itself.
const PAUSE: Duration = Duration::from_millis(200);

/// Router solicitations on one interface.
#[derive(Debug)]
pub struct Solicitations {
    // Raw, and no UDP: what tokio does with the one it does with the other.
    socket: UdpSocket,
    interface: String,
    ours: Mac,
}

impl Solicitations {
    /// Listens on the interface; none, if it has no Ethernet address.
    pub fn bind(name: &str) -> io::Result<Option<Self>> {
        let link = interface::link(name).map_err(io::Error::other)?.and_then(|link| link.addr());
        let (Some(address), Some(index)) = (link, interface::index(name)) else { return Ok(None) };
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(name.as_bytes()))?;
        socket.join_multicast_v6(&ALL_ROUTERS, index)?;
        socket.set_unicast_hops_v6(HOP_LIMIT)?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Some(Self { socket, interface: name.to_owned(), ours: Mac::new(address) }))
    }

    /// Answers those that are wanted, until it is stopped.
    pub async fn run(self, adverts: Adverts, stop: CancellationToken) {
        while let Some(received) = stop.run_until_cancelled(self.receive()).await {
            match received {
                Ok((solicitor, from)) if adverts.wanted(solicitor) => match self.answer(from).await {
                    Ok(()) => {
                        adverts.metrics.count();
                        tracing::debug!(machine.mac = %solicitor, "answered the router solicitation of {solicitor}'s iPXE");
                    }
                    Err(error) => {
                        tracing::debug!("no router advert could be sent on {}: {error}", self.interface)
                    }
                },
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!("cannot receive router solicitations on {}: {error}", self.interface);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// The next solicitation: whose it is, and where it came from.
    async fn receive(&self) -> io::Result<(Mac, SocketAddrV6)> {
        let mut buffer = [0; 1500];
        loop {
            let (size, from) = self.socket.recv_from(&mut buffer).await?;
            let message = buffer.get(..size).unwrap_or_default();
            if let SocketAddr::V6(from) = from
                && let Some(solicitor) = wire::solicitor(message, *from.ip())
            {
                // The port of a raw socket means nothing.
                return Ok((solicitor, SocketAddrV6::new(*from.ip(), 0, 0, from.scope_id())));
            }
        }
    }

    async fn answer(&self, to: SocketAddrV6) -> io::Result<()> {
        self.socket.send_to(&wire::advert(self.ours), to).await.map(drop)
    }
}
