//! A bad cable between two networks: it loses frames, doubles some, and lets some overtake others, and all of them take their time.
//! Its faults come from a seed, so that a run is like the one before; `tc netem` would do it where the kernel has it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{self, LinkAddr};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use socket2::{Domain, Protocol, Socket, Type};

use super::Namespace;
use super::namespace::BRIDGE;

/// ETH_P_ALL: frames of every type, those that go out included.
const EVERY_FRAME: u16 = 3;

/// How long a thread waits before it looks whether it is to end.
const NAP: Duration = Duration::from_millis(50);

/// What is wrong with a cable, in each direction.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// Where its chance begins.
    pub seed: u64,
    /// How likely a frame is lost, from 0 to 1.
    pub lost: f64,
    /// How likely it comes twice.
    pub doubled: f64,
    /// How likely it is held back until others have overtaken it.
    pub held: f64,
    /// How long each takes.
    pub delay: Duration,
}

/// What became of the frames of both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Frames that came through, copies apart.
    pub passed: u64,
    /// Frames that did not.
    pub lost: u64,
    /// Frames that came twice.
    pub doubled: u64,
    /// Frames that were overtaken.
    pub held: u64,
}

/// A cable that is in until this is dropped.
#[derive(Debug)]
pub struct Cable {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    counts: [AtomicU64; 4],
}

/// A frame on its way: when it arrives, and its number, for those that arrive at once.
type OnItsWay = Reverse<(Instant, u64, Vec<u8>)>;

impl Cable {
    /// Joins the bridges of two networks. Frames are as long as the MTU at the most, and have their checksums: what the kernel leaves
    /// to the hardware it does itself in front of this cable.
    pub fn between(near: &Namespace, far: &Namespace, faults: Faults) -> Result<Self> {
        let ends = [plug(near)?, plug(far)?];
        let back = [ends[1].try_clone()?, ends[0].try_clone()?];
        let shared = Arc::new(Shared::default());
        let mut cable = Self { shared: Arc::clone(&shared), threads: Vec::new() };
        for (direction, (from, to)) in (0..).zip(ends.into_iter().zip(back)) {
            let (shared, chance) = (Arc::clone(&shared), StdRng::seed_from_u64(faults.seed * 2 + direction));
            let carry = move || carry(&from, &to, faults, chance, &shared);
            cable.threads.push(thread::Builder::new().name("cable".into()).spawn(carry)?);
        }
        Ok(cable)
    }

    /// What became of the frames so far.
    pub fn tally(&self) -> Tally {
        let [passed, lost, doubled, held] =
            self.shared.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        Tally { passed, lost, doubled, held }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// An end in a network: what the bridge sends into it is read, and what is written comes out at the bridge.
fn plug(network: &Namespace) -> Result<UdpSocket> {
    network.ip("link add cable0 type veth peer name cable1")?;
    network.ip("link set cable1 addrgenmode none")?;
    for end in ["cable0", "cable1"] {
        super::run(network.command("ethtool").args(["-K", end, "tx", "off", "tso", "off", "gso", "off"]))
            .context("ethtool is needed for a bad cable")?;
        network.ip(&format!("link set {end} up"))?;
    }
    network.ip(&format!("link set cable0 master {BRIDGE}"))?;
    network.inside(|| -> Result<UdpSocket> {
        let link: LinkAddr = getifaddrs()?
            .find_map(|interface| {
                Some(*interface.address.filter(|_| interface.interface_name == "cable1")?.as_link_addr()?)
            })
            .context("the cable's end is not there")?;
        // packet(7): the protocol is a frame's type, as it lies on the wire.
        let protocol = Protocol::from(i32::from(EVERY_FRAME.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        socket.set_recv_buffer_size(4 << 20)?;
        socket.set_read_timeout(Some(NAP))?;
        socket::bind(socket.as_raw_fd(), &link)?;
        // Raw, and no UDP: what the standard library does with the one it does with the other.
        Ok(socket.into())
    })?
}

fn carry(from: &UdpSocket, to: &UdpSocket, faults: Faults, mut chance: StdRng, shared: &Shared) {
    let count = |which: usize| {
        if let Some(count) = shared.counts.get(which) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    let mut on_their_way: BinaryHeap<OnItsWay> = BinaryHeap::new();
    let (mut number, mut buffer) = (0_u64, vec![0; 65_536]);
    while !shared.stop.load(Ordering::Relaxed) {
        let next = on_their_way.peek().map(|Reverse((at, ..))| at.saturating_duration_since(Instant::now()));
        // A timeout of zero would be none.
        let wait = next.unwrap_or(NAP).clamp(Duration::from_micros(100), NAP);
        let received = from.set_read_timeout(Some(wait)).and_then(|()| from.recv(&mut buffer));
        match received {
            Ok(length) if chance.random_bool(faults.lost) => {
                tracing::trace!(length, "a frame is lost");
                count(1);
            }
            Ok(length) => {
                let frame = buffer.get(..length).unwrap_or_default();
                count(0);
                let mut delay = faults.delay;
                if chance.random_bool(faults.held) {
                    count(3);
                    delay += faults.delay / 2 + Duration::from_millis(5);
                }
                let doubled = chance.random_bool(faults.doubled);
                if doubled {
                    count(2);
                }
                for copy in 0..=u32::from(doubled) {
                    let at = Instant::now() + delay + Duration::from_millis(3) * copy;
                    on_their_way.push(Reverse((at, number, frame.to_vec())));
                    number += 1;
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            // The network is gone.
            Err(error) => return tracing::debug!("a cable ends: {error}"),
        }
        while on_their_way.peek().is_some_and(|Reverse((at, ..))| *at <= Instant::now()) {
            if let Some(Reverse((_, _, frame))) = on_their_way.pop() {
                // What cannot be sent is lost, as it is on a cable.
                let _ = to.send(&frame);
            }
        }
    }
}
