//! Private networks: a network namespace with a bridge, to which machines, clients and relays are attached. The host's
//! own network sees nothing of it.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ipnet::Ipv4Net;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ip;

/// The bridge in each [`Namespace`].
pub const BRIDGE: &str = "br0";

/// A network with a bridge, [`BRIDGE`], in a namespace of its own; gone when this is dropped, with all that runs in it.
#[derive(Debug)]
pub struct Namespace {
    netns: Netns,
    // Held as long as the network is there: a second run of the same name must not clean this one away.
    _lock: File,
}

/// A computer on one or two of those networks, without hardware: a DHCP client, a relay agent, a foreign server.
#[derive(Debug)]
pub struct Host {
    netns: Netns,
}

/// Only the namespace, which goes away on drop.
#[derive(Debug)]
struct Netns {
    name: String,
}

impl Namespace {
    /// Makes the network `name`; its bridge gets `address`, where the server is to listen. What an earlier run of that name
    /// left behind is removed first, processes too.
    pub fn create(name: &str, address: Option<Ipv4Net>) -> Result<Self> {
        ensure!(
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
            "a network's name is of lower case letters and digits, not `{name}`"
        );
        let lock = lock(name)?;
        sweep(name)?;
        let netns = Netns::create(name.to_owned())?;
        netns.ip(&format!("link add {BRIDGE} type bridge forward_delay 0 mcast_snooping 0"))?;
        if let Some(address) = address {
            netns.ip(&format!("addr add {address} dev {BRIDGE}"))?;
        }
        netns.ip(&format!("link set {BRIDGE} up"))?;
        Ok(Self { netns, _lock: lock })
    }

    /// The namespace's name, for `ip netns exec` and for [`super::Forward`].
    pub fn name(&self) -> &str {
        &self.netns.name
    }

    /// A command that will run inside, as a process that serves this network.
    pub fn command(&self, program: &str) -> Command {
        self.netns.command(program)
    }

    /// Does something in a thread of its own inside. A socket that is made there stays there, and can be used from anywhere.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        self.netns.inside(act)
    }

    /// Runs `ip` inside, for what is not foreseen here (a route behind a relay, a cut link, a delay by `tc`).
    pub fn ip(&self, arguments: &str) -> Result<String> {
        self.netns.ip(arguments)
    }

    /// Adds a tap on the bridge; QEMU opens it by this name.
    pub fn add_tap(&self, tap: &str) -> Result<()> {
        self.netns.ip(&format!("tuntap add {tap} mode tap"))?;
        self.netns.ip(&format!("link set {tap} master {BRIDGE} up"))?;
        Ok(())
    }

    /// Takes a tap away again.
    pub fn remove_tap(&self, tap: &str) -> Result<()> {
        self.netns.ip(&format!("link delete {tap}")).map(drop)
    }

    /// A computer with one NIC, `eth0`, on the bridge. Without an address it is a DHCP client to be.
    pub fn host(&self, name: &str, address: Option<Ipv4Net>) -> Result<Host> {
        let host = Host { netns: Netns::create(format!("{}-{name}", self.name()))? };
        host.attach(self, "eth0", address)?;
        Ok(host)
    }

    /// A router between this network, where the server is, and `far`, where machines are: `eth0` is on the server's side
    /// and `eth1` on the machines'. A DHCP relay agent can run in it. The bridge gets a route to the far network.
    pub fn relay(&self, name: &str, near: Ipv4Net, far: &Namespace, far_address: Ipv4Net) -> Result<Host> {
        let relay = self.host(name, Some(near))?;
        relay.attach(far, "eth1", Some(far_address))?;
        super::run(relay.command("sysctl").args(["-q", "-w", "net.ipv4.ip_forward=1"]))?;
        self.netns.ip(&format!("route add {} via {}", far_address.trunc(), near.addr()))?;
        Ok(relay)
    }
}

impl Host {
    /// The namespace's name.
    pub fn name(&self) -> &str {
        &self.netns.name
    }

    /// A command that will run on this computer.
    pub fn command(&self, program: &str) -> Command {
        self.netns.command(program)
    }

    /// Does something in a thread of its own on this computer. A socket that is made there stays there, and can be used from
    /// anywhere.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        self.netns.inside(act)
    }

    /// Runs `ip` on this computer.
    pub fn ip(&self, arguments: &str) -> Result<String> {
        self.netns.ip(arguments)
    }

    /// Plugs one more NIC into a network.
    pub fn attach(&self, network: &Namespace, nic: &str, address: Option<Ipv4Net>) -> Result<()> {
        // Interface names end at 15 bytes: the peer is found by its number of the moment, which is unique in the namespace.
        let port = format!("p{:x}", port_number(&format!("{}/{nic}", self.name())));
        network.ip(&format!("link add {port} type veth peer name {nic} netns {}", self.name()))?;
        network.ip(&format!("link set {port} master {BRIDGE} up"))?;
        if let Some(address) = address {
            self.ip(&format!("addr add {address} dev {nic}"))?;
        }
        self.ip(&format!("link set {nic} up"))?;
        // The kernel notices a new cable up to a second later, and drops what is sent before then.
        network.netns.wait_for_carrier(&port)?;
        self.netns.wait_for_carrier(nic)
    }
}

