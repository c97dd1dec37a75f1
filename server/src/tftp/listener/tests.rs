//! Against real clients (packages atftp, curl and tftp-hpa), and against one of our own for what those do not
//! do.
use super::*;
use crate::tftp::transfer::Content;
use std::{net::Ipv4Addr, path::Path, process::Stdio, time::Duration};
use tokio::{process::Command, sync::mpsc};

const SMALL: &str = "snponly.efi";
const BIG: &str = "big.img";
const BIG_LEN: usize = 40_000_000;

struct Shelf {
    reports: mpsc::UnboundedSender<Report>,
}

fn bytes(name: &str) -> Option<Vec<u8>> {
    let len = match name {
        SMALL | "boot/snponly.efi" => 300_001,
        BIG => BIG_LEN,
        "empty" => 0,
        _ => return None,
    };
    let mut state = 1_u32;
    Some(std::iter::repeat_with(|| random(&mut state) as u8).take(len).collect())
}

fn random(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

impl Files for Shelf {
    fn open(&self, name: &str, _: SocketAddr, _: IpAddr) -> Result<File, FileError> {
        if name == "secret" {
            return Err(FileError::Denied);
        }
        let content: Content = Arc::new(bytes(name).ok_or(FileError::NotFound)?);
        Ok(content.into())
    }

    fn done(&self, report: Report) {
        let _ = self.reports.send(report);
    }
}

/// A server on a port of its own, until it is dropped.
struct Rig {
    port: u16,
    reports: mpsc::UnboundedReceiver<Report>,
    stop: CancellationToken,
    dir: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Rig {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let listener =
            Listener::bind("0.0.0.0:0".parse().unwrap(), Shelf { reports: sender }, settings).unwrap();
        let (port, stop, tasks) = (listener.address().port(), CancellationToken::new(), TaskTracker::new());
        tasks.spawn(listener.run(stop.clone(), tasks.clone()));
        Self { port, reports, stop, dir: tempfile::tempdir().unwrap() }
    }

    async fn report(&mut self) -> Report {
        time::timeout(Duration::from_secs(20), self.reports.recv()).await.expect("no report").unwrap()
    }

    fn out(&self) -> std::path::PathBuf {
        self.dir.path().join("out")
    }

    async fn client(&self) -> Client {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Client { socket, server: (Ipv4Addr::LOCALHOST, self.port).into() }
    }

    async fn atftp(&self, options: &[&str], name: &str, port: u16) {
        let port = port.to_string();
        let mut args: Vec<&str> = options.iter().flat_map(|option| ["--option", option]).collect();
        let out = self.out();
        args.extend(["-g", "-r", name, "-l", out.to_str().unwrap(), "127.0.0.1", &port]);
        run("atftp", &args, self.dir.path()).await;
    }

    fn received(&self, name: &str) {
        let got = std::fs::read(self.out()).unwrap();
        assert!(
            Some(&got) == bytes(name).as_ref(),
            "{name} arrived with {} bytes, and not as it is",
            got.len()
        );
    }
}

async fn run(program: &str, args: &[&str], dir: &Path) {
    let child = Command::new(program).args(args).current_dir(dir).stdin(Stdio::null()).output();
    let output = time::timeout(Duration::from_secs(120), child).await.expect("the client hangs");
    let output = output.unwrap_or_else(|error| panic!("{program} (packages atftp, curl, tftp-hpa): {error}"));
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

/// A client that does as it is told.
struct Client {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Client {
    async fn ask(&self, request: &ReadRequest) {
        self.socket.send_to(&request.encode(), self.server).await.unwrap();
    }

    async fn hear(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = vec![0; 2048];
        let heard = time::timeout(Duration::from_secs(5), self.socket.recv_from(&mut buffer)).await;
        let (len, from) = heard.expect("the server says nothing").unwrap();
        buffer.truncate(len);
        (buffer, from)
    }

    /// Takes the rest of a transfer, block by block, from the packet that it has.
    async fn finish(&self, mut packet: Vec<u8>, from: SocketAddr, block_size: usize) -> usize {
        let (mut len, mut expected) = (0, 0_u16);
        loop {
            let block = if packet[1] == 6 { 0 } else { u16::from_be_bytes([packet[2], packet[3]]) };
            if packet[1] == 3 && block == expected.wrapping_add(1) {
                (expected, len) = (block, len + packet.len() - 4);
            }
            self.socket.send_to(&codec::encode_ack(block), from).await.unwrap();
            if packet[1] == 3 && packet.len() < block_size + 4 {
                return len;
            }
            packet = self.hear().await.0;
        }
    }
}

fn ask(name: &str) -> ReadRequest {
    ReadRequest { name: name.into(), ..ReadRequest::default() }
}

fn probe(name: &str) -> ReadRequest {
    ReadRequest { transfer_size: true, block_size: Some(1468), ..ask(name) }
}

#[tokio::test]
async fn atftp_takes_a_file_in_windows() {
    let mut rig = Rig::new();
    rig.atftp(&["blksize 1468", "windowsize 16"], SMALL, rig.port).await;
    rig.received(SMALL);
    let report = rig.report().await;
    assert_eq!((report.outcome, report.bytes, report.resent), (Outcome::Sent, 300_001, 0));
    assert_eq!((report.name.as_str(), report.local), (SMALL, Ipv4Addr::LOCALHOST.into()));
}

#[tokio::test]
async fn curl_and_tftp_hpa_take_a_file() {
    let mut rig = Rig::new();
    let url = format!("tftp://127.0.0.1:{}//boot/{SMALL}", rig.port);
    run(
        "curl",
        &["-s", "-S", "--tftp-blksize", "1400", "-o", rig.out().to_str().unwrap(), &url],
        rig.dir.path(),
    )
    .await;
    rig.received(SMALL);
    assert_eq!(rig.report().await.name, "boot/snponly.efi");
    let (port, out) = (rig.port.to_string(), rig.out());
    std::fs::remove_file(&out).unwrap();
    let args = ["-m", "binary", "127.0.0.1", &port, "-c", "get", SMALL, out.to_str().unwrap()];
    run("tftp", &args, rig.dir.path()).await;
    rig.received(SMALL);
    assert_eq!(rig.report().await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn forty_megabytes_in_blocks_of_512_pass_the_end_of_the_block_numbers() {
    let mut rig = Rig::new();
    for options in [&["blksize 512"][..], &["blksize 512", "windowsize 32"]] {
        rig.atftp(options, BIG, rig.port).await;
        rig.received(BIG);
        assert_eq!(rig.report().await.bytes, BIG_LEN as u64);
    }
}

/// Passes datagrams between one client and the server, and loses some both ways.
async fn lossy(server: u16, percent: u32) -> u16 {
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = near.local_addr().unwrap().port();
    TaskTracker::new().spawn(async move {
        let (mut client, mut transfer): (Option<SocketAddr>, Option<SocketAddr>) = (None, None);
        let (mut one, mut two, mut state) = (vec![0; 2048], vec![0; 2048], 7_u32);
        loop {
            tokio::select! {
                Ok((len, from)) = near.recv_from(&mut one) => {
                    client = Some(from);
                    let to = if one[1] == 1 { None } else { transfer };
                    if random(&mut state) % 100 >= percent {
                        let _ = far.send_to(&one[..len], to.unwrap_or((Ipv4Addr::LOCALHOST, server).into())).await;
                    }
                }
                Ok((len, from)) = far.recv_from(&mut two) => {
                    transfer = Some(from);
                    if random(&mut state) % 100 >= percent {
                        let _ = near.send_to(&two[..len], client.unwrap()).await;
                    }
                }
            }
        }
    });
    port
}

#[tokio::test]
async fn a_file_arrives_over_a_wire_that_loses_packets() {
    let mut rig = Rig::new();
    let port = lossy(rig.port, 2).await;
    for options in [&["blksize 1468", "windowsize 16"][..], &["blksize 1468"]] {
        rig.atftp(options, SMALL, port).await;
        rig.received(SMALL);
        let report = rig.report().await;
        assert_eq!(report.outcome, Outcome::Sent);
        assert!(report.resent > 0);
    }
}

#[tokio::test]
async fn after_asking_for_the_size_and_giving_up_a_client_is_served_at_the_same_port() {
    let mut rig = Rig::new();
    let client = rig.client().await;
    client.ask(&probe(SMALL)).await;
    let (packet, from) = client.hear().await;
    assert_eq!(packet, b"\0\x06tsize\x00300001\0blksize\x001468\0");
    client.socket.send_to(b"\0\x05\0\x08TFTP Aborted\0", from).await.unwrap();
    let report = rig.report().await;
    assert_eq!(report.outcome, Outcome::AbortedByClient { code: 8, message: "TFTP Aborted".into() });
    client.ask(&probe(SMALL)).await;
    let (packet, from) = client.hear().await;
    assert_eq!(client.finish(packet, from, 1468).await, 300_001);
    assert_eq!(rig.report().await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn a_new_request_from_the_same_port_replaces_the_old_and_a_copy_does_not() {
    let mut rig = Rig::new();
    let client = rig.client().await;
    client.ask(&probe(SMALL)).await;
    let (_, first) = client.hear().await;
    client.ask(&probe(SMALL)).await;
    assert_eq!(rig.report().await.outcome, Outcome::Duplicate);
    client.ask(&ask(SMALL)).await;
    let (packet, second) = client.hear().await;
    assert_eq!(rig.report().await.outcome, Outcome::Replaced);
    assert_ne!(first, second);
    assert_eq!(client.finish(packet, second, 512).await, 300_001);
    assert_eq!(rig.report().await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn whoever_lost_the_oack_and_asks_again_gets_it_again_at_once_from_the_same_port() {
    let mut rig = Rig::new();
    let client = rig.client().await;
    // The client's own time is longer than all of this takes: nothing comes of ours.
    let request = ReadRequest { timeout: Some(60), ..probe(SMALL) };
    client.ask(&request).await;
    let (oack, transfer) = client.hear().await;
    for _ in 0..2 {
        time::sleep(Duration::from_millis(150)).await;
        client.ask(&request).await;
        assert_eq!(client.hear().await, (oack.clone(), transfer));
        assert_eq!(rig.report().await.outcome, Outcome::Duplicate);
    }
    assert_eq!(client.finish(oack, transfer, 1468).await, 300_001);
    let report = rig.report().await;
    assert_eq!((report.outcome, report.resent), (Outcome::Sent, 2));
}

#[tokio::test]
async fn answers_come_from_the_address_that_was_asked() {
    let mut rig = Rig::new();
    let client = Client { server: ([127, 0, 0, 5], rig.port).into(), ..rig.client().await };
    client.ask(&ask("empty")).await;
    let (packet, from) = client.hear().await;
    assert_eq!(from.ip(), IpAddr::from([127, 0, 0, 5]));
    assert_eq!(client.finish(packet, from, 512).await, 0);
    assert_eq!(rig.report().await.local, IpAddr::from([127, 0, 0, 5]));
    client.ask(&ask("none")).await;
    assert_eq!(client.hear().await.1.ip(), IpAddr::from([127, 0, 0, 5]), "errors too");
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_at_once_and_junk_is_not_answered() {
    let mut rig = Rig::new();
    for (name, code, refusal) in [
        ("revocations.efi", 1, Refusal::NotFound),
        ("secret", 2, Refusal::Denied),
        ("../etc/passwd", 1, Refusal::BadName),
        ("\u{fffd}\u{1}\n", 1, Refusal::BadName),
        ("", 1, Refusal::BadName),
    ] {
        let client = rig.client().await;
        client.ask(&ask(name)).await;
        assert_eq!(client.hear().await.0[..4], [0, 5, 0, code], "{name}");
        assert_eq!(rig.report().await.outcome, Outcome::Refused(refusal));
    }
    let client = rig.client().await;
    client.socket.send_to(b"\0\x02f\0octet\0", client.server).await.unwrap();
    assert_eq!(client.hear().await.0[..4], [0, 5, 0, 2]);
    assert_eq!(rig.report().await.outcome, Outcome::Refused(Refusal::Write));
    for junk in [&b""[..], b"\0\x05\0\0\0", b"\0\x04\0\0", b"\xff"] {
        client.socket.send_to(junk, client.server).await.unwrap();
        assert_eq!(rig.report().await.outcome, Outcome::Malformed);
    }
    assert!(time::timeout(Duration::from_millis(50), client.socket.recv(&mut [0; 9])).await.is_err());
}

#[tokio::test]
async fn more_transfers_than_allowed_are_not_begun_and_not_refused() {
    let mut rig = Rig::with(Settings { transfers: 1, ..Settings::default() });
    let (first, second) = (rig.client().await, rig.client().await);
    first.ask(&ask(SMALL)).await;
    let (packet, from) = first.hear().await;
    second.ask(&ask(SMALL)).await;
    assert_eq!(rig.report().await.outcome, Outcome::Overloaded);
    assert_eq!(first.finish(packet, from, 512).await, 300_001);
    assert_eq!(rig.report().await.outcome, Outcome::Sent);
    second.ask(&ask("empty")).await;
    assert_eq!(second.hear().await.0.len(), 4, "its next try");
}

#[tokio::test]
async fn one_address_does_not_take_every_transfer() {
    let mut rig = Rig::with(Settings { transfers_each: 2, ..Settings::default() });
    let (first, second, third) = (rig.client().await, rig.client().await, rig.client().await);
    for client in [&first, &second] {
        client.ask(&ask(SMALL)).await;
        client.hear().await;
    }
    third.ask(&ask(SMALL)).await;
    assert_eq!(rig.report().await.outcome, Outcome::Overloaded);
    let other = UdpSocket::bind("127.0.0.7:0").await.unwrap();
    let other = Client { socket: other, server: third.server };
    other.ask(&ask("empty")).await;
    assert_eq!(other.hear().await.0.len(), 4, "another address is served");
}

#[tokio::test]
async fn a_transfer_that_runs_ends_when_the_daemon_does() {
    let mut rig = Rig::new();
    let client = rig.client().await;
    client.ask(&ask(SMALL)).await;
    let (packet, from) = client.hear().await;
    rig.stop.cancel();
    assert_eq!(client.finish(packet, from, 512).await, 300_001, "it has some seconds");
    assert_eq!(rig.report().await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_transfer() {
    let mut rig = Rig::new();
    let client = rig.client().await;
    client.ask(&ask(SMALL)).await;
    client.hear().await;
    drop(client);
    let outcome = rig.report().await.outcome;
    assert!(matches!(outcome, Outcome::AbortedByClient { code: 0, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let rig = Rig::new();
    let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, rig.port));
    let (reports, _) = mpsc::unbounded_channel();
    let error = Listener::bind(listen, Shelf { reports }, Settings::default()).err().unwrap();
    assert!(matches!(error, ListenError::InUse(at) if at == listen), "{error}");
    assert!(error.to_string().contains(&listen.to_string()));
}
