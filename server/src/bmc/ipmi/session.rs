//! One session with one BMC over UDP: opened, asked, closed. Packets are lost, doubled and late: an answer is ours if it is of this
//! session, newer than the last, and to what was asked.
use super::{
    handshake::{Handshake, HandshakeError, Opened},
    keys::Suite,
    wire::{self, Payload, Request, completion},
};
use crate::{bmc::BmcError, clock::random, secret::Secret};
use std::time::Duration;
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};

/// How long one packet is waited for, and how often it is sent.
const WAIT: (Duration, u32) = (Duration::from_millis(1500), 4);
/// What must not be done twice is sent once, and waited for this long.
const WAIT_ONCE: Duration = Duration::from_secs(6);

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    socket: UdpSocket,
    opened: Opened,
    sequence: u32,
    heard: u32,
    number: u8,
}

/// Whether a request may reach the BMC twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It may: the second changes nothing.
    Again,
    /// It may not.
    Once,
}

impl Session {
    /// Opens a session as administrator.
    pub(super) async fn open(
        address: std::net::SocketAddr,
        (user, password): (&str, &Secret<String>),
        suite: Suite,
    ) -> Result<Self, OpenError> {
        let away = |error: std::io::Error| BmcError::Away(error.to_string());
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await.map_err(away)?;
        socket.connect(address).await.map_err(away)?;
        // Not zero, which stands for no session.
        let console = u32::from_le_bytes(random::<4>()) | 1;
        let mut handshake = Handshake::new(suite, user, password, console, random());
        let hello = handshake.open();
        let rakp1 = step(&socket, (Payload::OpenRequest, &hello), Payload::OpenResponse, |body| {
            handshake.opened(body)
        })
        .await?;
        let challenged =
            step(&socket, (Payload::Rakp1, &rakp1), Payload::Rakp2, |body| handshake.challenged(body)).await;
        let rakp3 = match challenged {
            Ok(rakp3) => rakp3,
            Err(error) => {
                // Whether it arrives or not: the BMC forgets us in the end.
                drop(socket.send(&wire::bare(Payload::Rakp3, &handshake.refuse())).await);
                return Err(error);
            }
        };
        let opened =
            step(&socket, (Payload::Rakp3, &rakp3), Payload::Rakp4, |body| handshake.agreed(body)).await?;
        let mut session = Self { socket, opened, sequence: 0, heard: 0, number: 0 };
        // Every session begins as a user's, who may switch nothing.
        let administrator = Request { function: 0x06, command: 0x3b, data: &[4] };
        if let Err(error) = session.ask(administrator, Sent::Again).await {
            session.close().await;
            return Err(match error {
                BmcError::Refused(why) => BmcError::Auth(format!("the user may not be administrator: {why}")),
                other => other,
            }
            .into());
        }
        Ok(session)
    }

    /// Asks for something, and has the data of a good answer.
    pub(super) async fn ask(&mut self, request: Request<'_>, sent: Sent) -> Result<Vec<u8>, BmcError> {
        let (code, data) = self.exchange(request, sent).await?;
        match code {
            0 => Ok(data),
            0xc0 | 0xc3 | 0xc4 | 0xc5 | 0xcf | 0xd2 => Err(BmcError::Busy(completion(code))),
            0xc1 => Err(BmcError::Unsupported(completion(code))),
            _ => Err(BmcError::Refused(completion(code))),
        }
    }

