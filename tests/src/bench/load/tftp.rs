//! TFTP clients by the thousand. Each fetches one file with its own address and port, checks every byte, says again where it is
//! when nothing comes for a second, as firmware does, and at each block that it does not expect, as EDK2 does: the one firmware
//! that asks for windows.
//!
//! Loss is made here, packet by packet, in both directions: netem drops what the kernel hands it, which is one packet for some
//! servers and a whole window for others.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::super::ground::client;

/// After this silence a client repeats what it said last.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often those that wait are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// A client that repeated itself this often in a row has given up: firmware gives up sooner.
const TRIES: u32 = 8;

/// What is fetched.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Its name.
    pub name: &'static str,
    /// What it must be.
    pub content: Arc<[u8]>,
    /// How many clients begin at once.
    pub clients: usize,
    /// The window that each asks for.
    pub window: u16,
    /// The share of packets that is lost, in each direction.
    pub loss: f64,
    /// When to stop counting.
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct TftpResult {
    /// Bytes that arrived in order.
    pub bytes: u64,
    /// Until the last client had its file, or the limit.
    pub elapsed: Duration,
    /// Clients that have it whole.
    pub done: usize,
    /// Clients that were refused, or gave up.
    pub failed: usize,
}

impl TftpResult {
    /// MB a second.
    pub fn rate(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.elapsed.as_secs_f64()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Running,
    Done,
    Failed,
}

struct Client {
    socket: UdpSocket,
    peer: SocketAddr,
    answered: bool,
    said: Vec<u8>,
    last: Instant,
    tries: u32,
    block: u16,
    window: u16,
    in_window: u16,
    at: usize,
    state: State,
}

/// Has all clients fetch. To be called in the network.
pub fn tftp(server: SocketAddr, fetch: &Fetch) -> Result<TftpResult> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut chance = SmallRng::seed_from_u64(7);
    let mut clients = Vec::with_capacity(fetch.clients);
    for number in 0..fetch.clients {
        let socket = UdpSocket::bind((client(number), 0)).context("a client's socket")?;
        socket.set_nonblocking(true)?;
        epoll.add(socket.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, number.try_into()?))?;
        clients.push(Client::new(socket, server, request(fetch)));
    }
    let began = Instant::now();
    let mut looked = began;
    for client in &mut clients {
        client.say(fetch.loss, &mut chance)?;
    }
    let (mut events, mut buffer) = ([EpollEvent::empty(); 256], vec![0; 65536]);
    let mut result = TftpResult::default();
    while result.done + result.failed < fetch.clients && began.elapsed() < fetch.limit {
        let count = epoll.wait(&mut events, u16::try_from(LOOK.as_millis())?)?;
        for event in events.get(..count).unwrap_or_default() {
            let Some(client) = clients.get_mut(usize::try_from(event.data())?) else { continue };
            client.read(fetch, &mut buffer, &mut chance)?;
            match client.state {
                State::Running => continue,
                State::Done => result.done += 1,
                State::Failed => result.failed += 1,
            }
            epoll.delete(&client.socket)?;
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            for client in clients.iter_mut().filter(|client| client.state == State::Running) {
                if client.last.elapsed() >= PATIENCE {
                    client.tries += 1;
                    if client.tries > TRIES {
                        client.state = State::Failed;
                        result.failed += 1;
                        epoll.delete(&client.socket)?;
                    } else {
                        client.say(fetch.loss, &mut chance)?;
                    }
                }
            }
        }
    }
    result.elapsed = began.elapsed();
    result.bytes = clients.iter().map(|client| client.at as u64).sum();
    Ok(result)
}

fn request(fetch: &Fetch) -> Vec<u8> {
    let mut bytes = [&[0, 1], fetch.name.as_bytes(), b"\0octet\0blksize\x001468\0"].concat();
    if fetch.window > 1 {
        bytes.extend(format!("windowsize\0{}\0", fetch.window).bytes());
    }
    bytes
}

impl Client {
    fn new(socket: UdpSocket, server: SocketAddr, said: Vec<u8>) -> Self {
        Self {
            socket,
            peer: server,
            answered: false,
            said,
            last: Instant::now(),
            tries: 0,
            block: 0,
            window: 1,
            in_window: 0,
            at: 0,
            state: State::Running,
        }
    }

    fn say(&mut self, loss: f64, chance: &mut SmallRng) -> Result<()> {
        self.last = Instant::now();
        if loss > 0.0 && chance.random_bool(loss) {
            return Ok(());
        }
        match self.socket.send_to(&self.said, self.peer) {
            Ok(_) => Ok(()),
            // What cannot be sent is lost; the client repeats itself.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused) => {
                Ok(())
            }
            Err(error) => Err(error).context("a client cannot send"),
        }
    }

    fn acknowledge(&mut self, loss: f64, chance: &mut SmallRng) -> Result<()> {
        self.in_window = 0;
        self.said = [[0, 4], self.block.to_be_bytes()].concat();
        self.say(loss, chance)
    }

    fn read(&mut self, fetch: &Fetch, buffer: &mut [u8], chance: &mut SmallRng) -> Result<()> {
        while self.state == State::Running {
            let (len, from) = match self.socket.recv_from(buffer) {
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok(()),
                Err(error) => return Err(error).context("a client cannot receive"),
            };
            if fetch.loss > 0.0 && chance.random_bool(fetch.loss) {
                continue;
            }
            if self.answered && from != self.peer {
                continue;
            }
            (self.peer, self.answered, self.last, self.tries) = (from, true, Instant::now(), 0);
            match buffer.get(..len) {
                Some([0, 3, high, low, data @ ..]) => {
                    self.take(u16::from_be_bytes([*high, *low]), data, fetch, chance)?;
                }
                Some([0, 6, options @ ..]) if self.block == 0 && self.at == 0 => {
                    self.window = granted(options);
                    self.acknowledge(fetch.loss, chance)?;
                }
                Some([0, 5, ..]) => self.state = State::Failed,
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, block: u16, data: &[u8], fetch: &Fetch, chance: &mut SmallRng) -> Result<()> {
        if block != self.block.wrapping_add(1) {
            return self.acknowledge(fetch.loss, chance);
        }
        if fetch.content.get(self.at..).and_then(|rest| rest.get(..data.len())) != Some(data) {
            bail!("a client was sent another content, at byte {}", self.at);
        }
        self.block = block;
        self.at += data.len();
        self.in_window += 1;
        if self.at == fetch.content.len() && data.len() < 1468 {
            self.state = State::Done;
            // The last word is not lost: a server that waits for it is not what is measured.
            return self.acknowledge(0.0, chance);
        }
        if self.in_window >= self.window { self.acknowledge(fetch.loss, chance) } else { Ok(()) }
    }
}

/// The window of an OACK: 1 where it names none.
fn granted(options: &[u8]) -> u16 {
    let words: Vec<_> = options.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let window = words.chunks_exact(2).find_map(|pair| match pair {
        [name, value] if name.eq_ignore_ascii_case("windowsize") => value.parse().ok(),
        _ => None,
    });
    window.unwrap_or(1)
}
