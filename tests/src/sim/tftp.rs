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

/// How long firmware waits for a packet, time after time, before it gives up.
fn waits(firmware: Firmware) -> &'static [u64] {
    match firmware {
        // iPXE, which most BIOS ROMs of today are made of: its retry timer doubles from 250 ms, and ends beyond 10 s.
        Firmware::Bios => &[250, 500, 1000, 2000, 4000, 8000],
        // EDK2: PXEBC_MTFTP_TIMEOUT and PXEBC_MTFTP_RETRIES.
        Firmware::Uefi => &[4000; 6],
    }
}

/// Fetches a file, and gives its length.
pub async fn get(own: Ipv4Addr, server: SocketAddrV4, file: &str, firmware: Firmware) -> Result<u64> {
    let fetched = async {
        match firmware {
            Firmware::Bios => {
                Transfer::new(own, server, firmware)
                    .await?
                    .run(file, &[("blksize", 1432), ("tsize", 0)], false)
                    .await
            }
            Firmware::Uefi => {
                // As OVMF: it asks for the size, breaks off, and asks again.
                let size = [("tsize", 0), ("blksize", 1468), ("windowsize", 4)];
                let told = Transfer::new(own, server, firmware).await?.run(file, &size, true).await?;
                let got = Transfer::new(own, server, firmware)
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
    waits: &'static [u64],
}

impl Transfer {
    async fn new(own: Ipv4Addr, server: SocketAddrV4, firmware: Firmware) -> Result<Self> {
        let socket = UdpSocket::bind((own, 0)).await.with_context(|| format!("UDP at {own}"))?;
        Ok(Self {
            socket,
            server: server.into(),
            peer: None,
            block_size: 512,
            window: 1,
            size: None,
            waits: waits(firmware),
        })
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
        let mut outgoing = request;
        let mut progress = Progress::default();
        let mut tries = 0;
        let mut buffer = vec![0; 65536];
        self.socket.send_to(&outgoing, self.server).await?;
        loop {
            let Some(wait) = self.waits.get(tries) else {
                bail!("nothing came for {} ms", self.waits.iter().sum::<u64>())
            };
            let wait = Duration::from_millis(*wait);
            let Ok(got) = timeout(wait, self.socket.recv_from(&mut buffer)).await else {
                tries += 1;
                self.socket.send_to(&outgoing, self.peer.unwrap_or(self.server)).await?;
                continue;
            };
            let (len, from) = got?;
            if from.ip() != self.server.ip() || self.peer.is_some_and(|peer| peer != from) {
                continue;
            }
            self.peer = Some(from);
            let [a, b, content @ ..] = buffer.get(..len).unwrap_or_default() else {
                bail!("{len} bytes came")
            };
            match u16::from_be_bytes([*a, *b]) {
                OACK if only_size => {
                    self.take_options(content)?;
                    let abort = [&ERROR.to_be_bytes()[..], &[0, 8], b"User aborted the transfer\0"].concat();
                    self.socket.send_to(&abort, from).await?;
                    return self.size.context("the server told no size (tsize)");
                }
                OACK => {
                    self.take_options(content)?;
                    outgoing = ack(0);
                    self.socket.send_to(&outgoing, from).await?;
                }
                DATA => {
                    tries = 0;
                    let news = progress.take(content, self.block_size, self.window)?;
                    outgoing = ack(progress.block);
                    if news != News::Wait {
                        self.socket.send_to(&outgoing, from).await?;
                    }
                    if news == News::End {
                        let Progress { bytes, .. } = progress;
                        ensure!(self.size.is_none_or(|size| size == bytes), "it ended after {bytes} bytes");
                        return Ok(bytes);
                    }
                }
                ERROR => {
                    bail!("the server says: {}", String::from_utf8_lossy(content).trim_matches(char::from(0)))
                }
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

/// How far a file has come.
#[derive(Default)]
struct Progress {
    block: u16,
    in_window: u16,
    bytes: u64,
}

#[derive(PartialEq, Eq)]
enum News {
    Wait,
    Acknowledge,
    End,
}

impl Progress {
    fn take(&mut self, content: &[u8], block_size: usize, window: u16) -> Result<News> {
        let [high, low, data @ ..] = content else { bail!("a block without a number") };
        if u16::from_be_bytes([*high, *low]) != self.block.wrapping_add(1) {
            // A gap, or a block that came twice. EDK2 says each time where it is (Mtftp4RrqHandleData); said once, it may be lost.
            self.in_window = 0;
            return Ok(News::Acknowledge);
        }
        self.block = self.block.wrapping_add(1);
        self.bytes += u64::try_from(data.len())?;
        self.in_window += 1;
        if data.len() < block_size {
            return Ok(News::End);
        }
        if self.in_window < window {
            return Ok(News::Wait);
        }
        self.in_window = 0;
        Ok(News::Acknowledge)
    }
}

fn ack(block: u16) -> Vec<u8> {
    [ACK.to_be_bytes(), block.to_be_bytes()].concat()
}
