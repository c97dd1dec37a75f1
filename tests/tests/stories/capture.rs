//! What crosses a network, captured by tcpdump on its bridge.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pilotlight_tests::rack::Namespace;
use pilotlight_tests::rack::namespace::BRIDGE;

/// A capture that goes on.
pub struct Capture {
    tcpdump: Child,
    file: PathBuf,
}

/// An IP packet with ports.
#[derive(Debug, Clone)]
pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// TCP's place in the stream; 0 for UDP.
    pub seq: u32,
    pub payload: Vec<u8>,
}

impl Capture {
    /// Captures what this filter lets through; returns when it does.
    pub fn start(network: &Namespace, folder: &Path, filter: &str) -> Result<Self> {
        let file = folder.join("capture.pcap");
        let mut tcpdump = network
            .command("tcpdump")
            .args([
                "-i",
                BRIDGE,
                "-n",
                "-U",
                "--immediate-mode",
                "-s",
                "0",
                "-B",
                "65536",
                "-Z",
                "root",
                "-w",
            ])
            .arg(&file)
            .arg(filter)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("tcpdump cannot be started")?;
        let mut lines = BufReader::new(tcpdump.stderr.take().context("its messages")?).lines();
        let begun = lines.find(|line| line.as_ref().map_or(true, |line| line.contains("listening on")));
        ensure!(begun.is_some(), "tcpdump ended");
        std::thread::Builder::new().name("tcpdump".into()).spawn(move || lines.for_each(drop))?;
        Ok(Self { tcpdump, file })
    }

    /// The file that it is written to.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What was captured so far. Goes on.
    pub fn so_far(&self) -> Result<Vec<Packet>> {
        read(&self.file)
    }

    /// Ends it, and gives what was captured.
    pub fn stop(mut self) -> Result<Vec<Packet>> {
        kill(Pid::from_raw(self.tcpdump.id().try_into()?), Signal::SIGINT)?;
        self.tcpdump.wait()?;
        read(&self.file)
    }
}

fn read(file: &Path) -> Result<Vec<Packet>> {
    let bytes = fs::read(file)?;
    ensure!(bytes.get(..4) == Some(&[0xd4, 0xc3, 0xb2, 0xa1]), "not a capture file");
    let mut packets = Vec::new();
    let mut rest = bytes.get(24..).unwrap_or_default();
    while let Some(length) = rest.get(8..12) {
        let length = usize::try_from(u32::from_le_bytes(length.try_into()?))?;
        let Some(frame) = rest.get(16..16 + length) else { break };
        packets.extend(packet(frame));
        rest = &rest[16 + length..];
    }
    Ok(packets)
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

fn packet(frame: &[u8]) -> Option<Packet> {
    let ip = frame.get(14..)?;
    let word = |at: usize| Some(usize::from(u16::from_be_bytes(ip.get(at..at + 2)?.try_into().ok()?)));
    let v4 = |at: usize| Some(IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(ip.get(at..at + 4)?).ok()?)));
    let v6 = |at: usize| Some(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(ip.get(at..at + 16)?).ok()?)));
    let (kind, from, to, inner) = match ip.first()? >> 4 {
        4 => (ip.get(9)?, v4(12)?, v4(16)?, ip.get(usize::from(ip.first()? & 0xf) * 4..word(2)?)?),
        6 => (ip.get(6)?, v6(8)?, v6(24)?, ip.get(40..40 + word(4)?)?),
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(inner.get(at..at + 2)?.try_into().ok()?));
    let (seq, start) = match kind {
        6 => {
            let seq = u32::from_be_bytes(inner.get(4..8)?.try_into().ok()?);
            (seq, usize::from(inner.get(12)? >> 4) * 4)
        }
        17 => (0, 8),
        _ => return None,
    };
    Some(Packet {
        from: SocketAddr::new(from, port(0)?),
        to: SocketAddr::new(to, port(2)?),
        seq,
        payload: inner.get(start..)?.to_vec(),
    })
}

/// The one-time tokens that crossed the network in `config.img`, in the order of their seeing.
pub fn tokens(packets: &[Packet]) -> Vec<String> {
    let begins = |packet: &&Packet| {
        let head =
            String::from_utf8_lossy(packet.payload.get(..400.min(packet.payload.len())).unwrap_or_default())
                .to_ascii_lowercase();
        head.starts_with("http/1.1 200") && head.contains("octet-stream") && head.contains("no-store")
    };
    let mut tokens: Vec<String> = Vec::new();
    for begin in packets.iter().filter(begins) {
        let same = packets.iter().filter(|other| {
            (other.from, other.to) == (begin.from, begin.to) && other.seq.wrapping_sub(begin.seq) < 65_536
        });
        let parts: BTreeMap<u32, &[u8]> =
            same.map(|part| (part.seq.wrapping_sub(begin.seq), part.payload.as_slice())).collect();
        let mut stream = Vec::new();
        for (at, part) in parts {
            let at = at as usize;
            if at <= stream.len() && at + part.len() > stream.len() {
                stream.extend(&part[stream.len() - at..]);
            }
        }
        let Some(gzip) = stream.windows(3).position(|bytes| bytes == [0x1f, 0x8b, 8]) else { continue };
        let mut archive = Vec::new();
        // What follows the archive in the stream is no concern of ours.
        let _ = GzDecoder::new(&stream[gzip..]).read_to_end(&mut archive);
        let text = String::from_utf8_lossy(&archive);
        for rest in text.split("Bearer ").skip(1) {
            let token: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                .collect();
            if token.len() > 16 && !tokens.contains(&token) {
                tokens.push(token);
            }
        }
    }
    tokens
}
