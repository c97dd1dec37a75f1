//! The TFTP port: one socket that takes requests, and for each transfer a connected socket of its own, bound
//! to the very address that the client asked (IP_PKTINFO): firmware drops answers from another one. Datagrams
//! in and out; the rules are in `transfer`.
use super::{
    codec::{self, ErrorCode, Packet, ReadRequest},
    transfer::{Action, Content, End, Limits, Transfer},
};
use nix::{
    cmsg_space, libc,
    sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt::Ipv4PacketInfo},
};
use std::{
    collections::HashMap,
    error::Error,
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::AsRawFd as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{io::Interest, net::UdpSocket, sync::Semaphore, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod outcome;
#[cfg(test)]
mod tests;

pub use outcome::{FileError, Files, ListenError, Outcome, Refusal, Report};

/// What transfers get to finish in when the daemon stops.
const GRACE: Duration = Duration::from_secs(10);
/// Within this time the same request from the same port is the network's copy, not the client's second try.
const COPY: Duration = Duration::from_secs(1);
/// After an error of the socket itself.
const PAUSE: Duration = Duration::from_millis(100);
/// Requests wait here while others are read: a hall that powers on sends them all at once.
const RECEIVE_BUFFER: usize = 4 << 20;

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// For each transfer.
    pub limits: Limits,
    /// How many at once.
    pub transfers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { limits: Limits::default(), transfers: 4096 }
    }
}

/// A bound port.
pub struct Listener<F> {
    socket: UdpSocket,
    listen: SocketAddrV4,
    settings: Settings,
    slots: Arc<Semaphore>,
    shared: Arc<Shared<F>>,
}

struct Shared<F> {
    files: F,
    running: Mutex<HashMap<SocketAddr, Running>>,
}

/// What is known of a transfer from outside.
#[derive(Clone)]
struct Running {
    request: Arc<[u8]>,
    started: Instant,
    progressed: Arc<AtomicBool>,
    replaced: CancellationToken,
}

/// A request on its way through.
struct Asked {
    peer: SocketAddr,
    local: IpAddr,
    name: String,
    started: Instant,
}

impl Asked {
    fn report(self, outcome: Outcome) -> Report {
        let Self { peer, local, name, started } = self;
        Report { peer, local, name, bytes: 0, resent: 0, elapsed: started.elapsed(), outcome }
    }
}

impl<F: Files> Listener<F> {
    /// Takes the port. Needs a tokio runtime.
    pub fn bind(listen: SocketAddrV4, files: F, settings: Settings) -> Result<Self, ListenError> {
        let failed = |error| ListenError::new(listen, error);
        let socket = open(listen).map_err(failed)?;
        let listen = match socket.local_addr().map_err(failed)? {
            SocketAddr::V4(listen) => listen,
            SocketAddr::V6(_) => listen,
        };
        let shared = Shared { files, running: Mutex::default() };
        let slots = Arc::new(Semaphore::new(settings.transfers));
        Ok(Self { socket, listen, settings, slots, shared: Arc::new(shared) })
    }

    /// Where it listens: the port that was found, if 0 was asked for.
    pub fn address(&self) -> SocketAddrV4 {
        self.listen
    }

    /// Serves until it is stopped; transfers that run then have a few seconds to finish, as tasks of the
    /// tracker.
    pub async fn run(self, stop: CancellationToken, tasks: TaskTracker) {
        let mut buffer = vec![0; 2048];
        let mut last_error = None;
        while let Some(received) = stop.run_until_cancelled(self.receive(&mut buffer)).await {
            match received {
                Ok((len, peer, local)) => {
                    last_error = None;
                    let packet = buffer.get(..len).unwrap_or_default();
                    self.take(packet, peer.into(), local.into(), &stop, &tasks);
                }
                Err(error) => {
                    if last_error.replace(error.kind()) != Some(error.kind()) {
                        tracing::warn!(
                            error = &error as &dyn Error,
                            "cannot receive TFTP requests on {}",
                            self.listen
                        );
                    }
                    time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// A datagram's length, its sender, and the address of ours that it was sent to.
    async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddrV4, Ipv4Addr)> {
        let read = || {
            let mut control = cmsg_space!(libc::in_pktinfo);
            let mut parts = [IoSliceMut::new(buffer)];
            let fd = self.socket.as_raw_fd();
            let got = recvmsg::<SockaddrIn>(fd, &mut parts, Some(&mut control), MsgFlags::empty())?;
            let peer = got.address.map(SocketAddrV4::from).ok_or(io::ErrorKind::InvalidData)?;
            let local = got.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    Some(Ipv4Addr::from_bits(u32::from_be(info.ipi_spec_dst.s_addr)))
                }
                _ => None,
            });
            Ok((got.bytes, peer, local.unwrap_or(*self.listen.ip())))
        };
        self.socket.async_io(Interest::READABLE, read).await
    }