    /// The completion code and the data of the answer.
    pub(super) async fn exchange(
        &mut self,
        request: Request<'_>,
        sent: Sent,
    ) -> Result<(u8, Vec<u8>), BmcError> {
        self.number = (self.number + 1) % 64;
        let message = request.encode(self.number);
        let (wait, tries) = if sent == Sent::Once { (WAIT_ONCE, 1) } else { WAIT };
        let mut trouble = None;
        for _ in 0..tries {
            self.sequence = self.sequence.wrapping_add(1).max(1);
            let Opened { bmc, keys, .. } = &self.opened;
            let packet = wire::sealed(keys, *bmc, self.sequence, random(), &message);
            if let Err(error) = self.socket.send(&packet).await {
                trouble = Some(error.to_string());
            }
            let until = Instant::now() + wait;
            loop {
                match timeout_at(until, self.hear(request)).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(error)) => trouble = Some(error),
                    Err(_) => break,
                }
                // A port where nobody listens says so at once, and would be asked in a tight loop.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let what = format!("command {:#04x}/{:#04x}", request.function, request.command);
        let last = trouble.map(|why| format!("; last: {why}")).unwrap_or_default();
        Err(match sent {
            Sent::Once => BmcError::Uncertain(format!("{what}{last}")),
            // A BMC that forgot the session does not answer: a new one may do.
            Sent::Again => BmcError::Session(format!("{what} was sent {tries} times{last}")),
        })
    }

    /// The next packet, if it is the answer; otherwise why not.
    async fn hear(&mut self, request: Request<'_>) -> Result<(u8, Vec<u8>), String> {
        let mut buffer = [0; wire::LARGEST];
        let length = self.socket.recv(&mut buffer).await.map_err(|error| error.to_string())?;
        let bytes = buffer.get(..length).unwrap_or_default();
        let Opened { keys, console, .. } = &self.opened;
        let (sequence, message) =
            wire::read_sealed(bytes, keys, *console).map_err(|error| error.to_string())?;
        // An answer from before: played again, or late.
        if sequence <= self.heard {
            return Err("an answer came twice".to_owned());
        }
        self.heard = sequence;
        let answer = request.read(self.number, &message).map_err(|error| error.to_string())?;
        answer.ok_or_else(|| "an answer was to something else".to_owned())
    }

    /// Gives the session back. Nobody waits long for one that is gone anyway.
    pub(super) async fn close(mut self) {
        let id = self.opened.bmc.to_le_bytes();
        let close = Request { function: 0x06, command: 0x3c, data: &id };
        if let Err(error) = self.exchange(close, Sent::Again).await {
            tracing::debug!("a BMC's session was not closed: {error}");
        }
    }
}

/// Why no session was opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// The BMC does not know the suite: another may do.
    NoSuite,
    /// Anything else.
    Other(BmcError),
}

impl From<BmcError> for OpenError {
    fn from(error: BmcError) -> Self {
        Self::Other(error)
    }
}

/// Sends a step of the handshake until the answer to it comes.
async fn step<T>(
    socket: &UdpSocket,
    (payload, body): (Payload, &[u8]),
    wanted: Payload,
    mut take: impl FnMut(&[u8]) -> Result<T, HandshakeError>,
) -> Result<T, OpenError> {
    let (wait, tries) = WAIT;
    let packet = wire::bare(payload, body);
    let mut trouble = "nothing came back".to_owned();
    for _ in 0..tries {
        if let Err(error) = socket.send(&packet).await {
            trouble = error.to_string();
        }
        let until = Instant::now() + wait;
        loop {
            let mut buffer = [0; wire::LARGEST];
            let length = match timeout_at(until, socket.recv(&mut buffer)).await {
                Err(_) => break,
                Ok(Ok(length)) => length,
                Ok(Err(error)) => {
                    trouble = error.to_string();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            match wire::read_bare(bytes, wanted).map_err(HandshakeError::from).and_then(&mut take) {
                Ok(done) => return Ok(done),
                Err(HandshakeError::Wire(error)) => trouble = format!("what came back is not taken: {error}"),
                Err(HandshakeError::NoSuite(_)) => return Err(OpenError::NoSuite),
                Err(HandshakeError::Full) => {
                    return Err(BmcError::Busy("all its sessions are in use".to_owned()).into());
                }
                Err(HandshakeError::Denied(why)) => return Err(BmcError::Auth(why).into()),
                Err(HandshakeError::Refused(why)) => return Err(BmcError::Refused(why).into()),
            }
        }
    }
    Err(BmcError::Away(format!("{trouble} ({tries} packets in {} s)", (wait * tries).as_secs())).into())
}
