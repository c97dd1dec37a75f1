//! The loop between a socket and whoever decides: bytes in, one recorded outcome for each packet, bytes out.
use super::{
    socket::{Datagram, Socket},
    wire::{self, CLIENT_PORT, Question, Reply, SERVER_PORT},
};
use crate::{
    domain::duid::Duid,
    interface,
    reception::{Mute, Reception},
};
use std::{
    error::Error,
    future::Future,
    io,
    net::{Ipv6Addr, SocketAddrV6},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Semaphore, time};
use tokio_util::task::TaskTracker;

/// How many packets are being answered at once.
const IN_FLIGHT: usize = 4096;
/// How long an answer may take: clients ask again after a second, and firmware after four.
const DEADLINE: Duration = Duration::from_secs(4);

/// How a packet came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The addresses of the interface that reach beyond its link.
    pub ours: Arc<[Ipv6Addr]>,
    /// The address that it was sent to: a group, or ours.
    pub to: Ipv6Addr,
    /// From whom: a client's link-local address, or a relay.
    pub from: SocketAddrV6,
}

/// What came of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Advertise was sent.
    Advertised,
    /// Reply was sent.
    Replied,
    /// Either was sent, and said that there is no address.
    NoAddress,
    /// An address came back.
    Released,
    /// A client found its address in use.
    Declined,
    /// No answer, for this reason.
    Silent(&'static str),
    /// No DHCPv6 message for a server.
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
            Self::Advertised => "advertised",
            Self::Replied => "replied",
            Self::NoAddress => "no_address",
            Self::Released => "released",
            Self::Declined => "declined",
            Self::Silent(_) => "silent",
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
}

/// Whoever decides.
pub trait Handler: Send + Sync + 'static {
    /// Finds the answer. Is carried out to its end, so that what is written down by it is known in memory too; what takes too long is not
    /// sent any more.
    fn handle(&self, question: &Question, arrival: &Arrival) -> impl Future<Output = Answered> + Send;

    /// What we call ourselves.
    fn duid(&self) -> &Duid;

    /// Called exactly once for each packet.
    fn count(&self, outcome: Outcome);
}

/// A socket and its decider.
pub struct Listener<H> {
    socket: Arc<Socket>,
    handler: Arc<H>,
    ours: Arc<[Ipv6Addr]>,
    in_flight: Arc<Semaphore>,
    mute: Arc<Mute>,
}

impl<H: Handler> Listener<H> {
    /// Nothing runs yet.
    pub fn new(socket: Socket, handler: Arc<H>) -> Self {
        let ours = ours(&socket);
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
        Self { socket: Arc::new(socket), handler, ours, in_flight, mute: Arc::default() }
    }
}

impl<H: Handler> Reception for Listener<H> {
    type Datagram = Datagram;

    fn what(&self) -> String {
        format!("DHCPv6 packets on {}", self.socket.interface())
    }

    async fn receive(&self) -> io::Result<Datagram> {
        self.socket.recv().await
    }

    /// The interface's addresses are looked at again, too.
    fn renew(&mut self) {
        // While the interface is away this fails, quietly.
        if self.socket.is_stale()
            && let Ok(socket) = Socket::bind(self.socket.interface())
        {
            tracing::info!("{} was made anew: serving DHCPv6 on it again", socket.interface());
            self.socket = Arc::new(socket);
        }
        self.ours = ours(&self.socket);
    }

    fn take(&self, datagram: Datagram, tasks: &TaskTracker) {
        let question = match wire::parse(&datagram.bytes) {
            Ok(question) => question,
            Err(error) => {
                let from = datagram.from;
                tracing::debug!(error = &error as &dyn Error, "a packet from {from} is no DHCPv6 question");
                return self.handler.count(Outcome::Malformed);
            }
        };
        let Ok(permit) = self.in_flight.clone().try_acquire_owned() else {
            return self.handler.count(Outcome::Overloaded);
        };
        let arrival = Arrival { ours: self.ours.clone(), to: datagram.to, from: datagram.from };
        let (socket, handler, mute) = (self.socket.clone(), self.handler.clone(), self.mute.clone());
        tasks.spawn(async move {
            let mut handled = pin!(handler.handle(&question, &arrival));
            match time::timeout(DEADLINE, handled.as_mut()).await {
                Ok(answered) => {
                    let bytes = |reply| wire::encode(&question, handler.duid(), &reply);
                    let sent = send(answered, bytes, &socket, &mute, &question, &arrival).await;
                    handler.count(sent);
                }
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
    encode: impl FnOnce(Reply) -> Vec<u8>,
    socket: &Socket,
    mute: &Mute,
    question: &Question,
    arrival: &Arrival,
) -> Outcome {
    let Some(reply) = reply else { return outcome };
    let bytes = encode(reply);
    // What was sent to our own address is answered from there; a group is nobody's address.
    let source = if arrival.to.is_multicast() { Ipv6Addr::UNSPECIFIED } else { arrival.to };
    let done = socket.send(&bytes, destination(question, arrival.from), source).await;
    let what = || format!("a DHCPv6 answer on {}", socket.interface());
    if mute.was_sent(done, what) { outcome } else { Outcome::Failed }
}

/// Where the answer goes: to the client's port, to the relay's, or to the one that a relay says it has of its own (RFC 8357).
pub(super) fn destination(question: &Question, from: SocketAddrV6) -> SocketAddrV6 {
    let port = match question.relays.first() {
        None => CLIENT_PORT,
        Some(relay) if relay.has_own_port() => from.port(),
        Some(_) => SERVER_PORT,
    };
    SocketAddrV6::new(*from.ip(), port, 0, from.scope_id())
}

/// The interface's addresses; none, while the kernel does not say.
fn ours(socket: &Socket) -> Arc<[Ipv6Addr]> {
    interface::addresses6(socket.interface()).unwrap_or_default().into()
}
