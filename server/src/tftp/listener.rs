//! The TFTP port: one socket that takes requests, and for each transfer a connected socket of its own, bound
//! to the very address that the client asked (IP_PKTINFO): firmware drops answers from another one. What to
//! send is the affair of `transfer`, and sending it of `engine`; who is served at all, of `desk`.
use super::{
    codec::{self, ReadRequest},
    desk::{self, Admitted, Desk, Refused, Running},
    engine::{Ended, Engine, Job},
    socket,
    transfer::{End, LARGEST_BLOCK, Limits, Transfer},
};
use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{io::Interest, net::UdpSocket, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod outcome;
#[cfg(test)]
mod tests;

pub use outcome::{File, FileError, Files, ListenError, Outcome, Refusal, Report};

/// After an error of the socket itself.
const PAUSE: Duration = Duration::from_millis(100);

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// For each transfer.
    pub limits: Limits,
    /// How many at once.
    pub transfers: usize,
    /// How many at once from one address: one machine has a few, behind a NAT are more.
    pub transfers_each: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = Limits { block_size: LARGEST_BLOCK, ..Limits::default() };
        Self { limits, transfers: 4096, transfers_each: 64 }
    }
}

/// A bound port.
pub struct Listener<F> {
    socket: UdpSocket,
    listen: SocketAddr,
    settings: Settings,
    shared: Arc<Shared<F>>,
}

struct Shared<F> {
    files: F,
    desk: Mutex<Desk>,
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
    pub fn bind(listen: SocketAddr, files: F, settings: Settings) -> Result<Self, ListenError> {
        let failed = |error| ListenError::new(listen, error);
        let socket = socket::open(listen).map_err(failed)?;
        let listen = socket.local_addr().map_err(failed)?;
        let desk = Mutex::new(Desk::new(settings.transfers, settings.transfers_each));
        let shared = Shared { files, desk };
        Ok(Self { socket, listen, settings, shared: Arc::new(shared) })
    }

    /// Where it listens: the port that was found, if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Serves until it is stopped; transfers that run then have a few seconds to finish, as tasks of the
    /// tracker. Ends early, and says so, when there are no threads to be had.
    pub async fn run(self, stop: CancellationToken, tasks: TaskTracker) {
        let engine = match Engine::start(&tasks) {
            Ok(engine) => engine,
            Err(error) => {
                return tracing::error!(error = &error as &dyn Error, "no threads for TFTP transfers");
            }
        };
        let mut buffer = vec![0; 2048];
        let mut last_error = None;
        while let Some(received) = stop.run_until_cancelled(self.receive(&mut buffer)).await {
            match received {
                Ok((len, peer, local)) => {
                    last_error = None;
                    let packet = buffer.get(..len).unwrap_or_default();
                    self.take(packet, peer, local, &engine);
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
    async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, IpAddr)> {
        let read = || socket::receive(&self.socket, buffer);
        let (size, peer, local) = self.socket.async_io(Interest::READABLE, read).await?;
        Ok((size, peer, local.unwrap_or(self.listen.ip())))
    }

    fn take(&self, packet: &[u8], peer: SocketAddr, local: IpAddr, engine: &Engine) {
        let mut asked = Asked { peer, local, name: String::new(), started: Instant::now() };
        let files = &self.shared.files;
        let request = match desk::request(packet) {
            Ok(request) => request,
            Err(refused) => return self.refuse(asked, refused),
        };
        let name = codec::clean_name(&request.name);
        asked.name = name.clone().unwrap_or_else(|| request.name.clone());
        let admitted = self.shared.lock().admit(packet, peer, asked.started);
        let Admitted { running, replaces } = match admitted {
            Ok(admitted) => admitted,
            Err(outcome) => {
                if outcome == Outcome::Duplicate {
                    engine.look();
                }
                return files.done(asked.report(outcome));
            }
        };
        if replaces {
            engine.look();
        }
        match name.map(|name| files.open(&name, peer, local)) {
            Some(Ok(file)) => self.begin(asked, &request, file, running, engine),
            Some(Err(why)) => self.refuse(asked, Refused::file(Some(why))),
            None => self.refuse(asked, Refused::file(None)),
        }
    }

    fn refuse(&self, asked: Asked, Refused { say, outcome }: Refused) {
        if let Some((code, message)) = say {
            socket::say(asked.local, asked.peer, code, message);
        }
        self.shared.files.done(asked.report(outcome));
    }

    fn begin(&self, asked: Asked, request: &ReadRequest, file: File, running: Running, engine: &Engine) {
        let socket = match socket::connected(asked.local, asked.peer) {
            Ok(socket) => socket,
            Err(error) => {
                let (peer, local) = (asked.peer, asked.local);
                tracing::warn!(error = &error as &dyn Error, "cannot answer {peer} from {local}");
                return self.shared.files.done(asked.report(Outcome::Failed(error.kind())));
            }
        };
        let limits = self.settings.limits.within(socket::largest_block(&socket), file.caps);
        let (transfer, first) = Transfer::start(request, file.content, limits, Instant::now());
        let (shared, state) = (self.shared.clone(), running.state.clone());
        self.shared.lock().begin(asked.peer, running);
        let ours = state.clone();
        let done = Box::new(move |transfer: &Transfer, ended| {
            shared.lock().forget(asked.peer, &ours);
            let outcome = match ended {
                Ended::Of(End::Sent) => Outcome::Sent,
                Ended::Of(End::AbortedByClient { code, message }) => {
                    Outcome::AbortedByClient { code, message }
                }
                Ended::Of(End::TimedOut) => Outcome::TimedOut,
                Ended::Replaced => Outcome::Replaced,
                Ended::Stopped => Outcome::Stopped,
            };
            let (bytes, resent) = (transfer.acknowledged(), transfer.resent());
            shared.files.done(Report { bytes, resent, ..asked.report(outcome) });
        });
        engine.begin(Job { socket, transfer, first, state, done });
    }
}

impl<F> Shared<F> {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
