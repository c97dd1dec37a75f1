//! The TFTP client of firmware (RFC 1350, 2347 to 2349, 7440): one file, in the way that each firmware asks for it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::Firmware;

const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OACK: u16 = 6;

const WAIT: Duration = Duration::from_secs(1);
const TRIES: u32 = 6;

/// Fetches a file, and gives its length.
pub async fn get(own: Ipv4Addr, server: SocketAddrV4, file: &str, firmware: Firmware) -> Result<u64> {
    let fetched = async {
        match firmware {
            Firmware::Bios => {
                Transfer::new(own, server).await?.run(file, &[("blksize", 1432), ("tsize", 0)], false).await
            }
            Firmware::Uefi => {
                // As OVMF: it asks for the size, breaks off, and asks again.
                let size = [("tsize", 0), ("blksize", 1468), ("windowsize", 4)];
                let told = Transfer::new(own, server).await?.run(file, &size, true).await?;
                let got = Transfer::new(own, server)
                    .await?
                    .run(file, &[("blksize", 1468), ("windowsize", 4)], false)
                    .await?;
                ensure!(got == told, "it has {got} bytes, and the server had said {told}");
                Ok(got)
            }
        }
    };
    fetched.await.with_context(|| format!("`{file}` by TFTP from {server}"))
}

struct Transfer {
    socket: UdpSocket,
    server: SocketAddr,
    peer: Option<SocketAddr>,
    block_size: usize,
    window: u16,
    size: Option<u64>,
}

impl Transfer {
    async fn new(own: Ipv4Addr, server: SocketAddrV4) -> Result<Self> {
        let socket = UdpSocket::bind((own, 0)).await.with_context(|| format!("UDP at {own}"))?;
        Ok(Self { socket, server: server.into(), peer: None, block_size: 512, window: 1, size: None })
    }

    async fn run(mut self, file: &str, options: &[(&str, u32)], only_size: bool) -> Result<u64> {
        let mut request = vec![0, 1];
        let mut word = |text: &str| {
            request.extend(text.as_bytes());
            request.push(0);
        };
        word(file);
        word("octet");
        for (name, value) in options {
            word(name);
            word(&value.to_string());
        }
        let mut last = request;
        let mut received = 0;
        let mut expected: u16 = 1;
        let mut unacknowledged = 0;
        let mut tries = 0;
        let mut buffer = vec![0; 65536];
        loop {
            // What was sent last is sent again when nothing comes.
            if unacknowledged == 0 || tries > 0 {
                self.socket.send_to(&last, self.peer.unwrap_or(self.server)).await?;
            }
            let Ok(got) = timeout(WAIT, self.socket.recv_from(&mut buffer)).await else {
                tries += 1;
                ensure!(tries < TRIES, "nothing came for {} s", WAIT.as_secs() * u64::from(TRIES));
                last = if received > 0 { ack(expected.wrapping_sub(1)) } else { last };
                unacknowledged = 0;
                continue;
            };
            let (len, from) = got?;
            if from.ip() != self.server.ip() || self.peer.is_some_and(|peer| peer != from) {
                continue;
            }
            self.peer = Some(from);
            let packet = buffer.get(..len).unwrap_or_default();
            let [a, b, content @ ..] = packet else { bail!("a packet of {len} bytes") };
            match u16::from_be_bytes([*a, *b]) {
                OACK => {
                    self.take_options(content)?;
                    if only_size {
                        let abort = [&ERROR.to_be_bytes()[..], &[0, 8], b"User aborted the transfer\0"].concat();
                        self.socket.send_to(&abort, from).await?;
                        return self.size.context("the server told no size (tsize)");
                    }
                    last = ack(0);
                    unacknowledged = 0;
                }
                DATA => {
                    let [high, low, data @ ..] = content else { bail!("a block without a number") };
                    let block = u16::from_be_bytes([*high, *low]);
                    if block != expected {
                        // A gap, or one that came twice: the server is told once where we are.
                        last = ack(expected.wrapping_sub(1));
                        unacknowledged = if block == expected.wrapping_sub(1) { 1 } else { 0 };
                        continue;
                    }
                    tries = 0;
                    received += u64::try_from(data.len())?;
                    expected = expected.wrapping_add(1);
                    unacknowledged += 1;
                    let end = data.len() < self.block_size;
                    last = ack(block);
                    if end {
                        self.socket.send_to(&last, from).await?;
                        ensure!(self.size.is_none_or(|size| size == received), "it ended after {received} bytes");
                        return Ok(received);
                    }
                    if unacknowledged >= self.window {
                        unacknowledged = 0;
                    }
                }
                ERROR => bail!("the server says: {}", String::from_utf8_lossy(content).trim_matches(char::from(0))),
                other => bail!("a packet of kind {other}"),
            }
        }
    }

    fn take_options(&mut self, content: &[u8]) -> Result<()> {
        let words: Vec<_> = content.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        for pair in words.chunks_exact(2) {
            let [name, value] = pair else { continue };
            match name.to_lowercase().as_str() {
                "blksize" => self.block_size = value.parse().context("blksize")?,
                "windowsize" => self.window = value.parse().context("windowsize")?,
                "tsize" => self.size = Some(value.parse().context("tsize")?),
                other => bail!("an option that was not asked for: {other}"),
            }
        }
        Ok(())
    }
}

fn ack(block: u16) -> Vec<u8> {
    [ACK.to_be_bytes(), block.to_be_bytes()].concat()
}
