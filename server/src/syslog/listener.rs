//! The two sockets, UDP and TCP on the same address and port.
use super::{Receiver, frames::Frames};
use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A hall that boots says much in one moment.
const RECEIVE_BUFFER: usize = 4 << 20;
/// The longest datagram that is read; RFC 5424 section 6.1 asks for 2048.
const LONGEST: usize = 8192;
/// How many streams at once.
const STREAMS: usize = 4096;
/// How long a stream may be silent.
const SILENCE: Duration = Duration::from_secs(3600);
/// After an error of a socket itself.
const PAUSE: Duration = Duration::from_millis(200);

/// Why syslog cannot be received.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else does.
    #[error(
        "syslog.listen {0}: another program listens there (see `ss -lntup`; rsyslog?); stop it, or choose another port"
    )]
    InUse(SocketAddr),
    /// Ports below 1024 are for root.
    #[error("syslog.listen {0}: no permission; run with CAP_NET_BIND_SERVICE, or choose a port above 1023")]
    Permission(SocketAddr),
    /// Anything else.
    #[error("syslog.listen {address}: cannot listen")]
    Other {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ListenError {
    fn of(address: SocketAddr) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::PermissionDenied => Self::Permission(address),
            _ => Self::Other { address, source },
        }
    }
}

/// Both sockets, bound.
pub struct Listener {
    udp: UdpSocket,
    tcp: TcpListener,
    address: SocketAddr,
    receiver: Arc<Receiver>,
}

impl Listener {
    /// Takes the port, for UDP and for TCP. Needs a tokio runtime.
    pub fn bind(address: SocketAddr, receiver: Receiver) -> Result<Self, ListenError> {
        let failed = ListenError::of(address);
        let (udp, tcp) = open(address).map_err(&failed)?;
        let address = udp.local_addr().map_err(&failed)?;
        Ok(Self { udp, tcp, address, receiver: Arc::new(receiver) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes lines until it is stopped.
    pub async fn run(self, stop: CancellationToken, tasks: TaskTracker) {
        let streams = Arc::new(Semaphore::new(STREAMS));
        let mut buffer = vec![0; LONGEST];
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                received = self.udp.recv_from(&mut buffer) => match received {
                    Ok((size, from)) => {
                        self.receiver.take(from.ip(), buffer.get(..size).unwrap_or_default());
                    }
                    Err(error) => self.failed(&error).await,
                },
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, from)) => {
                        // One too many is closed at once: it may try again.
                        let Ok(permit) = streams.clone().try_acquire_owned() else { continue };
                        let (receiver, stop) = (self.receiver.clone(), stop.clone());
                        tasks.spawn(async move {
                            stop.run_until_cancelled(read(stream, from.ip(), &receiver)).await;
                            drop(permit);
                        });
                    }
                    Err(error) => self.failed(&error).await,
                },
            }
        }
    }

    async fn failed(&self, error: &io::Error) {
        tracing::warn!(error = error as &dyn Error, "cannot receive syslog on {}", self.address);
        time::sleep(PAUSE).await;
    }
}

async fn read(mut stream: TcpStream, from: IpAddr, receiver: &Receiver) {
    let mut frames = Frames::default();
    let mut buffer = vec![0; LONGEST];
    while let Ok(Ok(size)) = time::timeout(SILENCE, stream.read(&mut buffer)).await {
        if size == 0 {
            break;
        }
        for frame in frames.take(buffer.get(..size).unwrap_or_default()) {
            receiver.take(from, &frame);
        }
    }
    if let Some(rest) = frames.rest() {
        receiver.take(from, &rest);
    }
}

fn open(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    use socket2::{Domain, Socket, Type};
    let domain = Domain::for_address(address);
    let udp = Socket::new(domain, Type::DGRAM, None)?;
    // The kernel gives what net.core.rmem_max allows.
    udp.set_recv_buffer_size(RECEIVE_BUFFER)?;
    udp.bind(&address.into())?;
    udp.set_nonblocking(true)?;
    // Port 0 takes any that is free, and TCP the same one.
    let bound = udp.local_addr()?.as_socket().unwrap_or(address);
    let tcp = Socket::new(domain, Type::STREAM, None)?;
    // Connections that ended lately do not keep the port.
    tcp.set_reuse_address(true)?;
    tcp.bind(&bound.into())?;
    tcp.listen(128)?;
    tcp.set_nonblocking(true)?;
    Ok((UdpSocket::from_std(udp.into())?, TcpListener::from_std(tcp.into())?))
}
