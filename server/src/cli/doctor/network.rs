//! The network: interfaces, ports, and who else answers.
use super::Check;
use crate::{
    cli::probe::{
        machine::{DISCOVER, Firmware, Machine, Program},
        verdict::Answer,
        wire::Wire,
    },
    config::Settings,
    dhcp::{
        socket::{Sharing, Socket},
        wire::MessageType,
    },
    errors, interface,
};
use pilotlight_types::Mac;
use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, UdpSocket},
    time::timeout,
};
use uuid::Uuid;

/// How long other servers have for their offers: dnsmasq looks for 3 s whether the address is free.
const OFFERS: Duration = Duration::from_secs(5);

pub(super) fn interfaces(settings: &Settings, runs: bool) -> Vec<Check> {
    if settings.dhcp_interfaces.is_empty() {
        return vec![Check::warn("interface", "DHCP is served on no interface", "see dhcp.interfaces")];
    }
    let mut checks = Vec::new();
    for name in &settings.dhcp_interfaces {
        let addresses = match interface::addresses(name) {
            Ok(addresses) => addresses,
            Err(error) => {
                checks.push(Check::fail(
                    "interface",
                    errors::chain(&error),
                    "name one of them in dhcp.interfaces",
                ));
                continue;
            }
        };
        checks.push(link(name));
        checks.push(match addresses.as_slice() {
            [] => Check::fail(
                "address",
                format!("{name} has no IPv4 address"),
                "give it one of the subnet that it is to serve",
            ),
            all => {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                Check::ok("address", format!("{name} has {}", all.join(", ")))
            }
        });
        if !runs {
            let port = settings.dhcp_port;
            let sharing = if settings.dhcp_share_port { Sharing::Broadcasts } else { Sharing::Alone };
            checks.push(match Socket::bind(name, port, sharing) {
                Ok(_) => Check::ok("dhcp-port", format!("UDP {port} on {name} is free")),
                Err(error) => Check::fail("dhcp-port", errors::chain(&error), "see dhcp.port"),
            });
        }
    }
    checks
}

/// Whether the interface is up, and how large its packets may be.
fn link(name: &str) -> Check {
    const CHECK: &str = "interface";
    let read = |file: &str| fs::read_to_string(format!("/sys/class/net/{name}/{file}")).unwrap_or_default();
    let (state, mtu) = (read("operstate"), read("mtu"));
    // Interfaces without a carrier of their own do not know it.
    let state = if state.trim() == "unknown" { "up" } else { state.trim() };
    let seen = format!("{name} is {state}, MTU {}", mtu.trim());
    match (state, mtu.trim().parse::<u32>()) {
        ("up", Ok(mtu)) if mtu < 1500 => Check::warn(
            CHECK,
            seen,
            "firmware sends packets of 1,500 bytes: raise it, or expect small TFTP blocks",
        ),
        ("up", _) => Check::ok(CHECK, seen),
        _ => Check::fail(CHECK, seen, format!("`ip link set {name} up`, and look at the cable")),
    }
}

/// Whether every port can be had.
pub(super) async fn ports(settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut check = |name: &'static str, address: SocketAddr, error: Option<std::io::Error>| {
        checks.push(match error {
            None => Check::ok(name, format!("{address} is free")),
            Some(error) => Check::fail(
                name,
                format!("{address}: {error}"),
                match error.kind() {
                    ErrorKind::PermissionDenied => {
                        "run doctor as root, or as the daemon runs: ports below 1024 take CAP_NET_BIND_SERVICE"
                    }
                    ErrorKind::AddrNotAvailable => "no interface has that address: see `ip addr`",
                    _ => "see who has it with `ss -lntup`, or choose another",
                },
            ),
        });
    };
    check("http.listen", settings.http, TcpListener::bind(settings.http).await.err());
    check("https.listen", settings.https, TcpListener::bind(settings.https).await.err());
    check("tftp.listen", settings.tftp, UdpSocket::bind(settings.tftp).await.err());
    if let Some(syslog) = settings.syslog {
        let both = async {
            UdpSocket::bind(syslog).await?;
            TcpListener::bind(syslog).await.map(drop)
        };
        check("syslog.listen", syslog, both.await.err());
    }
    checks
}

/// Who else answers DHCP on our interfaces. This host does not hear its own question.
pub(super) async fn others(settings: &Settings) -> Vec<Check> {
    let there = settings.dhcp_interfaces.iter().filter(|name| interface::index(name).is_some());
    futures_util::future::join_all(there.map(|name| others_on(name))).await
}

