//! A PostgreSQL of the user's. A daemon in a network of its own does not reach the host's addresses, so connections are led out.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::ground::Ground;

/// A database that the daemon can reach.
pub struct Database {
    /// Its URL, for the daemon.
    pub url: String,
    /// Where the daemon's other state is: it belongs to this database, and stays with it from run to run.
    pub data_dir: String,
    _relay: JoinSet<()>,
}

impl Database {
    /// Finds out how the daemon can reach `url`.
    pub fn reach(url: &str, ground: &Ground) -> Result<Self> {
        let digest = hex::encode(Sha256::digest(url));
        let data_dir = format!("data-{}", digest.get(..8).unwrap_or_default());
        let mut relay = JoinSet::new();
        let mut parsed =
            reqwest::Url::parse(url).context("DATABASE_URL is no URL such as postgres://user@host/name")?;
        let host = parsed.host_str().filter(|host| !host.is_empty()).map(str::to_owned);
        // Without a host it is a socket in the file system, which every network has.
        if let (Ground::Rack { network, .. }, Some(host)) = (ground, host) {
            let target = format!("{host}:{}", parsed.port().unwrap_or(5432));
            let listener = network.inside(|| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))??;
            listener.set_nonblocking(true)?;
            let address: SocketAddr = listener.local_addr()?;
            relay.spawn(accept(TcpListener::from_std(listener)?, Arc::from(target)));
            parsed.set_host(Some(&address.ip().to_string()))?;
            parsed.set_port(Some(address.port())).ok().context("DATABASE_URL takes no port")?;
        }
        Ok(Self { url: parsed.into(), data_dir, _relay: relay })
    }
}

async fn accept(listener: TcpListener, target: Arc<str>) {
    let mut connections = JoinSet::new();
    while let Ok((mut inside, _)) = listener.accept().await {
        let target = Arc::clone(&target);
        connections.spawn(async move {
            let led =
                async { copy_bidirectional(&mut inside, &mut TcpStream::connect(&*target).await?).await };
            if let Err(error) = led.await {
                tracing::warn!("a connection to the database at {target}: {error}");
            }
        });
        while connections.try_join_next().is_some() {}
    }
}
