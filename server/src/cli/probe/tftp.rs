//! A TFTP client as small as firmware's (RFC 1350, 2347 to 2349): one file, block by block.
use super::wire::own_socket;
use anyhow::{Context, Result, bail, ensure};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::time::timeout;

const WAIT: Duration = Duration::from_secs(2);
const TRIES: u32 = 4;
/// The largest boot program that is believed in.
const LARGEST: usize = 64 << 20;

/// A file that was fetched.
pub(in crate::cli) struct Fetched {
    /// Its length.
    pub(in crate::cli) bytes: usize,
    /// How large its blocks were.
    pub(in crate::cli) block: usize,
    /// The length that the server told beforehand.
    pub(in crate::cli) told: Option<usize>,
}

/// Fetches a file; by way of this interface only, if one is given.
pub(in crate::cli) async fn get(interface: Option<&str>, server: SocketAddr, file: &str) -> Result<Fetched> {
    let any: IpAddr =
        if server.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let socket = own_socket(interface, any, 0)?;
    let mut sent = vec![0, 1];
    for word in [file, "octet", "blksize", "1428", "tsize", "0"] {
        sent.extend(word.as_bytes());
        sent.push(0);
    }
    let mut peer: Option<SocketAddr> = None;
    let mut fetched = Fetched { bytes: 0, block: 512, told: None };
    let (mut block, mut tries, mut buffer) = (0_u16, 0, vec![0; 4096]);
    socket.send_to(&sent, server).await?;
    loop {
        let Ok(got) = timeout(WAIT, socket.recv_from(&mut buffer)).await else {
            tries += 1;
            ensure!(tries < TRIES, "nothing came for {} s", WAIT.as_secs() * u64::from(TRIES));
            socket.send_to(&sent, peer.unwrap_or(server)).await?;
            continue;
        };
        let (size, from) = got.context("nobody listens there")?;
        // Firmware takes answers from the very address that it asked.
        if from.ip() != server.ip() || peer.is_some_and(|peer| peer != from) {
            continue;
        }
        peer = Some(from);
        match buffer.get(..size) {
            Some([0, 6, options @ ..]) => {
                take_options(options, &mut fetched);
                sent = vec![0, 4, 0, 0];
            }
            Some([0, 3, high, low, data @ ..]) => {
                let number = u16::from_be_bytes([*high, *low]);
                if number == block.wrapping_add(1) {
                    (block, tries) = (number, 0);
                    fetched.bytes += data.len();
                    ensure!(fetched.bytes <= LARGEST, "it is larger than any boot program");
                    if data.len() < fetched.block {
                        socket.send_to(&[0, 4, *high, *low], from).await?;
                        return Ok(fetched);
                    }
                }
                sent = [&[0, 4][..], &block.to_be_bytes()].concat();
            }
            Some([0, 5, _, code, text @ ..]) => {
                let text = String::from_utf8_lossy(text.split(|byte| *byte == 0).next().unwrap_or_default());
                bail!("the server says: {} (error {code})", text.escape_debug());
            }
            _ => bail!("what came is no TFTP"),
        }
        socket.send_to(&sent, from).await?;
    }
}

fn take_options(options: &[u8], fetched: &mut Fetched) {
    let words: Vec<_> = options.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    for pair in words.chunks_exact(2) {
        let [name, value] = pair else { continue };
        match (name.to_ascii_lowercase().as_str(), value.parse::<usize>()) {
            ("blksize", Ok(size)) => fetched.block = size,
            ("tsize", Ok(size)) => fetched.told = Some(size),
            _ => {}
        }
    }
}
