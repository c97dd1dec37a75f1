//! On the loopback interface, and between two network namespaces (as root; said and passed over otherwise).
use super::*;
use nix::{sched, unistd};
use std::{
    net::UdpSocket as Std,
    process::Command,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn ip(args: &str) {
    let output = Command::new("ip").args(args.split(' ')).output().expect("package iproute2");
    assert!(output.status.success(), "ip {args}: {output:?}");
}

/// Waits until the kernel has noticed that the cable is in: up to a second after it is, and what is sent before then is dropped.
#[expect(clippy::disallowed_methods, reason = "a thread of its own, or a test that has nothing else to do")]
fn until_up(interface: &str) {
    for _ in 0..100 {
        let output = Command::new("ip").args(["-o", "link", "show", interface]).output().unwrap();
        if String::from_utf8_lossy(&output.stdout).contains("state UP") {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("{interface} does not come up");
}

/// Each side's way to wait for the other.
type Signals = (Sender<()>, Receiver<()>);

/// Runs the client's side in its own namespace on the far end of a cable.
fn at_the_other_end(
    client: impl FnOnce(Signals) + Send + 'static,
) -> Option<(Signals, thread::JoinHandle<()>)> {
    if sched::unshare(sched::CloneFlags::CLONE_NEWNET).is_err() {
        eprintln!("passed over: a network namespace needs root");
        return None;
    }
    let ((tid_out, tid), (here, from_here), (there, from_there)) = (channel(), channel(), channel());
    let handle = thread::spawn(move || {
        sched::unshare(sched::CloneFlags::CLONE_NEWNET).unwrap();
        tid_out.send(unistd::gettid().as_raw()).unwrap();
        from_here.recv().unwrap();
        client((there, from_here));
    });
    ip("link add eth0 type veth peer name far0");
    ip(&format!("link set far0 netns {}", tid.recv().unwrap()));
    ip("addr add 10.77.0.1/24 dev eth0");
    ip("link set eth0 up");
    here.send(()).unwrap();
    Some(((here, from_there), handle))
}

/// A client's socket on the far end: an address without ARP, as a ROM has it before its ACK.
fn rom(port: u16) -> Std {
    ip("addr add 10.77.0.100/24 dev far0");
    ip("link set far0 address 52:54:00:12:34:56 arp off up");
    until_up("far0");
    let socket = Std::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
    socket2::SockRef::from(&socket).bind_device(Some(b"far0")).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

async fn recv(socket: &Socket) -> Datagram {
    tokio::time::timeout(Duration::from_secs(5), socket.recv()).await.expect("nothing came").unwrap()
}

fn hear(socket: &Std) -> (Vec<u8>, String) {
    let mut buffer = [0; 2000];
    let (len, from) = socket.recv_from(&mut buffer).expect("nothing came");
    (buffer[..len].to_vec(), from.to_string())
}

#[test]
fn a_new_client_is_reached_by_broadcast_and_by_its_hardware_address_without_arp() {
    let there = at_the_other_end(|(there, _)| {
        let socket = rom(1068);
        there.send(()).unwrap();
        for content in [&b"to all"[..], b"to one!"] {
            assert_eq!(hear(&socket), (content.to_vec(), "10.77.0.1:1067".to_owned()));
        }
    });
    let Some(((_, from_there), client)) = there else { return };
    runtime().block_on(async {
        let socket = Socket::bind("eth0", 1067, Sharing::Alone).unwrap();
        assert!(socket.has_raw() && !socket.is_stale());
        from_there.recv().unwrap();
        until_up("eth0");
        socket.send(b"to all", Target::Reply(Destination::Broadcast), SERVER).await.unwrap();
        let mac = "52:54:00:12:34:56".parse().unwrap();
        let to = Destination::HardwareUnicast { mac, yiaddr: [10, 77, 0, 100].into() };
        socket.send(b"to one!", Target::Reply(to), SERVER).await.unwrap();
    });
    client.join().unwrap();
}

#[test]
fn what_comes_names_our_address_and_a_relay_is_answered_at_the_server_port() {
    let there = at_the_other_end(|(_, from_here)| {
        let socket = rom(1068);
        ip("link set far0 arp on");
        from_here.recv().unwrap();
        socket.send_to(b"is there a server?", "255.255.255.255:1067").unwrap();
        socket.send_to(b"you!", "10.77.0.2:1067").unwrap();
        let relay = Std::bind("10.77.0.100:1067").unwrap();
        relay.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        from_here.recv().unwrap();
        assert_eq!(hear(&relay), (b"to the relay".to_vec(), "10.77.0.2:1067".to_owned()));
    });
    let Some(((here, _), client)) = there else { return };
    runtime().block_on(async {
        ip("addr add 10.77.0.2/24 dev eth0");
        assert_eq!(interface::addresses("eth0").unwrap(), [SERVER, [10, 77, 0, 2].into()]);
        let socket = Socket::bind("eth0", 1067, Sharing::Alone).unwrap();
        here.send(()).unwrap();
        let first = recv(&socket).await;
        assert_eq!(
            (&first.bytes[..], first.to, first.local),
            (&b"is there a server?"[..], Ipv4Addr::BROADCAST, SERVER)
        );
        assert_eq!(first.from, "10.77.0.100:1068".parse().unwrap());
        let second = recv(&socket).await;
        until_up("eth0");
        assert_eq!((second.to, second.local), ([10, 77, 0, 2].into(), [10, 77, 0, 2].into()));
        here.send(()).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let relay = Target::Reply(Destination::Relay([10, 77, 0, 100].into()));
        socket.send(b"to the relay", relay, second.local).await.unwrap();
    });
    client.join().unwrap();
}

#[test]
fn an_interface_that_is_made_anew_is_noticed() {
    if sched::unshare(sched::CloneFlags::CLONE_NEWNET).is_err() {
        return eprintln!("passed over: a network namespace needs root");
    }
    ip("link add eth9 type veth peer name far9");
    let runtime = runtime();
    let socket = runtime.block_on(async { Socket::bind("eth9", 1067, Sharing::Alone).unwrap() });
    assert!(!socket.is_stale());
    ip("link del eth9");
    assert!(socket.is_stale());
    ip("link add eth8 type veth peer name far8");
    ip("link add eth9 type veth peer name far9");
    assert!(socket.is_stale());
}

#[tokio::test]
async fn an_answer_goes_to_the_client_port_or_to_the_port_that_asked() {
    // The client's port is the next one: until that is free as well.
    let pair = || {
        let server = Socket::bind("lo", 0, Sharing::Alone).unwrap();
        let client = Std::bind((Ipv4Addr::LOCALHOST, server.port().checked_add(1)?)).ok()?;
        Some((server, client))
    };
    let (server, client) = std::iter::repeat_with(pair).flatten().next().unwrap();
    let port = server.port();
    assert!(!server.has_raw(), "no Ethernet there");
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let peer = Std::bind("127.0.0.2:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let local = Ipv4Addr::LOCALHOST;
    for (target, at) in [
        (Target::Reply(Destination::Unicast(local)), &client),
        (Target::Peer(SocketAddrV4::new([127, 0, 0, 2].into(), peer.local_addr().unwrap().port())), &peer),
    ] {
        server.send(b"x", target, local).await.unwrap();
        assert_eq!(hear(at), (b"x".to_vec(), format!("127.0.0.1:{port}")), "{target:?}");
        server.send(b"y", target, [192, 0, 2, 9].into()).await.unwrap();
        assert_eq!(hear(at).0, b"y", "from an address that is not ours: the kernel chooses");
    }
    client.send_to(b"hello", ("127.0.0.3", port)).unwrap();
    let got = recv(&server).await;
    assert_eq!((got.to, got.local), ([127, 0, 0, 3].into(), [127, 0, 0, 3].into()));
}

#[tokio::test]
async fn errors_name_the_interface_the_port_and_a_way_out() {
    let error = Socket::bind("none0", 1067, Sharing::Alone).unwrap_err();
    assert!(matches!(&error, SocketError::NoDevice { interface } if interface == "none0"), "{error}");
    let first = Socket::bind("lo", 0, Sharing::Alone).unwrap();
    let error = Socket::bind("lo", first.port(), Sharing::Alone).unwrap_err();
    assert!(matches!(&error, SocketError::AddrInUse { port, .. } if *port == first.port()), "{error}");
    assert!(error.to_string().contains("on lo") && error.to_string().contains(&first.port().to_string()));
    let denied = SocketError::new("eth1", 67, io::ErrorKind::PermissionDenied.into());
    assert!(denied.to_string().contains("CAP_NET_BIND_SERVICE"), "{denied}");
}
