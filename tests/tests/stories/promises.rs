//! What the daemon promises of every packet, whatever happens to it: who was told that an address is theirs has it after any crash, and
//! each packet has exactly one outcome.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pilotlight_tests::fleet;
use pilotlight_tests::rack::Host;
use pilotlight_types::Mac;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::dhcp::{ACK, DISCOVER, Message, NAK, OFFER, REQUEST, packet};
use crate::net::{NONE, Net, SERVER};
use crate::rig::{document, skipped};

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 80, 0, 1);
const CRASHES: u32 = 8;

fn mac(number: u32) -> Mac {
    let [a, b, c, d] = number.to_be_bytes();
    Mac::new([0x02, 0x50, a, b, c, d])
}

/// Clients behind a relay, all at one socket; what each was told last.
struct Clients {
    socket: UdpSocket,
    told: BTreeMap<u32, Ipv4Addr>,
    /// Leases that were refused to their holders.
    lost: Vec<String>,
    renewed: usize,
}

impl Clients {
    fn ask(&self, client: u32, kind: u8, ciaddr: Ipv4Addr, options: &[(u8, &[u8])]) -> Result<()> {
        let packet = packet(mac(client), client, kind, [ciaddr, RELAY], options)?;
        self.socket.send_to(&packet, (SERVER, 67))?;
        Ok(())
    }

    fn answer(&self) -> Option<Message> {
        let mut buffer = [0; 2048];
        let length = self.socket.recv(&mut buffer).ok()?;
        Message::parse(buffer.get(..length)?).ok()
    }