async fn others_on(name: &str) -> Check {
    const CHECK: &str = "other-dhcp";
    let offers = match offers(name).await {
        Ok(offers) => offers,
        Err(error) => {
            let seen = format!("{name}: nobody could be asked: {error:#}");
            return Check::warn(CHECK, seen, "bring it up, or run doctor as root (CAP_NET_RAW)");
        }
    };
    if offers.is_empty() {
        return Check::ok(CHECK, format!("{name}: nobody else offers anything"));
    }
    let who: Vec<String> = offers
        .values()
        .map(|offer| match (offer.gives_address(), offer.packet.boot_file()) {
            (true, Some(file)) => {
                format!("{} offers {} and boots `{file}`", offer.server(), offer.packet.yiaddr)
            }
            (true, None) => format!("{} offers {}", offer.server(), offer.packet.yiaddr),
            (false, _) => format!("{} is a PXE proxy", offer.server()),
        })
        .collect();
    Check::warn(
        CHECK,
        format!("{name}: {}", who.join("; ")),
        "take it off this network, unless the subnet's mode is made to live beside it",
    )
}

/// The offers of others, one of each server.
async fn offers(name: &str) -> anyhow::Result<BTreeMap<Ipv4Addr, Answer>> {
    let wire = Wire::open(name)?;
    // A machine that nobody has seen: no lease is renewed, and nothing is asked for in the end.
    let [a, b, c]: [u8; 3] = rand::random();
    let mac = Mac::new([0x02, 0x70, 0x6c, a, b, c]);
    let machine =
        Machine { mac, uuid: Uuid::from_bytes(rand::random()), firmware: Firmware::EfiX64, broadcast: true };
    let xid = rand::random();
    let packet = machine.packet(Program::Firmware, DISCOVER, xid, Ipv4Addr::UNSPECIFIED, &[]);
    wire.send((mac, Ipv4Addr::UNSPECIFIED), None, &packet)?;
    let deadline = Instant::now() + OFFERS;
    let mut offers = BTreeMap::new();
    while let Some(received) = wire.reply(xid, deadline).await? {
        if received.packet.kind == Some(MessageType::Offer) {
            let answer = Answer { from: received.from, packet: received.packet };
            offers.entry(answer.server()).or_insert(answer);
        }
    }
    Ok(offers)
}

/// Whether a relay agent is there: its host answers a ping, and does not say that nobody has port 67.
pub(super) async fn relay(relay: Ipv4Addr) -> Check {
    const CHECK: &str = "relay";
    match listens(relay).await {
        Ok(true) => {}
        Ok(false) => {
            let seen = format!("{relay} says that nobody has its UDP port 67");
            return Check::fail(CHECK, seen, "start the relay agent there, or enable the helper address");
        }
        Err(error) => {
            return Check::fail(CHECK, format!("{relay} cannot be reached: {error}"), "add a route to it");
        }
    }
    match ping(relay).await {
        Ok(Some(took)) => Check::ok(
            CHECK,
            format!(
                "{relay} answers a ping in {:.1} ms, and does not refuse UDP port 67",
                took.as_secs_f64() * 1e3
            ),
        ),
        Ok(None) => Check::warn(
            CHECK,
            format!("{relay} answers no ping; it does not refuse UDP port 67 either"),
            "is it on, and is there a way back to here?",
        ),
        Err(error) => Check::warn(
            CHECK,
            format!("{relay}: a ping cannot be sent: {error}"),
            "run doctor with CAP_NET_RAW",
        ),
    }
}

async fn listens(relay: Ipv4Addr) -> std::io::Result<bool> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect((relay, 67)).await?;
    // No DHCP packet: a relay lets it fall.
    socket.send(&[0]).await?;
    match timeout(Duration::from_secs(2), socket.recv(&mut [0; 64])).await {
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(false),
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => Ok(true),
    }
}

/// One echo (RFC 792), and how long it took.
async fn ping(host: Ipv4Addr) -> std::io::Result<Option<Duration>> {
    use socket2::{Domain, Protocol, Socket as Raw, Type};
    let socket = Raw::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    // Raw, and no UDP: what tokio does with the one it does with the other.
    let socket = UdpSocket::from_std(socket.into())?;
    let id: [u8; 2] = rand::random();
    // The checksum (RFC 1071) of three words, of which one is variable: it may carry once.
    let sum = 0x0800 + u32::from(u16::from_be_bytes(id)) + 1;
    let checksum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap_or(u16::MAX);
    let echo = [&[8, 0][..], &checksum.to_be_bytes(), &id, &[0, 1]].concat();
    let began = Instant::now();
    socket.send_to(&echo, (host, 0)).await?;
    let answered = timeout(Duration::from_secs(2), async {
        let mut buffer = [0; 256];
        loop {
            let (size, from) = socket.recv_from(&mut buffer).await?;
            let header = usize::from(buffer.first().copied().unwrap_or_default() & 15) * 4;
            let message = buffer.get(..size).and_then(|packet| packet.get(header..)).unwrap_or_default();
            if from.ip() == host && message.first() == Some(&0) && message.get(4..6) == Some(&id[..]) {
                return std::io::Result::Ok(began.elapsed());
            }
        }
    });
    answered.await.ok().transpose()
}