    fn take(
        &self,
        packet: &[u8],
        peer: SocketAddr,
        local: IpAddr,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) {
        let mut asked = Asked { peer, local, name: String::new(), started: Instant::now() };
        let files = &self.shared.files;
        let request = match codec::parse(packet) {
            Ok(Packet::Read(request)) => request,
            Ok(Packet::Write) => {
                say(&asked, ErrorCode::Denied, "this server is read only");
                return files.done(asked.report(Outcome::Refused(Refusal::Write)));
            }
            Err(codec::Malformed::Mode) => {
                say(&asked, ErrorCode::Illegal, "the mode must be octet");
                return files.done(asked.report(Outcome::Malformed));
            }
            // Never answered: an error in answer to an error goes round for ever.
            Ok(_) | Err(_) => return files.done(asked.report(Outcome::Malformed)),
        };
        let name = codec::clean_name(&request.name);
        asked.name = name.clone().unwrap_or_else(|| request.name.clone());
        let Some(running) = self.admit(packet, &asked) else {
            return files.done(asked.report(Outcome::Duplicate));
        };
        let opened = match name.map(|name| files.open(&name, peer, local)) {
            Some(Ok(content)) => Ok(content),
            Some(Err(FileError::NotFound)) => Err((ErrorCode::NotFound, "no such file", Refusal::NotFound)),
            Some(Err(FileError::Denied)) => Err((ErrorCode::Denied, "access denied", Refusal::Denied)),
            None => Err((ErrorCode::Denied, "that is no name of a file here", Refusal::BadName)),
        };
        let content = match opened {
            Ok(content) => content,
            Err((code, message, refusal)) => {
                say(&asked, code, message);
                return files.done(asked.report(Outcome::Refused(refusal)));
            }
        };
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            return files.done(asked.report(Outcome::Overloaded));
        };
        self.shared.lock().insert(peer, running.clone());
        let (shared, stop, limits) = (self.shared.clone(), stop.clone(), self.settings.limits);
        tasks.spawn(async move {
            let report = serve(asked, &request, content, limits, &running, &stop).await;
            shared.forget(peer, &running);
            shared.files.done(report);
            drop(slot);
        });
    }

    /// Ends the transfer that this client had from the same port, unless the packet is a copy of the one that
    /// began it.
    fn admit(&self, packet: &[u8], asked: &Asked) -> Option<Running> {
        let mut running = self.shared.lock();
        if let Some(old) = running.get(&asked.peer) {
            let fresh = !old.progressed.load(Ordering::Relaxed) || old.started.elapsed() < COPY;
            if *old.request == *packet && fresh {
                return None;
            }
            old.replaced.cancel();
            running.remove(&asked.peer);
        }
        Some(Running {
            request: packet.into(),
            started: asked.started,
            progressed: Arc::default(),
            replaced: CancellationToken::new(),
        })
    }
}

impl<F> Shared<F> {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, peer: SocketAddr, which: &Running) {
        let mut running = self.lock();
        if running.get(&peer).is_some_and(|current| Arc::ptr_eq(&current.progressed, &which.progressed)) {
            running.remove(&peer);
        }
    }
}

fn open(listen: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.bind(&listen.into())?;
    setsockopt(&socket, Ipv4PacketInfo, &true)?;
    // The kernel gives what net.core.rmem_max allows.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// A socket from an unused port of that address of ours, to that client only.
fn connected(local: IpAddr, peer: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind((local, 0))?;
    socket.connect(peer)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Tells the client an error. It may get lost: the client then asks again.
fn say(asked: &Asked, code: ErrorCode, message: &str) {
    let sent = connected(asked.local, asked.peer)
        .and_then(|socket| socket.send(&codec::encode_error(code, message)));
    if let Err(error) = sent {
        tracing::debug!(
            error = &error as &dyn Error,
            "cannot tell {} that its request was refused",
            asked.peer
        );
    }
}

async fn serve(
    asked: Asked,
    request: &ReadRequest,
    content: Content,
    limits: Limits,
    running: &Running,
    stop: &CancellationToken,
) -> Report {
    let socket = match connected(asked.local, asked.peer).and_then(UdpSocket::from_std) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::warn!(error = &error as &dyn Error, "cannot answer {} from {}", asked.peer, asked.local);
            return asked.report(Outcome::Failed(error.kind()));
        }
    };
    let (mut transfer, first) = Transfer::start(request, content, limits, asked.started);
    let grace = async {
        stop.cancelled().await;
        time::sleep(GRACE).await;
    };
    let outcome = tokio::select! {
        end = drive(&socket, &mut transfer, first, &running.progressed) => match end {
            End::Sent => Outcome::Sent,
            End::AbortedByClient { code, message } => Outcome::AbortedByClient { code, message },
            End::TimedOut => Outcome::TimedOut,
        },
        () = running.replaced.cancelled() => Outcome::Replaced,
        () = grace => Outcome::Stopped,
    };
    Report { bytes: transfer.acknowledged(), resent: transfer.resent(), ..asked.report(outcome) }
}

/// Moves datagrams until the transfer ends.
async fn drive(socket: &UdpSocket, transfer: &mut Transfer, first: Action, progressed: &AtomicBool) -> End {
    let (mut packet, mut buffer) = (Vec::with_capacity(1500), vec![0; 2048]);
    let mut action = first;
    loop {
        match action {
            Action::End(end) => return end,
            Action::Wait => {}
            Action::Send(range) => {
                for number in range {
                    transfer.packet(number, &mut packet);
                    // What cannot be sent is lost like what is lost on the wire: the transfer's timer sees to
                    // it.
                    if let Err(error) = socket.send(&packet).await {
                        tracing::trace!(error = &error as &dyn Error, "a TFTP packet was not sent");
                        break;
                    }
                }
            }
        }
        action = match time::timeout_at(transfer.deadline().into(), socket.recv(&mut buffer)).await {
            Ok(Ok(len)) => transfer.on_packet(buffer.get(..len).unwrap_or_default(), Instant::now()),
            // ICMP: the client closed its port without a word.
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Action::End(End::AbortedByClient { code: 0, message: "its port is closed".to_owned() })
            }
            Ok(Err(_)) => {
                time::sleep(PAUSE).await;
                transfer.on_timeout(Instant::now())
            }
            Err(_) => transfer.on_timeout(Instant::now()),
        };
        progressed.store(transfer.has_progressed(), Ordering::Relaxed);
    }
}
