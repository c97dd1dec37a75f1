use super::*;
use crate::dhcp::{
    socket::Sharing,
    wire::{MessageType, options},
};
use crate::reception;
use std::{
    net::UdpSocket,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

/// Offers to who discovers; is slow, silent or clumsy for machines whose transaction id says so.
struct Clerk {
    outcomes: Mutex<Vec<Outcome>>,
    arrivals: Mutex<Vec<Arrival>>,
    thought: AtomicBool,
}

impl Handler for Clerk {
    async fn handle(&self, request: Request, arrival: Arrival) -> Answered {
        let local = arrival.local;
        self.arrivals.lock().unwrap().push(arrival);
        match request.xid {
            1 => {
                time::sleep(Duration::from_secs(1)).await;
                self.thought.store(true, Ordering::Relaxed);
            }
            2 => return Answered::silent("unknown machine"),
            _ => {}
        }
        if request.kind == MessageType::Request {
            return Answered::with(Reply::nak(local, "no"));
        }
        Answered::with(Reply { yiaddr: Some([127, 0, 0, 9].into()), ..Reply::new(ReplyKind::Offer, local) })
    }

    fn count(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap().push(outcome);
    }
}

struct Rig {
    clerk: Arc<Clerk>,
    port: u16,
    client: UdpSocket,
    stop: CancellationToken,
    tasks: TaskTracker,
}

fn rig(role: Role, settings: Settings) -> Rig {
    // The client's port is the next one: until that is free as well.
    let pair = || {
        let socket = Socket::bind("lo", 0, Sharing::Alone).unwrap();
        let client = UdpSocket::bind(("127.0.0.1", socket.port().checked_add(1)?)).ok()?;
        Some((socket, client))
    };
    let (socket, client) = std::iter::repeat_with(pair).flatten().next().unwrap();
    let port = socket.port();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let clerk = Arc::new(Clerk {
        outcomes: Mutex::default(),
        arrivals: Mutex::default(),
        thought: AtomicBool::default(),
    });
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let listener = Listener::new(socket, role, clerk.clone(), settings);
    tasks.spawn(reception::run(listener, stop.clone(), tasks.clone()));
    Rig { clerk, port, client, stop, tasks }
}

impl Rig {
    fn send(&self, from: &UdpSocket, kind: u8, xid: u8) {
        let mut packet = vec![0; 240];
        packet[..3].copy_from_slice(&[1, 1, 6]);
        packet[7] = xid;
        packet[12..16].copy_from_slice(&[127, 0, 0, 1]);
        packet[28..34].copy_from_slice(&[0x52, 0x54, 0, 0, 0, 1]);
        packet[236..240].copy_from_slice(&[99, 130, 83, 99]);
        options::write(&mut packet, 53, &[kind]);
        from.send_to(&packet, ("127.0.0.1", self.port)).unwrap();
    }

    /// Waits until so many packets are counted.
    async fn outcomes(&self, many: usize) -> Vec<Outcome> {
        for _ in 0..500 {
            if self.clerk.outcomes.lock().unwrap().len() >= many {
                break;
            }
            time::sleep(Duration::from_millis(10)).await;
        }
        self.clerk.outcomes.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_in_is_an_answer_out_and_one_outcome() {
    let rig = rig(Role::Server, Settings::default());
    rig.send(&rig.client, 1, 0);
    let mut buffer = [0; 2000];
    let (len, from) = rig.client.recv_from(&mut buffer).unwrap();
    assert_eq!((len, buffer[0], from.port()), (300, 2, rig.port));
    assert_eq!(buffer[16..20], [127, 0, 0, 9]);
    rig.send(&rig.client, 1, 2);
    rig.client.send_to(b"junk", ("127.0.0.1", rig.port)).unwrap();
    let mut outcomes = rig.outcomes(3).await;
    outcomes.sort_by_key(|outcome| outcome.name());
    assert_eq!(outcomes, [Outcome::Malformed, Outcome::Offered, Outcome::Silent("unknown machine")]);
    let arrivals = rig.clerk.arrivals.lock().unwrap().clone();
    assert_eq!((&*arrivals[0].interface, arrivals[0].local), ("lo", Ipv4Addr::LOCALHOST));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_4011_the_answer_goes_to_the_port_that_asked() {
    let rig = rig(Role::BootServer, Settings::default());
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    rig.send(&other, 1, 0);
    assert_eq!(other.recv_from(&mut [0; 2000]).unwrap().1.port(), rig.port);
    assert_eq!(rig.clerk.arrivals.lock().unwrap()[0].role, Role::BootServer);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_answers_are_not_sent_and_too_many_at_once_are_not_begun() {
    let rig = rig(Role::Server, Settings { in_flight: 1, deadline: Duration::from_millis(300) });
    rig.send(&rig.client, 1, 1);
    rig.send(&rig.client, 1, 0);
    assert_eq!(rig.outcomes(2).await, [Outcome::Overloaded, Outcome::TimedOut]);
    assert!(!rig.clerk.thought.load(Ordering::Relaxed));
    // What is not sent any more is thought to its end all the same: something may have been written down.
    while !rig.clerk.thought.load(Ordering::Relaxed) {
        time::sleep(Duration::from_millis(10)).await;
    }
    time::sleep(Duration::from_millis(100)).await;
    rig.send(&rig.client, 1, 0);
    assert_eq!(rig.outcomes(3).await[2], Outcome::Offered, "and then there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_recorded_as_such_and_the_next_is_served() {
    let rig = rig(Role::Server, Settings::default());
    rig.send(&rig.client, 3, 0); // its nak is a broadcast, and there is none on the loopback interface
    let first = rig.outcomes(1).await;
    assert!(matches!(first[..], [Outcome::Failed | Outcome::Naked]), "{first:?}");
    rig.send(&rig.client, 1, 0);
    assert_eq!(rig.outcomes(2).await[1], Outcome::Offered);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_when_told() {
    let rig = rig(Role::Server, Settings::default());
    rig.stop.cancel();
    rig.tasks.close();
    time::timeout(Duration::from_secs(2), rig.tasks.wait()).await.expect("it goes on");
}
