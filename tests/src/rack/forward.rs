//! A TCP port of the host's loopback that leads into a network namespace, without any interface between the two: a thread
//! enters the namespace and connects from there.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use super::namespace::{enter, exists};

const CONNECT: Duration = Duration::from_secs(10);

/// A port that is forwarded until this is dropped.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    netns: String,
    to: SocketAddr,
    stop: AtomicBool,
    // Both ends of each connection, to cut it when the forward ends.
    open: Mutex<HashMap<usize, [TcpStream; 2]>>,
}

impl Forward {
    /// Listens on `listen` (port 0: any), and leads each connection to `to` inside the namespace `netns`.
    pub fn start(netns: &str, listen: SocketAddr, to: SocketAddr) -> Result<Self> {
        exists(netns)?;
        let listener = TcpListener::bind(listen)
            .with_context(|| format!("cannot listen on {listen}: another program may hold the port"))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            netns: netns.to_owned(),
            to,
            stop: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let acceptor = thread::Builder::new().name("forward".into()).spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        })?;
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Where the host can connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which looks at `stop` after each connection.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok();
        for ends in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).values() {
            cut(ends);
        }
        if let Some(acceptor) = self.acceptor.take()
            && woken
        {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, client) in listener.incoming().enumerate() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(shared);
        let spawned = client.and_then(|client| {
            // A thread for each, since entering a namespace is for the whole thread and for good.
            thread::Builder::new().name("forward".into()).spawn(move || {
                if let Err(error) = serve(client, number, &shared) {
                    tracing::debug!("forward to {} in `{}`: {error:#}", shared.to, shared.netns);
                }
            })
        });
        if let Err(error) = spawned {
            tracing::warn!("a connection to forward was lost: {error}");
        }
    }
}

fn serve(client: TcpStream, number: usize, shared: &Shared) -> Result<()> {
    enter(&shared.netns)?;
    let server = TcpStream::connect_timeout(&shared.to, CONNECT)
        .with_context(|| format!("nothing answers on {} inside", shared.to))?;
    let ends = [client.try_clone()?, server.try_clone()?];
    {
        let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.stop.load(Ordering::SeqCst) {
            return Ok(());
        }
        open.insert(number, ends);
    }
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    let back =
        thread::Builder::new().name("forward".into()).spawn(move || pump(&mut from_server, &mut to_client));
    let (mut from_client, mut to_server) = (client, server);
    pump(&mut from_client, &mut to_server);
    if let Ok(back) = back {
        let _ = back.join();
    }
    shared.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    Ok(())
}

/// Copies until the end or a failure; then the other side learns that nothing more comes.
fn pump(from: &mut TcpStream, to: &mut TcpStream) {
    if io::copy(from, to).is_err() {
        let _ = from.shutdown(Shutdown::Both);
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn cut(ends: &[TcpStream; 2]) {
    for end in ends {
        let _ = end.shutdown(Shutdown::Both);
    }
}
