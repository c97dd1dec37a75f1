//! The TCP port with TLS, and how connections are accepted.
use super::Peer;
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use rustls::ServerConfig;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many handshakes may go on at once.
const HANDSHAKES: usize = 1024;

/// After an error of the socket itself, such as no file descriptor being free.
const PAUSE: Duration = Duration::from_millis(100);

/// A port with TLS. Handshakes go on beside each other: one that stands still holds nobody up.
#[derive(Debug)]
pub struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, Peer)>,
    local: SocketAddr,
}

impl TlsListener {
    /// Accepts connections of this socket until it is stopped, in tasks of the tracker.
    pub fn spawn(
        socket: TcpListener,
        config: Arc<ServerConfig>,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> io::Result<Self> {
        let local = socket.local_addr()?;
        let (connections, ready) = mpsc::channel(HANDSHAKES);
        let acceptor = TlsAcceptor::from(config);
        let places = Arc::new(Semaphore::new(HANDSHAKES));
        let inner = tasks.clone();
        tasks.spawn(async move {
            while let Some(accepted) = stop.run_until_cancelled(accept(&socket)).await {
                let (stream, peer) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        failed(&error).await;
                        continue;
                    }
                };
                let Ok(place) = places.clone().acquire_owned().await else { return };
                let (acceptor, connections) = (acceptor.clone(), connections.clone());
                inner.spawn(async move {
                    match time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        // A full queue is waited for; a closed one means that the daemon stops.
                        Ok(Ok(stream)) => drop(connections.send((stream, peer)).await),
                        Ok(Err(error)) => {
                            tracing::info!(client = %peer.remote, "a TLS handshake failed: {error}")
                        }
                        Err(_) => tracing::info!(client = %peer.remote, "a TLS handshake took too long"),
                    }
                    drop(place);
                });
            }
        });
        Ok(Self { ready, local })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = Peer;

    async fn accept(&mut self) -> (TlsStream<TcpStream>, Peer) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // Nobody accepts any more: the server is told to stop by its own token.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(ours(self.local))
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        *stream.remote_addr()
    }
}

pub(super) async fn accept(socket: &TcpListener) -> io::Result<(TcpStream, Peer)> {
    let (stream, remote) = socket.accept().await?;
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    Ok((stream, Peer { remote: canonical(remote), local: canonical(local) }))
}

pub(super) async fn failed(error: &io::Error) {
    tracing::warn!("a connection was not accepted: {error}");
    time::sleep(PAUSE).await;
}

/// A socket of both families writes addresses of IPv4 as such of IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

const fn ours(local: SocketAddr) -> Peer {
    Peer { remote: local, local }
}
