//! A DHCP client that asks what it is told to ask, and shows all of the answer. Written apart from the server's codec.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::socket::{setsockopt, sockopt};
use pilotlight_tests::rack::Host;
use pilotlight_types::Mac;

pub const DISCOVER: u8 = 1;
pub const OFFER: u8 = 2;
pub const REQUEST: u8 = 3;
pub const DECLINE: u8 = 4;
pub const ACK: u8 = 5;
pub const NAK: u8 = 6;
pub const RELEASE: u8 = 7;
pub const INFORM: u8 = 8;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
const PATIENCE: Duration = Duration::from_secs(5);

/// What UEFI's PXE says of itself.
pub const UEFI: &[(u8, &[u8])] =
    &[(60, b"PXEClient:Arch:00007:UNDI:003000"), (93, &[0, 7]), (94, &[1, 3, 0]), (57, &[5, 192])];
/// What iPXE does, as Debian builds it: it can fetch by HTTP.
pub const IPXE: &[(u8, &[u8])] = &[
    (60, b"PXEClient:Arch:00007:UNDI:003010"),
    (93, &[0, 7]),
    (94, &[1, 3, 10]),
    (77, b"iPXE"),
    (175, &[0xeb, 3, 1, 0, 0, 0x13, 1, 1]),
];

/// A client on the NIC `eth0` of a host.
pub struct Client {
    socket: UdpSocket,
    mac: Mac,
    xid: u32,
}

/// A message, of a client or of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    pub xid: u32,
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub siaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub file: String,
    pub options: BTreeMap<u8, Vec<u8>>,
}

/// The clients' port. What another story starts at this moment has this process's sockets until it runs, the last client's too.
#[expect(clippy::disallowed_methods, reason = "this client blocks anyway: it waits for answers")]
fn bound() -> Result<UdpSocket> {
    let until = Instant::now() + PATIENCE;
    loop {
        match UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 68)) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < until => {
                thread::sleep(Duration::from_millis(10));
            }
            bound => return Ok(bound?),
        }
    }
}

impl Client {
    /// With this MAC, which the NIC gets first.
    pub fn new(host: &Host, mac: &str) -> Result<Self> {
        host.ip(&format!("link set eth0 address {mac}"))?;
        let socket = host.inside(|| -> Result<UdpSocket> {
            let socket = bound()?;
            setsockopt(&socket, sockopt::BindToDevice, &"eth0".into())?;
            socket.set_broadcast(true)?;
            Ok(socket)
        })??;
        let mac: Mac = mac.parse()?;
        // Answers are broadcast: those to others must not be taken for ours.
        let [.., a, b, c, d] = mac.bytes();
        Ok(Self { socket, mac, xid: u32::from_be_bytes([d, c, b, a]) })
    }

    /// Asks, and waits for the answer.
    pub fn ask(&mut self, kind: u8, ciaddr: Ipv4Addr, options: &[(u8, &[u8])]) -> Result<Message> {
        self.send(kind, ciaddr, options)?;
        self.answer(PATIENCE)?.with_context(|| format!("no answer to message type {kind}"))
    }

    /// Asks for nothing but to be heard.
    pub fn send(&mut self, kind: u8, ciaddr: Ipv4Addr, options: &[(u8, &[u8])]) -> Result<()> {
        self.xid = self.xid.wrapping_add(1);
        let packet = packet(self.mac, self.xid, kind, [ciaddr, Ipv4Addr::UNSPECIFIED], options)?;
        self.socket.send_to(&packet, (Ipv4Addr::BROADCAST, 67))?;
        Ok(())
    }

    /// Asks, and waits for the answers of several servers, each with its own.
    pub fn ask_all(&mut self, kind: u8, options: &[(u8, &[u8])]) -> Result<BTreeMap<Ipv4Addr, Message>> {
        self.send(kind, Ipv4Addr::UNSPECIFIED, options)?;
        let mut all = BTreeMap::new();
        while let Some(message) = self.answer(Duration::from_secs(1))? {
            let server = message.address(54)?;
            ensure!(all.insert(server, message).is_none(), "{server} answers twice");
        }
        Ok(all)
    }

