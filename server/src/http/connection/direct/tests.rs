use super::*;
use crate::{
    http::{Peer, connection},
    service::content::Contents,
};
use axum::{
    Extension, Router,
    body::Body,
    extract::{ConnectInfo, Path},
    http::header,
    response::IntoResponse,
    routing::get,
};
use futures_util::stream;
use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// More than a socket takes at once, and no whole number of pieces.
const SIZE: usize = (9 << 20) + 17;

struct Rig {
    address: SocketAddr,
    folder: tempfile::TempDir,
    stop: CancellationToken,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn bytes(name: &str) -> Vec<u8> {
    let salt = name.len();
    (0..SIZE).map(|at| (at ^ (at >> 8) ^ (at >> 16) ^ salt).to_le_bytes()[0]).collect()
}

fn store(folder: &std::path::Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes(name)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    path
}

/// Serves `/FILE/FROM/TO`: those bytes of a file, as the image files of a boot are served.
async fn rig(copied: usize) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "bb"] {
        store(folder.path(), name);
    }
    let (contents, root) = (Contents::default(), folder.path().to_owned());
    let file = |Path((name, from, to)): Path<(String, u64, u64)>,
                Extension(outgoing): Extension<Outgoing>| async move {
        let content = contents.open(&root.join(name)).unwrap();
        outgoing.is(content.clone());
        let pieces = stream::try_unfold((content, from..to), |(content, range)| async move {
            let next = content.next(range).await?;
            Ok::<_, io::Error>(next.map(|(bytes, rest)| (bytes, (content, rest))))
        });
        ([(header::CONTENT_LENGTH, (to - from).to_string())], Body::from_stream(pieces)).into_response()
    };
    let router = Router::new()
        .route("/small", get(|ConnectInfo(_): ConnectInfo<Peer>| async { "small" }))
        .route("/{name}/{from}/{to}", get(file));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop, tasks) = (socket.local_addr().unwrap(), CancellationToken::new(), TaskTracker::new());
    let patience =
        connection::Patience { stall: Duration::from_secs(2), copied, ..connection::Patience::default() };
    tasks.spawn(connection::serve(socket, router, patience, stop.clone(), tasks.clone()));
    Rig { address, folder, stop }
}

fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

/// Reads one head, byte by byte: what follows it stays in the socket.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = time::timeout(Duration::from_secs(10), stream.read_u8()).await.expect("no head").unwrap();
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    head
}

async fn body(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut body = vec![0; len];
    let read = time::timeout(Duration::from_secs(20), stream.read_exact(&mut body)).await;
    read.expect("the body stands still").unwrap();
    body
}

#[test]
fn what_is_of_the_file_is_sent_from_it_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let contents = Contents::default();
    let [ours, other] = ["a", "bb"].map(|name| contents.open(&store(folder.path(), name)).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let piece = |content: &Content| runtime.block_on(content.next(5..1000)).unwrap().unwrap().0;
    let (of_file, of_other) = (piece(&ours), piece(&other));
    let copy = of_file.to_vec();
    let ways = |slices: &[&[u8]]| {
        let slices: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        way(&ours, &slices)
    };
    assert_eq!(ways(&[&of_file]), Way::File(5, 995));
    assert_eq!(ways(&[&of_file[10..20], b"head"]), Way::File(15, 10));
    assert_eq!(ways(&[b"", &of_file]), Way::File(5, 995));
    assert_eq!(ways(&[b"head", b"", &of_file]), Way::Lead(2));
    assert_eq!(ways(&[&copy]), Way::Copied);
    assert_eq!(ways(&[&of_other]), Way::Copied);
    assert_eq!(ways(&[&of_other, &of_file]), Way::Lead(1));
    assert_eq!(ways(&[]), Way::Copied);
    assert_eq!(ways(&[b""]), Way::Copied);
}

/// What this thread has had the kernel read for it, in bytes: sendfile counts, writing does not.
fn read_by_the_kernel() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/io").unwrap();
    text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_file_and_its_parts_arrive_one_after_the_other_on_a_connection() {
    let (when_copied, _) = parts_arrive(1).await;
    let (when_sent_by_the_kernel, sum) = parts_arrive(0).await;
    assert!(
        when_sent_by_the_kernel >= when_copied + sum,
        "it was copied: {when_copied}, {when_sent_by_the_kernel}"
    );
}

/// Gives what the kernel read meanwhile, and how many bytes were asked for.
async fn parts_arrive(copied: usize) -> (u64, u64) {
    let rig = rig(copied).await;
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let whole = bytes("a");
    let (before, mut sum) = (read_by_the_kernel(), 0);
    for (from, to) in [(0, SIZE), (1, 2), (1 << 20, (3 << 20) + 5), (SIZE - 1, SIZE), (0, SIZE)] {
        stream.write_all(request("GET", &format!("/a/{from}/{to}")).as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.contains(&format!("Content-Length: {}\r\n", to - from)));
        assert!(body(&mut stream, to - from).await == whole[from..to], "{from}..{to}");
        sum += to - from;
    }
    let read = read_by_the_kernel() - before;
    stream.write_all(request("HEAD", &format!("/a/0/{SIZE}")).as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.contains(&format!("Content-Length: {SIZE}\r\n")));
    stream.write_all(request("GET", "/small").as_bytes()).await.unwrap();
    head(&mut stream).await;
    assert_eq!(body(&mut stream, 5).await, b"small", "nothing followed the HEAD's answer");
    (read, sum as u64)
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_their_order_from_their_files() {
    let rig = rig(0).await;
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let asked: Vec<(&str, usize, usize)> =
        (0..12).map(|n| (["a", "bb"][n % 2], n * 1000, 2_000_000 + n)).collect();
    let all: String =
        asked.iter().map(|(name, from, to)| request("GET", &format!("/{name}/{from}/{to}"))).collect();
    stream.write_all((all + &request("GET", "/small")).as_bytes()).await.unwrap();
    for (name, from, to) in asked {
        head(&mut stream).await;
        assert!(body(&mut stream, to - from).await == bytes(name)[from..to], "{name} {from}..{to}");
    }
    head(&mut stream).await;
    assert_eq!(body(&mut stream, 5).await, b"small");
}

#[tokio::test]
async fn who_reads_slowly_gets_all_and_who_goes_away_or_reads_nothing_harms_nobody() {
    let rig = rig(0).await;
    let get = request("GET", &format!("/a/0/{SIZE}"));
    let [mut slow, mut gone, mut idle] =
        [(); 3].map(|()| std::net::TcpStream::connect(rig.address).unwrap()).map(|stream| {
            stream.set_nonblocking(true).unwrap();
            TcpStream::from_std(stream).unwrap()
        });
    for stream in [&mut slow, &mut gone, &mut idle] {
        stream.write_all(get.as_bytes()).await.unwrap();
        head(stream).await;
    }
    body(&mut gone, 100_000).await;
    drop(gone);
    // An image that is deleted is still whole for who has begun to load it.
    fs::remove_file(rig.folder.path().join("a")).unwrap();
    let (whole, mut got) = (bytes("a"), Vec::new());
    while got.len() < SIZE {
        time::sleep(Duration::from_millis(20)).await;
        got.extend(body(&mut slow, 100_003.min(SIZE - got.len())).await);
    }
    assert!(got == whole);
    // More than the patience with those who take nothing has passed by now, or will have.
    let mut rest = Vec::new();
    time::sleep(Duration::from_millis(2500)).await;
    let _ = idle.read_to_end(&mut rest).await;
    assert!(rest.len() < SIZE, "the idle one got everything");
}
