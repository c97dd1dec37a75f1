//! The boot listener's connections. Firmware reads HTTP to the letter of its vendor's reading: names of headers in title case,
//! keep-alive, nothing in chunks. Whoever is silent, or reads nothing, costs a socket and is cut off after a while; more
//! connections than are allowed wait in the kernel's queue.
use super::{Peer, listen};
use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{io, pin::pin, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

mod direct;
mod patient;
#[cfg(test)]
mod tests;

pub use direct::Outgoing;

use direct::{Crowd, Direct};
use patient::Patient;

/// What a listener bears.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How many connections at once.
    pub connections: usize,
    /// Up to how many connections at once images are copied to; with more the kernel sends them by itself.
    pub copied: usize,
    /// From the beginning of a connection, or the end of an answer, until the next request's head is there.
    pub head: Duration,
    /// How long a client may take nothing of an answer.
    pub stall: Duration,
}

impl Default for Patience {
    /// A hall of thousands of machines, with a connection or two each; iPXE leaves none alone for as long as this.
    fn default() -> Self {
        Self { connections: 16_384, copied: 8, head: Duration::from_secs(60), stall: Duration::from_secs(60) }
    }
}

/// Serves until it is stopped; answers that are under way then are finished as tasks of the tracker.
pub async fn serve(
    socket: TcpListener,
    router: Router,
    patience: Patience,
    stop: CancellationToken,
    tasks: TaskTracker,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(patience.connections));
    // One place more is taken by whoever comes next.
    let free = patience.connections.saturating_sub(patience.copied).saturating_sub(1);
    let crowd = Crowd { places: places.clone(), free };
    loop {
        let accepted = stop.run_until_cancelled(async {
            let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
            Ok((place, listen::accept(&socket).await?))
        });
        match accepted.await {
            None => return Ok(()),
            Some(Err(error)) => listen::failed(&error).await,
            Some(Ok((place, (stream, peer)))) => {
                let (router, stop) = (router.clone(), stop.clone());
                let direct = Direct::new(stream, Outgoing::default(), crowd.clone());
                tasks.spawn(async move {
                    converse(direct, peer, router, patience, stop).await;
                    drop(place);
                });
            }
        }
    }
}

async fn converse(stream: Direct, peer: Peer, router: Router, patience: Patience, stop: CancellationToken) {
    let outgoing = stream.outgoing();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(outgoing.clone());
        router.clone().oneshot(request)
    });
    let mut server = http1::Builder::new();
    // A BMC of 2024 finds `Content-Length` in this case only.
    server.title_case_headers(true).timer(TokioTimer::new()).header_read_timeout(patience.head);
    let io = TokioIo::new(Patient::new(stream, patience.stall));
    let mut connection = pin!(server.serve_connection(io, service));
    let ended = match stop.run_until_cancelled(connection.as_mut()).await {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Machines go away in the middle of everything: their boots say what they had by then.
    if let Err(error) = ended {
        tracing::debug!(client = %peer.remote, error = &error as &dyn std::error::Error, "a connection broke off");
    }
}
