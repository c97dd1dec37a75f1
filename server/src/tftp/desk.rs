//! What becomes of a datagram at the TFTP port, before any socket is opened for it: what it asks for, whether it is new, and whether
//! there is room. Pure: what came from whom and when goes in, what to say or to begin comes out.
use super::{
    codec::{self, ErrorCode, Packet, ReadRequest},
    listener::{FileError, Outcome, Refusal},
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Within this time the same request from the same port is the network's copy, not the client's second try.
const COPY: Duration = Duration::from_secs(1);

/// Why a datagram begins no transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What the client is told, if anything.
    pub say: Option<(ErrorCode, &'static str)>,
    /// What is recorded.
    pub outcome: Outcome,
}

impl Refused {
    fn saying(code: ErrorCode, message: &'static str, outcome: Outcome) -> Self {
        Self { say: Some((code, message)), outcome }
    }

    /// The file is not to be had; `None` where what was asked for is no name.
    pub fn file(why: Option<FileError>) -> Self {
        let (code, message, refusal) = match why {
            Some(FileError::NotFound) => (ErrorCode::NotFound, "no such file", Refusal::NotFound),
            Some(FileError::Denied) => (ErrorCode::Denied, "access denied", Refusal::Denied),
            // shim asks for names that are its own memory, and goes on when it is told that there is no such file.
            None => (ErrorCode::NotFound, "no such file", Refusal::BadName),
        };
        Self::saying(code, message, Outcome::Refused(refusal))
    }
}

/// What a datagram at the port asks for.
pub fn request(packet: &[u8]) -> Result<ReadRequest, Refused> {
    let refusal = |refusal| Outcome::Refused(refusal);
    match codec::parse(packet) {
        Ok(Packet::Read(request)) => Ok(request),
        Ok(Packet::Write) => {
            Err(Refused::saying(ErrorCode::Denied, "this server is read only", refusal(Refusal::Write)))
        }
        Err(codec::Malformed::Mode) => {
            Err(Refused::saying(ErrorCode::Illegal, "the mode must be octet", Outcome::Malformed))
        }
        Err(codec::Malformed::Name) => {
            Err(Refused::saying(ErrorCode::NotFound, "no such file", refusal(Refusal::BadName)))
        }
        // Never answered: an error in answer to an error goes round for ever.
        Ok(_) | Err(_) => Err(Refused { say: None, outcome: Outcome::Malformed }),
    }
}

/// What a transfer and the port know of each other.
#[derive(Debug, Default)]
pub struct State {
    /// The client has acknowledged something.
    pub progressed: AtomicBool,
    /// The client has begun anew from the same port; nothing more is to be sent.
    pub replaced: AtomicBool,
    /// The client has sent its request again, since it heard nothing: see [`super::transfer::Transfer::on_request_again`].
    pub asked_again: AtomicBool,
}

/// A transfer, as it is known at the port.
#[derive(Debug, Clone)]
pub struct Running {
    request: Arc<[u8]>,
    started: Instant,
    /// What the transfer and the port know of each other.
    pub state: Arc<State>,
}

/// A request that is to be served.
#[derive(Debug)]
pub struct Admitted {
    /// For [`Desk::begin`].
    pub running: Running,
    /// The client had a transfer from the same port, which ends now.
    pub replaces: bool,
}

/// Who is being served.
#[derive(Debug)]
pub struct Desk {
    most: usize,
    most_each: usize,
    running: HashMap<SocketAddr, Running>,
}

impl Desk {
    /// Nobody; `most` at once there may be, and `most_each` from one address.
    pub fn new(most: usize, most_each: usize) -> Self {
        Self { most, most_each, running: HashMap::new() }
    }

    /// Ends the transfer that this client had from the same port, unless the packet is a copy of the one that began it: its transfer is
    /// told, for what it has sent may be lost. More than are
    /// allowed are not begun, and not refused either: the client asks again.
    pub fn admit(&mut self, packet: &[u8], peer: SocketAddr, now: Instant) -> Result<Admitted, Outcome> {
        let mut replaces = false;
        if let Some(old) = self.running.get(&peer) {
            let unheard = !old.state.progressed.load(Ordering::Relaxed);
            let fresh = unheard || now.saturating_duration_since(old.started) < COPY;
            if *old.request == *packet && fresh {
                old.state.asked_again.store(unheard, Ordering::Relaxed);
                return Err(Outcome::Duplicate);
            }
            old.state.replaced.store(true, Ordering::Relaxed);
            self.running.remove(&peer);
            replaces = true;
        }
        let from_there = || self.running.keys().filter(|other| other.ip() == peer.ip()).count();
        let full = self.running.len() >= self.most
            || self.running.len() >= self.most_each && from_there() >= self.most_each;
        // Who begins anew takes the place that it had.
        if !replaces && full {
            return Err(Outcome::Overloaded);
        }
        let running = Running { request: packet.into(), started: now, state: Arc::default() };
        Ok(Admitted { running, replaces })
    }

    /// The transfer is under way.
    pub fn begin(&mut self, peer: SocketAddr, running: Running) {
        self.running.insert(peer, running);
    }

    /// The transfer that this is the state of is over.
    pub fn forget(&mut self, peer: SocketAddr, state: &Arc<State>) {
        if self.running.get(&peer).is_some_and(|current| Arc::ptr_eq(&current.state, state)) {
            self.running.remove(&peer);
        }
    }

    /// How many are being served.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}