impl Netns {
    fn create(name: String) -> Result<Self> {
        ip(&format!("netns add {name}"))
            .context("a network namespace is needed: run this as root, on a Linux that allows namespaces")?;
        let netns = Self { name };
        netns.ip("link set lo up")?;
        Ok(netns)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    fn ip(&self, arguments: &str) -> Result<String> {
        ip(&format!("-n {} {arguments}", self.name))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "making a network blocks anyway: it runs `ip`, for a moment"
    )]
    fn wait_for_carrier(&self, interface: &str) -> Result<()> {
        for _ in 0..200 {
            if self.ip(&format!("-o link show {interface}"))?.contains("state UP") {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(25));
        }
        bail!("`{interface}` in `{}` does not come up", self.name)
    }

    fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| enter(&self.name).map(|()| act()));
            thread.join().map_err(|_| anyhow!("what was to be done in `{}` panicked", self.name))?
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            tracing::warn!("network namespace `{}` is left behind: {error:#}", self.name);
        }
    }
}

/// Takes this thread into a namespace, for good.
pub(super) fn enter(name: &str) -> Result<()> {
    let namespace = exists(name)?;
    setns(namespace, CloneFlags::CLONE_NEWNET)
        .with_context(|| format!("this thread cannot enter the namespace `{name}`"))
}

/// The namespace's file, if there is such a namespace.
pub(super) fn exists(name: &str) -> Result<File> {
    File::open(format!("/run/netns/{name}"))
        .with_context(|| format!("there is no network namespace `{name}`"))
}

fn lock(name: &str) -> Result<File> {
    let folder = PathBuf::from("/run/pilotlight-rack");
    let path = folder.join(name);
    fs::create_dir_all(&folder)
        .and_then(|()| File::create(&path))
        .with_context(|| format!("{} cannot be made: run this as root", path.display()))
        .and_then(|file| match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                bail!("another run holds the network `{name}`: wait for it, or end it")
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        })
}

/// Removes the namespace `name`, and those of its hosts, that a killed run left.
fn sweep(name: &str) -> Result<()> {
    let prefix = format!("{name}-");
    for line in ip("netns list")?.lines() {
        let found = line.split_whitespace().next().unwrap_or_default();
        if found == name || found.starts_with(&prefix) {
            tracing::info!("removing the network namespace `{found}` of an earlier run");
            remove(found)?;
        }
    }
    Ok(())
}

/// Ends what runs in a namespace, and removes it.
fn remove(name: &str) -> Result<()> {
    for pid in ip(&format!("netns pids {name}"))?.split_whitespace() {
        let pid = pid.parse().with_context(|| format!("`ip netns pids` printed `{pid}`"))?;
        // Gone already is what is wanted.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    ip(&format!("netns delete {name}")).map(drop)
}

fn port_number(text: &str) -> u32 {
    // FNV-1a: the same for the same host and NIC, which a second attach would then be told of by `ip`.
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;
    use crate::rack::Forward;

    fn networks() -> Vec<String> {
        ip("netns list")
            .unwrap()
            .lines()
            .filter_map(|line| line.split(' ').next())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_killed_runs_leftovers_are_removed_and_a_living_runs_are_not() {
        ip("netns add plsweep").unwrap();
        ip("netns add plsweep-client").unwrap();
        let mut left = Command::new("ip").args(["netns", "exec", "plsweep", "sleep", "60"]).spawn().unwrap();
        let network = Namespace::create("plsweep", None).unwrap();
        assert!(!left.wait().unwrap().success(), "what ran there is ended");
        assert!(!networks().contains(&"plsweep-client".to_owned()));
        let second = Namespace::create("plsweep", None).unwrap_err();
        assert!(format!("{second:#}").contains("another run"), "{second:#}");
        drop(network);
        assert!(!networks().contains(&"plsweep".to_owned()));
    }

    #[test]
    fn a_host_behind_a_relay_reaches_the_server() {
        let rack = Namespace::create("plnear", Some("10.77.0.1/24".parse().unwrap())).unwrap();
        let far = Namespace::create("plfar", None).unwrap();
        let relay = rack
            .relay("relay", "10.77.0.2/24".parse().unwrap(), &far, "10.78.0.1/24".parse().unwrap())
            .unwrap();
        let client = far.host("client", Some("10.78.0.9/24".parse().unwrap())).unwrap();
        client.ip("route add default via 10.78.0.1").unwrap();
        let server = rack.inside(|| TcpListener::bind("10.77.0.1:0").unwrap()).unwrap();
        let to = server.local_addr().unwrap();
        let seen = client.inside(|| TcpStream::connect_timeout(&to, Duration::from_secs(5)));
        assert_eq!(seen.unwrap().unwrap().local_addr().unwrap().ip().to_string(), "10.78.0.9");
        drop((relay, client));
    }

    #[test]
    fn a_forwarded_port_leads_into_the_network_until_it_is_dropped() {
        let rack = Namespace::create("plport", Some("10.77.0.1/24".parse().unwrap())).unwrap();
        let server = rack.inside(|| TcpListener::bind("10.77.0.1:0").unwrap()).unwrap();
        let to = server.local_addr().unwrap();
        let forward = Forward::start(rack.name(), "127.0.0.1:0".parse().unwrap(), to).unwrap();
        let address = forward.local_addr();
        let mut client = TcpStream::connect(address).unwrap();
        let (mut served, _) = server.accept().unwrap();
        client.write_all(b"through").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        served.read_to_string(&mut text).unwrap();
        served.write_all(b" and back").unwrap();
        drop(served);
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through and back");
        let mut open = TcpStream::connect(address).unwrap();
        let _kept = server.accept().unwrap();
        drop(forward);
        assert_eq!(open.read(&mut [0]).unwrap_or(0), 0, "open connections are cut");
        assert!(TcpStream::connect(address).is_err());
    }
}
