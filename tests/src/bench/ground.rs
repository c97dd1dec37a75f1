//! Where it is measured: a network of its own, whose loopback carries everything, and servers in it that are pinned to one
//! processor and end when they are dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::SERVER_CPU;
use super::usage::processor_time;
use crate::daemon::{Builder, Daemon};
use crate::rack::Namespace;

/// The servers' address.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// The network. Every address of 10.99.0.0/16 is one of its own, so that each client can have another.
pub fn network() -> Result<Namespace> {
    let network = Namespace::create("plbench", Some(format!("{SERVER}/16").parse()?))?;
    network.ip("route add local 10.99.0.0/16 dev lo")?;
    Ok(network)
}

/// The address of a client.
pub fn client(number: usize) -> Ipv4Addr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 99, high, low)
}

/// A server under measurement.
#[derive(Debug)]
pub enum Server {
    /// Ours.
    Ours(Box<Daemon>),
    /// Another one, as a process in the foreground.
    Peer(Child),
}

impl Server {
    /// The processor time that it has taken so far.
    pub fn time(&self) -> Result<Duration> {
        processor_time(self.pid()?)
    }

    /// Whether it is still there.
    pub fn runs(&mut self) -> bool {
        match self {
            Self::Ours(daemon) => daemon.pid().is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists()),
            Self::Peer(process) => matches!(process.try_wait(), Ok(None)),
        }
    }

    /// Its process.
    pub fn pid(&self) -> Result<u32> {
        match self {
            Self::Ours(daemon) => daemon.pid().context("our daemon does not run"),
            Self::Peer(process) => Ok(process.id()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Peer(process) = self {
            // It may have ended; its children end with the network.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Ours, in a folder, with what `change` sets.
pub async fn ours(
    network: &Namespace,
    folder: &Path,
    change: impl FnOnce(Builder) -> Builder,
) -> Result<Daemon> {
    let builder = Daemon::builder(folder).inside(network, SERVER).run_by(&["taskset", "-c", SERVER_CPU]);
    change(builder).start().await
}

/// A peer's command, in the network and on the servers' processor.
pub fn peer(network: &Namespace, program: &str) -> Command {
    let mut command = network.command("taskset");
    command.args(["-c", SERVER_CPU, "setpriv", "--pdeathsig", "KILL", "--", program]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Waits until something listens at a TCP port.
pub fn until_open(network: &Namespace, port: u16) -> Result<()> {
    let address = SocketAddr::from((SERVER, port));
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        if network.inside(|| TcpStream::connect_timeout(&address, Duration::from_secs(1)))?.is_ok() {
            return Ok(());
        }
        std::thread::yield_now();
    }
    bail!("nothing listens at {address}")
}
