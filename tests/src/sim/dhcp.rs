//! The DHCP client of firmware, of iPXE and of Linux (RFC 2131, RFC 4578), with the options that were seen of each on the wire.
//! Written apart from the server's own codec, so that one mistake is not made twice.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pilotlight_types::Mac;
use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use super::Firmware;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;

/// What iPXE of 2019 says of itself in option 175: version 1.0.0, and what it can do (0x13 is HTTP).
const IPXE: &[u8] = &[
    0xb1, 5, 1, 0x1a, 0xf4, 0x10, 0, 0xeb, 3, 1, 0, 0, 0x17, 1, 1, 0x22, 1, 1, 0x13, 1, 1, 0x11, 1, 1, 0x12,
    1, 1, 0x19, 1, 1, 0x10, 1, 2,
];

/// Which program of a machine asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The firmware's PXE.
    Firmware,
    /// iPXE.
    Ipxe,
    /// The initramfs.
    Linux,
}

impl Program {
    /// How long it waits for an answer, time after time, before it gives up.
    fn waits(self) -> impl Iterator<Item = Duration> {
        let seconds: &[u64] = match self {
            // PXE 2.1 section 2.2.6.
            Self::Firmware => &[4, 8, 16, 32],
            Self::Ipxe => &[1, 2, 4, 8, 10],
            Self::Linux => &[2; 30],
        };
        seconds.iter().map(|seconds| Duration::from_secs(*seconds))
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// The interface.
    pub mac: Mac,
    /// The machine.
    pub uuid: Uuid,
    /// What it is run by.
    pub firmware: Firmware,
}

/// What was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The client's address.
    pub address: Ipv4Addr,
    /// Where boot programs are (`siaddr`).
    pub next_server: Ipv4Addr,
    /// A file's name, or a URL.
    pub file: String,
}

/// A network that machines share, up to its DHCP server: one socket serves them all, as one cable would.
#[derive(Debug)]
pub struct Segment {
    socket: Arc<UdpSocket>,
    server: SocketAddrV4,
    relay: Ipv4Addr,
    waiting: Waiting,
    _receiver: JoinSet<()>,
}

type Waiting = Arc<Mutex<HashMap<u32, mpsc::Sender<Reply>>>>;

impl Segment {
    /// The server's own network: answers come as broadcasts, to the port after the server's.
    pub fn local(server: SocketAddrV4) -> Result<Self> {
        let port = server.port().checked_add(1).context("the client's port is the next one")?;
        Self::open(server, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port), Ipv4Addr::UNSPECIFIED)
    }

    /// A network behind the relay agent `relay`, an address of this host: answers come there, to the server's port. The server must
    /// not be on this host, for it would hold that port itself.
    pub fn relayed(server: SocketAddrV4, relay: Ipv4Addr) -> Result<Self> {
        Self::open(server, SocketAddrV4::new(relay, server.port()), relay)
    }

    fn open(server: SocketAddrV4, listen: SocketAddrV4, relay: Ipv4Addr) -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // A hall of machines is answered in one burst.
        socket.set_recv_buffer_size(4 << 20)?;
        socket.bind(&listen.into()).with_context(|| format!("UDP {listen} for DHCP answers"))?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let waiting = Waiting::default();
        let mut receiver = JoinSet::new();
        receiver.spawn(receive(Arc::clone(&socket), Arc::clone(&waiting)));
        Ok(Self { socket, server, relay, waiting, _receiver: receiver })
    }

    /// Gets an address, as this program of the machine does. Fails when it gives up.
    pub async fn lease(&self, client: &Client, program: Program) -> Result<Lease> {
        let xid = rand::random();
        let mut inbox = Inbox::open(&self.waiting, xid);
        let mut packet = self.packet(client, program, xid);
        let offer = self.ask(&mut inbox, &mut packet.clone(), program, (DISCOVER, &[]), &[OFFER]).await?;
        let address = offer.address.octets();
        let server = offer.server_id.context("the offer has no server identifier (option 54)")?.octets();
        let asked: [(u8, &[u8]); 2] = [(50, &address), (54, &server)];
        let answer = self.ask(&mut inbox, &mut packet, program, (REQUEST, &asked), &[ACK, NAK]).await?;
        if answer.kind == NAK {
            bail!("{} was offered {} and then refused it", client.mac, offer.address);
        }
        Ok(Lease { address: answer.address, next_server: answer.next_server, file: answer.file })
    }

    async fn ask(
        &self,
        inbox: &mut Inbox,
        packet: &mut Vec<u8>,
        program: Program,
        (kind, options): (u8, &[(u8, &[u8])]),
        wanted: &[u8],
    ) -> Result<Reply> {
        // Behind the cookie: some servers look for the kind first of all.
        let rest = packet.split_off(240);
        option(packet, 53, &[kind]);
        packet.extend(rest);
        for (code, data) in options {
            option(packet, *code, data);
        }
        packet.push(255);
        for wait in program.waits() {
            self.socket.send_to(packet, self.server).await.context("a DHCP packet cannot be sent")?;
            // Within a tenth of it, so that a hall does not ask in step.
            let wait = wait.mul_f64(0.95 + 0.1 * rand::random::<f64>());
            let answer = timeout(wait, async {
                loop {
                    match inbox.replies.recv().await {
                        Some(reply) if wanted.contains(&reply.kind) => return Some(reply),
                        Some(_) => {}
                        None => return None,
                    }
                }
            });
            if let Ok(answer) = answer.await {
                return answer.context("the network is gone");
            }
        }
        bail!("no answer to DHCP from {}", self.server)
    }

    fn packet(&self, client: &Client, program: Program, xid: u32) -> Vec<u8> {
        let (arch, class, undi): (u16, _, [u8; 3]) = match client.firmware {
            Firmware::Bios => (0, "PXEClient:Arch:00000:UNDI:002001", [1, 2, 1]),
            Firmware::Uefi => (7, "PXEClient:Arch:00007:UNDI:003000", [1, 3, 0]),
        };
        let broadcast = client.firmware == Firmware::Uefi && program == Program::Firmware;
        let mut packet = vec![1, 1, 6, u8::from(!self.relay.is_unspecified())];
        packet.extend(xid.to_be_bytes());
        packet.extend([0, 0, if broadcast { 0x80 } else { 0 }, 0]);
        packet.extend([0; 12]);
        packet.extend(self.relay.octets());
        packet.extend(client.mac.bytes());
        packet.resize(236, 0);
        packet.extend(COOKIE);
        option(&mut packet, 57, &0x05c0_u16.to_be_bytes());
        match program {
            Program::Firmware | Program::Ipxe => {
                option(
                    &mut packet,
                    55,
                    &[1, 2, 3, 5, 6, 11, 12, 13, 15, 16, 17, 18, 43, 54, 60, 66, 67, 128, 175],
                );
                option(&mut packet, 60, class.as_bytes());
                option(&mut packet, 93, &arch.to_be_bytes());
                option(&mut packet, 94, &undi);
                // Type 0, then the UUID as SMBIOS has it: the first three fields little-endian.
                let mut id = vec![0];
                id.extend(client.uuid.to_bytes_le());
                option(&mut packet, 97, &id);
            }
            Program::Linux => option(&mut packet, 55, &[1, 3, 6, 12, 15, 28, 42]),
        }
        if program == Program::Ipxe {
            option(&mut packet, 77, b"iPXE");
            option(&mut packet, 175, IPXE);
        }
        // PXE ROMs and OVMF send none: the same machine is known by two client ids, and keeps its address.
        if program != Program::Firmware {
            let mut id = vec![1];
            id.extend(client.mac.bytes());
            option(&mut packet, 61, &id);
        }
        packet
    }
}