    /// The answer to what was sent last, if one comes.
    pub fn answer(&self, within: Duration) -> Result<Option<Message>> {
        let deadline = Instant::now() + within;
        let mut packet = [0; 2048];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left))?;
            let Ok(length) = self.socket.recv(&mut packet) else { continue };
            let message = Message::parse(packet.get(..length).unwrap_or_default())?;
            if message.xid == self.xid {
                return Ok(Some(message));
            }
        }
    }

    /// DISCOVER, OFFER, REQUEST, ACK, with these options of the client; gives the ACK.
    pub fn lease(&mut self, options: &[(u8, &[u8])]) -> Result<Message> {
        let offer = self.ask(DISCOVER, Ipv4Addr::UNSPECIFIED, options)?;
        ensure!(offer.kind == OFFER, "not an offer: {offer:?}");
        let ack = self.take(&offer, options)?;
        ensure!(ack.kind == ACK, "not acknowledged: {ack:?}");
        ensure!(ack.yiaddr == offer.yiaddr, "{} was offered, {} given", offer.yiaddr, ack.yiaddr);
        Ok(ack)
    }

    /// REQUEST for what was offered; gives the answer.
    pub fn take(&mut self, offer: &Message, options: &[(u8, &[u8])]) -> Result<Message> {
        let (address, server) = (offer.yiaddr.octets(), offer.option(54)?.to_vec());
        let mut all: Vec<(u8, &[u8])> = vec![(50, &address), (54, &server)];
        all.extend(options);
        self.ask(REQUEST, Ipv4Addr::UNSPECIFIED, &all)
    }
}

/// A client's packet: `ciaddr` and `giaddr`, and the options after their kind.
pub fn packet(
    mac: Mac,
    xid: u32,
    kind: u8,
    [ciaddr, giaddr]: [Ipv4Addr; 2],
    options: &[(u8, &[u8])],
) -> Result<Vec<u8>> {
    let mut packet = vec![1, 1, 6, u8::from(!giaddr.is_unspecified())];
    packet.extend(xid.to_be_bytes());
    // secs; then the flag that asks for broadcasts, since we have no address to be sent to.
    packet.extend([0, 0, if ciaddr.is_unspecified() { 0x80 } else { 0 }, 0]);
    packet.extend(ciaddr.octets());
    packet.extend([0; 8]);
    packet.extend(giaddr.octets());
    packet.extend(mac.bytes());
    packet.resize(236, 0);
    packet.extend(COOKIE);
    packet.extend([53, 1, kind]);
    for (code, value) in options {
        packet.extend([*code, u8::try_from(value.len())?]);
        packet.extend(*value);
    }
    packet.push(255);
    Ok(packet)
}

/// Sends a packet to this address from this port of the host, and waits there for the answer and for who it is from.
pub fn exchange(
    host: &Host,
    from: SocketAddrV4,
    to: SocketAddrV4,
    packet: &[u8],
) -> Result<Option<(SocketAddr, Message)>> {
    let socket = host.inside(|| UdpSocket::bind(from))??;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    socket.send_to(packet, to)?;
    let mut answer = [0; 2048];
    match socket.recv_from(&mut answer) {
        Ok((length, from)) => Ok(Some((from, Message::parse(answer.get(..length).unwrap_or_default())?))),
        Err(_) => Ok(None),
    }
}

impl Message {
    pub fn parse(packet: &[u8]) -> Result<Self> {
        let part = |from: usize, length: usize| {
            packet.get(from..from + length).ok_or_else(|| anyhow!("{} bytes are no message", packet.len()))
        };
        let address = |from: usize| -> Result<Ipv4Addr> { Ok(<[u8; 4]>::try_from(part(from, 4)?)?.into()) };
        ensure!(part(236, 4)? == COOKIE, "no cookie");
        let mut options: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        let mut rest = &packet[240..];
        while let [code, after @ ..] = rest {
            match (*code, after) {
                (0, after) => rest = after,
                (255, _) => break,
                (code, [length, after @ ..]) if after.len() >= usize::from(*length) => {
                    let (value, after) = after.split_at(usize::from(*length));
                    options.entry(code).or_default().extend(value);
                    rest = after;
                }
                _ => return Err(anyhow!("option {code} is cut short")),
            }
        }
        let file = part(108, 128)?.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Self {
            kind: options.get(&53).and_then(|kind| kind.first()).copied().unwrap_or_default(),
            xid: u32::from_be_bytes(part(4, 4)?.try_into()?),
            ciaddr: address(12)?,
            yiaddr: address(16)?,
            siaddr: address(20)?,
            giaddr: address(24)?,
            file: String::from_utf8_lossy(file).into_owned(),
            options,
        })
    }

    pub fn option(&self, code: u8) -> Result<&[u8]> {
        self.options.get(&code).map(Vec::as_slice).with_context(|| format!("no option {code} in {self:?}"))
    }

    pub fn text(&self, code: u8) -> Result<String> {
        Ok(String::from_utf8_lossy(self.option(code)?).trim_end_matches('\0').to_owned())
    }

    pub fn address(&self, code: u8) -> Result<Ipv4Addr> {
        Ok(<[u8; 4]>::try_from(self.option(code)?)?.into())
    }

    pub fn seconds(&self, code: u8) -> Result<u32> {
        Ok(u32::from_be_bytes(self.option(code)?.try_into()?))
    }
}