    /// New clients come, a few at once, and those that were there before renew what they have; until it is enough.
    fn come_and_renew(&mut self, enough: &AtomicBool) -> Result<()> {
        let mut next = 1;
        while !enough.load(Ordering::Relaxed) && next < 3000 {
            for client in next..next + 8 {
                self.ask(client, DISCOVER, NONE, &[])?;
            }
            next += 8;
            let renews = self.told.iter().rev().step_by(5).take(4);
            for (client, address) in renews {
                self.ask(*client, REQUEST, *address, &[])?;
            }
            while let Some(message) = self.answer() {
                self.take(&message)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, message: &Message) -> Result<()> {
        let client = message.xid;
        match message.kind {
            OFFER => {
                let server = SERVER.octets();
                self.ask(client, REQUEST, NONE, &[(50, &message.yiaddr.octets()), (54, &server)])?;
            }
            ACK => match self.told.insert(client, message.yiaddr) {
                Some(before) if before == message.yiaddr => self.renewed += 1,
                Some(before) => self.lost.push(format!("{client} had {before}, now {}", message.yiaddr)),
                None => {}
            },
            // Refused after a crash: the offer was not kept, and somebody else has the address. That was no promise.
            NAK if !self.told.contains_key(&client) => {}
            _ => self.lost.push(format!("{client} was told {:?}: {message:?}", self.told.get(&client))),
        }
        Ok(())
    }
}

fn at_the_relay(hall: &Host) -> Result<Clients> {
    fleet::own("10.80.0.0/20".parse()?)?;
    let socket = UdpSocket::bind(SocketAddrV4::new(RELAY, 67)).with_context(|| hall.name().to_owned())?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    Ok(Clients { socket, told: BTreeMap::new(), lost: Vec::new(), renewed: 0 })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_that_an_address_is_theirs_has_it_after_any_crash() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let spec = json!({
        "cidr": "10.80.0.0/20", "mode": "authoritative", "ranges": ["10.80.1.0-10.80.15.254"], "lease": "1h", "bootLease": "1h",
        "unknown": "discover", "keepForDeclared": 0,
    });
    let mut net = Net::start("plcrash", &[document("Subnet", "hall", spec)]).await?;
    let hall = net.rack.host("hall", Some("10.77.0.2/24".parse()?))?;
    net.rack.ip("route add 10.80.0.0/20 via 10.77.0.2")?;

    let enough = Arc::new(AtomicBool::new(false));
    let load = {
        let enough = Arc::clone(&enough);
        spawn_blocking(move || {
            let clients = hall.inside(|| -> Result<Clients> {
                let mut clients = at_the_relay(&hall)?;
                clients.come_and_renew(&enough)?;
                Ok(clients)
            })??;
            Ok::<_, anyhow::Error>((hall, clients))
        })
    };
    let mut moments = StdRng::seed_from_u64(9);
    for _ in 0..CRASHES {
        sleep(Duration::from_millis(moments.random_range(100..900))).await;
        net.rig.daemon.restart().await?;
    }
    enough.store(true, Ordering::Relaxed);
    let (hall, clients) = load.await??;
    net.rig.daemon.restart().await?;

    ensure!(clients.lost.is_empty(), "{:#?}", clients.lost);
    ensure!(
        clients.told.len() > 50 && clients.renewed > 10,
        "{} came, {} renewed",
        clients.told.len(),
        clients.renewed
    );
    let mut by_address: BTreeMap<Ipv4Addr, u32> = BTreeMap::new();
    for (client, address) in &clients.told {
        if let Some(other) = by_address.insert(*address, *client) {
            anyhow::bail!("{address} was given to {other} and to {client}");
        }
    }
    let held = net.counted("pilotlight_leases_held{subnet=\"hall\"}").await?;
    ensure!(held >= clients.told.len() as u64, "{held} of {} are held", clients.told.len());
    // An address that the daemon had forgotten would be given to whoever asks for it.
    let (told, given) = spawn_blocking(move || -> Result<_> {
        let mut given = Vec::new();
        for (thief, address) in (1_000_000..).zip(clients.told.values()) {
            clients.ask(thief, REQUEST, NONE, &[(50, &address.octets())])?;
            let deadline = Instant::now() + Duration::from_secs(20);
            let answer = loop {
                ensure!(Instant::now() < deadline, "no answer to {thief}, who asks for {address}");
                match clients.answer() {
                    Some(message) if message.xid == thief => break message,
                    _ => {}
                }
            };
            if answer.kind != NAK {
                given.push(*address);
            }
        }
        drop(hall);
        Ok((clients.told.len(), given))
    })
    .await??;
    eprintln!("{told} clients were told of an address, through {CRASHES} crashes");
    ensure!(given.is_empty(), "given to others: {given:?}");
    Ok(())
}

/// The packets that fuzzing begins with, each as it is and damaged.
fn hostile(target: &str, chance: &mut StdRng) -> Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    let mut packets = Vec::new();
    for path in paths {
        let whole = fs::read(path)?;
        for damage in 0..6_usize {
            let mut packet = whole.clone();
            for _ in 0..damage * 3 {
                let place = chance.random_range(0..packet.len().max(1));
                if let Some(byte) = packet.get_mut(place) {
                    *byte = chance.random();
                }
            }
            if damage == 5 {
                packet.truncate(chance.random_range(0..=packet.len()));
            }
            packets.push(packet);
        }
    }
    Ok(packets)
}

/// The sum of a counter over all its labels.
async fn sum(net: &Net, metric: &str) -> Result<u64> {
    let text = net.rig.admin.request(reqwest::Method::GET, "/metrics", &[], None).await?.text();
    let values =
        text.lines().filter_map(|line| line.strip_prefix(metric)?.rsplit(' ').next()?.parse::<u64>().ok());
    Ok(values.sum())
}

async fn each_is_counted_once(net: &Net, metric: &str, sent: u64, before: u64) -> Result<()> {
    let mut counted = 0;
    for _ in 0..600 {
        counted = sum(net, metric).await? - before;
        if counted >= sent {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    // And none of them twice, a moment later.
    sleep(Duration::from_millis(500)).await;
    counted = counted.max(sum(net, metric).await? - before);
    ensure!(counted == sent, "{metric}: {sent} packets, {counted} outcomes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_packet_has_exactly_one_outcome() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let subnet = crate::rig::subnet("rack", "10.77.0", "discover");
    let net = Net::start("plonce", &[subnet]).await?;
    let host = net.rack.host("client", Some("10.77.0.9/24".parse()?))?;
    let mut chance = StdRng::seed_from_u64(7);
    for (target, port, metric) in [
        ("dhcp_parse", 67, "pilotlight_dhcp_packets_total"),
        ("dhcp_parse", 4011, "pilotlight_dhcp_packets_total"),
        ("tftp_packet", 69, "pilotlight_tftp_requests_total"),
    ] {
        let packets = hostile(target, &mut chance)?;
        let (sent, before) = (packets.len() as u64, sum(&net, metric).await?);
        ensure!(sent > 20, "{sent} packets");
        host.inside(|| -> Result<()> {
            for packet in &packets {
                // Each from a port of its own: whoever downloads from the same port begins anew.
                let socket = UdpSocket::bind((Ipv4Addr::new(10, 77, 0, 9), 0))?;
                socket.send_to(packet, (SERVER, port))?;
                // A download that began ends: the port is closed.
                drop(socket);
                std::thread::yield_now();
            }
            Ok(())
        })??;
        each_is_counted_once(&net, metric, sent, before).await.with_context(|| format!("port {port}"))?;
    }
    Ok(())
}
