//! Files by HTTP whose bytes are counted and thrown away in the kernel: what a thousand machines load costs one core little.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long iPXE and curl wait for a connection: iPXE's TCP gives up after some 45 s of SYNs, as does curl by its own default of
/// minutes; the shorter counts for both.
const CONNECT: Duration = Duration::from_secs(45);

/// How long a connection may bring nothing: iPXE's TCP and the initramfs's curl are both given up on by then.
const SILENCE: Duration = Duration::from_secs(60);

/// The longest head of a response.
const HEAD: usize = 16 << 10;

/// How much is thrown away at once.
const PIECE: usize = 1 << 20;

/// What came.
#[derive(Debug)]
pub(super) struct Body {
    /// Its first bytes, as many as were asked for.
    pub kept: Vec<u8>,
    /// All of them.
    pub bytes: u64,
}

/// Fetches `url` from the address `own`, and keeps a body of up to `keep` bytes.
pub(super) async fn get(own: Ipv4Addr, url: &str, keep: u64) -> Result<Body> {
    let fetched = async {
        let url = reqwest::Url::parse(url)?;
        let mut stream = timeout(CONNECT, connect(own, &url)).await.context("no connection")??;
        let path = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let host = url.host_str().unwrap_or_default();
        let request = format!(
            "GET {path} HTTP/1.1\r\nConnection: close\r\nUser-Agent: iPXE/1.0.0+\r\nHost: {host}:{}\r\n\r\n",
            url.port_or_known_default().unwrap_or(80)
        );
        stream.write_all(request.as_bytes()).await?;
        let (length, mut kept) = head(&mut stream).await?;
        let mut bytes = u64::try_from(kept.len())?;
        if length <= keep {
            while bytes < length {
                let got =
                    timeout(SILENCE, stream.read_buf(&mut kept)).await.context("it came to a halt")??;
                ensure!(got > 0, "{bytes} bytes came of {length}");
                bytes = u64::try_from(kept.len())?;
            }
        } else {
            kept.clear();
            bytes = discard(&stream, bytes, length).await?;
        }
        Ok(Body { kept, bytes })
    };
    let fetched: Result<Body> = fetched.await;
    fetched.with_context(|| format!("{url} from {own}"))
}

async fn connect(own: Ipv4Addr, url: &reqwest::Url) -> Result<TcpStream> {
    let address = url.host_str().context("a URL without a host")?.parse()?;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((own, 0).into())?;
    let stream = socket.connect(SocketAddr::new(address, url.port_or_known_default().unwrap_or(80))).await?;
    Ok(stream)
}

/// The response's `Content-Length`, and what came of its body with the head.
async fn head(stream: &mut TcpStream) -> Result<(u64, Vec<u8>)> {
    let mut read = Vec::with_capacity(2048);
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            let head = String::from_utf8_lossy(&read);
            let mut lines = head.lines();
            let status = lines.next().unwrap_or_default();
            ensure!(status.split(' ').nth(1) == Some("200"), "{status}");
            let length = lines.find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            return Ok((length.context("a response without a length")?, body));
        }
        ensure!(read.len() < HEAD, "the response's head has no end");
        let got = timeout(SILENCE, stream.read_buf(&mut read)).await.context("no response")??;
        ensure!(got > 0, "the connection was closed before a response");
    }
}

/// Takes the rest of a body; gives its length.
async fn discard(stream: &TcpStream, mut bytes: u64, length: u64) -> Result<u64> {
    // With MSG_TRUNC the kernel drops what TCP has, and writes nothing here (tcp(7)).
    let mut unused = vec![0; PIECE];
    while bytes < length {
        let take = stream.async_io(Interest::READABLE, || {
            match recv(stream.as_raw_fd(), &mut unused, MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EINTR) => Err(Errno::EAGAIN.into()),
                other => other.map_err(Into::into),
            }
        });
        let got = timeout(SILENCE, take).await.context("it came to a halt")??;
        if got == 0 {
            bail!("{bytes} bytes came of {length}");
        }
        bytes += u64::try_from(got)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// One response to one request.
    async fn answered(response: Vec<u8>, keep: u64) -> Result<Body> {
        let server = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/boot/x?mac=1", server.local_addr()?);
        let serve = async {
            let (mut stream, _) = server.accept().await?;
            let mut request = vec![0; 1000];
            let len = stream.read(&mut request).await?;
            stream.write_all(&response).await?;
            anyhow::Ok(String::from_utf8_lossy(&request[..len]).into_owned())
        };
        let (request, body) = tokio::join!(serve, get(Ipv4Addr::LOCALHOST, &url, keep));
        assert!(request?.starts_with("GET /boot/x?mac=1 HTTP/1.1\r\n"));
        body
    }

    #[tokio::test]
    async fn a_small_body_is_kept_and_a_large_one_is_counted() {
        let small = answered(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".into(), 10).await.unwrap();
        assert_eq!((small.kept.as_slice(), small.bytes), (b"hello".as_slice(), 5));
        let mut response = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n".to_vec();
        response.extend(vec![7; 3_000_000]);
        let large = answered(response, 10).await.unwrap();
        assert_eq!((large.kept.len(), large.bytes), (0, 3_000_000));
    }

    #[tokio::test]
    async fn what_is_cut_short_or_refused_is_an_error() {
        for response in [
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
            "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nno length",
            "HTTP/1.1 200",
        ] {
            for keep in [0, 1000] {
                assert!(answered(response.into(), keep).await.is_err(), "{response}");
            }
        }
    }
}
