//! The loop between a socket and whoever decides: bytes in, one recorded outcome for each packet, bytes out.
use super::{
    socket::{Datagram, Socket, Target},
    wire::{self, Reply, ReplyKind, Request},
};
use crate::reception::{Mute, Reception};
use std::{
    error::Error,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Semaphore, time};
use tokio_util::task::TaskTracker;

#[cfg(test)]
mod tests;

/// Which of the two ports this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// 67: DHCP.
    Server,
    /// 4011: the PXE boot server, which answers to the port that asked (PXE 2.1 section 2.4).
    BootServer,
}

/// How a packet came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// On which interface.
    pub interface: Arc<str>,
    /// At which address of ours: the one asked, or for a broadcast the interface's own. Unspecified if it has
    /// none.
    pub local: Ipv4Addr,
    /// From whom: 0.0.0.0, a client, or a relay.
    pub from: SocketAddrV4,
    /// At which port.
    pub role: Role,
}

/// What came of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// DHCPOFFER was sent.
    Offered,
    /// DHCPACK was sent.
    Acked,
    /// DHCPNAK was sent.
    Naked,
    /// An address came back.
    Released,
    /// A client found its address in use.
    Declined,
    /// An INFORM was answered.
    Informed,
    /// No answer, for this reason.
    Silent(&'static str),
    /// No answer, since the subnet is only watched; it would have been this outcome, or silent for this reason.
    Shadow(&'static str),
    /// No DHCP request.
    Malformed,
    /// Too many packets at once.
    Overloaded,
    /// The answer took too long to find.
    TimedOut,
    /// The answer could not be found, or not be sent.
    Failed,
}

impl Outcome {
    /// The word for it in metrics; a silence's reason is its own.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Acked => "acked",
            Self::Naked => "naked",
            Self::Released => "released",
            Self::Declined => "declined",
            Self::Informed => "informed",
            Self::Silent(_) => "silent",
            Self::Shadow(_) => "shadow",
            Self::Malformed => "malformed",
            Self::Overloaded => "overloaded",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
        }
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What to send, if anything.
    pub reply: Option<Reply>,
    /// What to record once it is sent.
    pub outcome: Outcome,
}

impl Answered {
    /// Nothing is sent, for this reason.
    pub fn silent(why: &'static str) -> Self {
        Self { reply: None, outcome: Outcome::Silent(why) }
    }

    /// This is sent, and recorded as what it is.
    pub fn with(reply: Reply) -> Self {
        let outcome = match reply.kind {
            ReplyKind::Offer => Outcome::Offered,
            ReplyKind::Ack => Outcome::Acked,
            ReplyKind::Nak => Outcome::Naked,
        };
        Self { reply: Some(reply), outcome }
    }
}

/// Whoever decides.
pub trait Handler: Send + Sync + 'static {
    /// Finds the answer. Is carried out to its end, so that what is written down by it is known in memory too; what takes longer than
    /// [`Settings::deadline`] is not sent any more.
    fn handle(&self, request: Request, arrival: Arrival) -> impl Future<Output = Answered> + Send;

    /// Called exactly once for each packet.
    fn count(&self, outcome: Outcome);
}

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many packets are being answered at once.
    pub in_flight: usize,
    /// How long an answer may take: firmware asks again after 4 seconds.
    pub deadline: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { in_flight: 4096, deadline: Duration::from_secs(4) }
    }
}

/// A socket and its decider.
pub struct Listener<H> {
    socket: Arc<Socket>,
    role: Role,
    handler: Arc<H>,
    settings: Settings,
    in_flight: Arc<Semaphore>,
    mute: Arc<Mute>,
}

impl<H: Handler> Listener<H> {
    /// Nothing runs yet.
    pub fn new(socket: Socket, role: Role, handler: Arc<H>, settings: Settings) -> Self {
        let in_flight = Arc::new(Semaphore::new(settings.in_flight));
        Self { socket: Arc::new(socket), role, handler, settings, in_flight, mute: Arc::default() }
    }
}

impl<H: Handler> Reception for Listener<H> {
    type Datagram = Datagram;

    fn what(&self) -> String {
        format!("DHCP packets on {}, port {}", self.socket.interface(), self.socket.port())
    }

    async fn receive(&self) -> io::Result<Datagram> {
        self.socket.recv().await
    }

    fn renew(&mut self) {
        if !self.socket.is_stale() {
            return;
        }
        // While the interface is away this fails, quietly: `bind` looks for it first.
        if let Ok(socket) = Socket::bind(self.socket.interface(), self.socket.port(), self.socket.sharing()) {
            tracing::info!("{} was made anew: serving DHCP on it again", socket.interface());
            self.socket = Arc::new(socket);
        }
    }

    fn take(&self, datagram: Datagram, tasks: &TaskTracker) {
        let request = match wire::parse(&datagram.bytes) {
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn Error,
                    "a packet from {} is no DHCP request",
                    datagram.from
                );
                return self.handler.count(Outcome::Malformed);
            }
        };
        let Ok(permit) = self.in_flight.clone().try_acquire_owned() else {
            return self.handler.count(Outcome::Overloaded);
        };
        let arrival = Arrival {
            interface: self.socket.interface().clone(),
            local: datagram.local,
            from: datagram.from,
            role: self.role,
        };
        let (socket, handler, deadline, mute) =
            (self.socket.clone(), self.handler.clone(), self.settings.deadline, self.mute.clone());
        tasks.spawn(async move {
            // The decider takes the request; the answer is written from what the client sent.
            let sent = request.clone();
            let to = (arrival.from, arrival.role, arrival.local);
            let mut handled = pin!(handler.handle(request, arrival));
            match time::timeout(deadline, handled.as_mut()).await {
                Ok(answered) => handler.count(send(answered, &socket, &mute, &sent, to).await),
                Err(_) => {
                    handler.count(Outcome::TimedOut);
                    handled.await;
                }
            }
            drop(permit);
        });
    }
}

/// Sends an answer, if there is one; says what became of it.
async fn send(
    Answered { reply, outcome }: Answered,
    socket: &Socket,
    mute: &Mute,
    sent: &Request,
    (from, role, local): (SocketAddrV4, Role, Ipv4Addr),
) -> Outcome {
    let Some(reply) = reply else { return outcome };
    let target = match role {
        Role::Server => Target::Reply(wire::destination(sent, &reply)),
        Role::BootServer => Target::Peer(from),
    };
    let done = socket.send(&wire::encode(sent, &reply), target, local).await;
    let what = || format!("a DHCP answer on {}", socket.interface());
    if mute.was_sent(done, what) { outcome } else { Outcome::Failed }
}
