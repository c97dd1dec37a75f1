//! On the loopback interface. What takes an Ethernet is told by the stories in tests/tests/stories/frames.rs.
use super::*;
use std::{net::UdpSocket as Std, time::Duration};

async fn recv(socket: &Socket) -> Datagram {
    tokio::time::timeout(Duration::from_secs(5), socket.recv()).await.expect("nothing came").unwrap()
}

fn hear(socket: &Std) -> (Vec<u8>, String) {
    let mut buffer = [0; 2000];
    let (len, from) = socket.recv_from(&mut buffer).expect("nothing came");
    (buffer[..len].to_vec(), from.to_string())
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