fn option(packet: &mut Vec<u8>, code: u8, data: &[u8]) {
    let len = u8::try_from(data.len()).unwrap_or(u8::MAX);
    packet.extend([code, len]);
    packet.extend(data.iter().take(len.into()));
}

/// The answers to one transaction, as long as somebody waits for them.
struct Inbox {
    xid: u32,
    waiting: Waiting,
    replies: mpsc::Receiver<Reply>,
}

impl Inbox {
    fn open(waiting: &Waiting, xid: u32) -> Self {
        let (sender, replies) = mpsc::channel(8);
        waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(xid, sender);
        Self { xid, waiting: Arc::clone(waiting), replies }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.xid);
    }
}

async fn receive(socket: Arc<UdpSocket>, waiting: Waiting) {
    let mut buffer = [0; 2048];
    loop {
        match socket.recv(&mut buffer).await {
            Ok(len) => {
                let Some(reply) = buffer.get(..len).and_then(Reply::parse) else { continue };
                let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(inbox) = waiting.get(&reply.xid) {
                    // One who does not look loses packets, as a network card does.
                    let _ = inbox.try_send(reply);
                }
            }
            Err(error) => {
                tracing::warn!("DHCP answers cannot be received: {error}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

#[derive(Debug)]
struct Reply {
    xid: u32,
    kind: u8,
    address: Ipv4Addr,
    next_server: Ipv4Addr,
    server_id: Option<Ipv4Addr>,
    file: String,
}

impl Reply {
    fn parse(packet: &[u8]) -> Option<Self> {
        let four = |at: usize| packet.get(at..at + 4).and_then(|four| <[u8; 4]>::try_from(four).ok());
        if packet.first() != Some(&2) || four(236)? != COOKIE {
            return None;
        }
        let mut reply = Self {
            xid: u32::from_be_bytes(four(4)?),
            kind: 0,
            address: four(16)?.into(),
            next_server: four(20)?.into(),
            server_id: None,
            file: text(packet.get(108..236)?),
        };
        let mut rest = packet.get(240..)?;
        while let [code, tail @ ..] = rest {
            match code {
                0 => {
                    rest = tail;
                    continue;
                }
                255 => break,
                _ => {}
            }
            let (len, tail) = tail.split_first()?;
            let (data, tail) = tail.split_at_checked((*len).into())?;
            match (code, data) {
                (53, [kind]) => reply.kind = *kind,
                (54, data) => reply.server_id = <[u8; 4]>::try_from(data).ok().map(Ipv4Addr::from),
                (67, data) => reply.file = text(data),
                _ => {}
            }
            rest = tail;
        }
        Some(reply)
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}
