use super::*;
use axum::routing::get;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{self, Instant},
};

const LARGE: usize = 64 << 20;

struct Rig {
    address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn rig(patience: Patience) -> Rig {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop, tasks) = (socket.local_addr().unwrap(), CancellationToken::new(), TaskTracker::new());
    let router = Router::new()
        .route("/small", get(|ConnectInfo(peer): ConnectInfo<Peer>| async move { peer.local.to_string() }))
        .route("/large", get(|| async { vec![7; LARGE] }));
    tasks.spawn(serve(socket, router, patience, stop.clone(), tasks.clone()));
    Rig { address, stop }
}

async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 4096];
    let read =
        time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await.expect("no answer").unwrap();
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

const GET: &str = "GET /small HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn headers_are_in_title_case_and_a_connection_serves_again() {
    let rig = rig(Patience::default()).await;
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    for request in [GET, "HEAD /small HTTP/1.1\r\nhost: x\r\n\r\n", GET] {
        let answer = ask(&mut stream, request).await;
        let length = rig.address.to_string().len();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(&format!("\r\nContent-Length: {length}\r\n")), "{answer}");
        assert!(!answer.to_lowercase().contains("transfer-encoding"), "{answer}");
        assert_eq!(answer.ends_with(&rig.address.to_string()), request == GET, "{answer}");
    }
}

#[tokio::test]
async fn who_says_nothing_is_cut_off() {
    let rig = rig(Patience { head: Duration::from_millis(200), ..Patience::default() }).await;
    for said in ["", "GET /sm"] {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let ended = time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "after {said:?} it is still open");
    }
}

#[tokio::test]
async fn who_takes_nothing_is_cut_off_and_who_is_slow_is_not() {
    let rig = rig(Patience { stall: Duration::from_millis(400), ..Patience::default() }).await;
    let request = b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut idle = TcpStream::connect(rig.address).await.unwrap();
    let mut slow = TcpStream::connect(rig.address).await.unwrap();
    idle.write_all(request).await.unwrap();
    slow.write_all(request).await.unwrap();
    let (mut buffer, mut taken, began) = (vec![0; 4 << 20], 0, Instant::now());
    while taken < LARGE {
        time::sleep(Duration::from_millis(50)).await;
        match slow.read(&mut buffer).await.unwrap() {
            0 => panic!("the slow one was cut off after {taken} bytes"),
            read => taken += read,
        }
    }
    time::sleep(Duration::from_millis(800).saturating_sub(began.elapsed())).await;
    let mut rest = Vec::new();
    // Cut off: what was on its way, and then an end before its time.
    let _ = idle.read_to_end(&mut rest).await;
    assert!(rest.len() < LARGE, "the idle one got everything");
}

#[tokio::test]
async fn more_connections_than_allowed_wait_until_one_ends() {
    let rig = rig(Patience { connections: 1, ..Patience::default() }).await;
    let mut first = TcpStream::connect(rig.address).await.unwrap();
    assert!(ask(&mut first, GET).await.contains("200 OK"));
    let mut second = TcpStream::connect(rig.address).await.unwrap();
    second.write_all(GET.as_bytes()).await.unwrap();
    let mut buffer = [0; 4096];
    assert!(time::timeout(Duration::from_millis(200), second.read(&mut buffer)).await.is_err(), "it waits");
    drop(first);
    let read =
        time::timeout(Duration::from_secs(5), second.read(&mut buffer)).await.expect("its turn").unwrap();
    assert!(String::from_utf8_lossy(&buffer[..read]).contains("200 OK"));
}

#[tokio::test]
async fn an_answer_under_way_is_finished_when_the_daemon_stops() {
    let rig = rig(Patience::default()).await;
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).await.unwrap();
    rig.stop.cancel();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > LARGE, "{} bytes came", rest.len());
    assert!(TcpStream::connect(rig.address).await.is_err() || rig.stop.is_cancelled());
}
