//! HTTP clients that keep their connection: each asks for the next thing as soon as it has the last. Bodies are thrown away in
//! the kernel (MSG_TRUNC): what is measured is the server.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::{MsgFlags, recv};

/// What is asked, and by how many.
#[derive(Debug, Clone)]
pub struct Get {
    /// Whole requests, one after the other, over all connections.
    pub requests: Vec<String>,
    /// How many connections.
    pub connections: usize,
    /// For how long.
    pub span: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpResult {
    /// Bytes of bodies.
    pub bytes: u64,
    /// Answers that were whole.
    pub answers: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl HttpResult {
    /// MB a second.
    pub fn rate(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.elapsed.as_secs_f64()
    }

    /// Answers a second.
    pub fn answers_a_second(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }
}

struct Connection {
    stream: TcpStream,
    head: Vec<u8>,
    /// Bytes of the body that are still to come, once the head was read.
    left: Option<u64>,
}

/// Asks for that long. To be called in the network.
pub fn http(server: SocketAddr, get: &Get) -> Result<HttpResult> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut connections = Vec::with_capacity(get.connections);
    for number in 0..get.connections {
        let stream = TcpStream::connect(server).context("a connection")?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        epoll.add(stream.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, number.try_into()?))?;
        connections.push(Connection { stream, head: Vec::new(), left: None });
    }
    let mut requests = get.requests.iter().cycle();
    let mut result = HttpResult::default();
    let began = Instant::now();
    for connection in &mut connections {
        connection.ask(requests.next().context("nothing to ask for")?)?;
    }
    let (mut events, mut buffer) = ([EpollEvent::empty(); 256], vec![0; 1 << 20]);
    while began.elapsed() < get.span {
        let count = epoll.wait(&mut events, 100_u16)?;
        for event in events.get(..count).unwrap_or_default() {
            let Some(connection) = connections.get_mut(usize::try_from(event.data())?) else { continue };
            let before = result.answers;
            connection.read(&mut buffer, &mut result)?;
            if result.answers > before {
                connection.ask(requests.next().context("nothing to ask for")?)?;
            }
        }
    }
    result.elapsed = began.elapsed();
    Ok(result)
}

impl Connection {
    fn ask(&mut self, request: &str) -> Result<()> {
        self.stream.write_all(request.as_bytes()).context("a request")
    }

    /// Reads what is there, up to the end of one answer.
    fn read(&mut self, buffer: &mut [u8], result: &mut HttpResult) -> Result<()> {
        loop {
            let left = match self.left {
                Some(0) => {
                    self.left = None;
                    result.answers += 1;
                    return Ok(());
                }
                Some(left) => left,
                None => match self.read_head(buffer, result)? {
                    Some(left) => left,
                    None => return Ok(()),
                },
            };
            self.left = Some(left);
            if left == 0 {
                continue;
            }
            let wanted = usize::try_from(left)?.min(buffer.len());
            let room = buffer.get_mut(..wanted).context("no room")?;
            match recv(self.stream.as_raw_fd(), room, MsgFlags::MSG_TRUNC) {
                Ok(0) => bail!("the server closed a connection within a body"),
                Ok(got) => {
                    result.bytes += got as u64;
                    self.left = Some(left.saturating_sub(got as u64));
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(error).context("a body"),
            }
        }
    }

    /// The length of the body behind a head that is whole; what of the body came with it is counted.
    fn read_head(&mut self, buffer: &mut [u8], result: &mut HttpResult) -> Result<Option<u64>> {
        let got = match std::io::Read::read(&mut self.stream, buffer.get_mut(..2048).context("no room")?) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("a head"),
        };
        self.head.extend_from_slice(buffer.get(..got).unwrap_or_default());
        let Some(end) = self.head.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
        let head = String::from_utf8_lossy(self.head.get(..end).unwrap_or_default()).to_lowercase();
        ensure!(head.starts_with("http/1.1 20"), "an answer that was not expected: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: u64 = length.context("an answer without a length")?.trim().parse()?;
        let came = (self.head.len() - end - 4) as u64;
        self.head.clear();
        result.bytes += came;
        Ok(Some(length.checked_sub(came).context("more than one answer came")?))
    }
}
