//! How an answer finds its client on an Ethernet: one that cannot answer ARP yet, one that asked at our second address, and one on an
//! interface that was made anew.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt};
use pilotlight_tests::rack::Host;

use crate::capture::{Capture, Packet};
use crate::dhcp::{Client, DISCOVER, INFORM, Message, OFFER, UEFI, exchange, packet};
use crate::net::{NONE, Net, SERVER};
use crate::rig::{skipped, subnet};

const MAC: &str = "02:00:00:00:0e:01";

/// A client's socket, whose host takes what is sent to its MAC and answers no ARP, as a ROM before its ACK.
fn rom(host: &Host) -> Result<UdpSocket> {
    // 8: not for any address of its own.
    let deaf = host.command("sysctl").args(["-q", "-w", "net.ipv4.conf.eth0.arp_ignore=8"]).status()?;
    ensure!(deaf.success(), "ARP cannot be switched off");
    host.inside(|| -> Result<UdpSocket> {
        let socket = UdpSocket::bind((NONE, 68))?;
        setsockopt(&socket, sockopt::BindToDevice, &"eth0".into())?;
        socket.set_broadcast(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(3)))?;
        Ok(socket)
    })?
}

/// A DISCOVER of this number, with the flag that asks for broadcasts or without.
fn discover(xid: u32, broadcast: bool) -> Result<Vec<u8>> {
    let mut packet = packet(MAC.parse()?, xid, DISCOVER, [NONE, NONE], UEFI)?;
    packet[10] = if broadcast { 0x80 } else { 0 };
    Ok(packet)
}

fn ask(rom: &UdpSocket, packet: &[u8]) -> Result<Message> {
    rom.send_to(packet, (Ipv4Addr::BROADCAST, 67))?;
    let mut answer = [0; 2048];
    let length = rom.recv(&mut answer).context("no answer")?;
    Message::parse(&answer[..length])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_an_address_is_reached_by_broadcast_and_by_its_mac_without_arp() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("plframes", &[subnet("rack", "10.77.0", "discover")]).await?;
    let host = net.rack.host("client", None)?;
    host.ip(&format!("link set eth0 address {MAC}"))?;
    let rom = rom(&host)?;
    let capture = Capture::start(&net.rack, net.rig.folder.path(), "udp src port 67")?;
    let loud = ask(&rom, &discover(1, true)?)?;
    // Its IP stack takes what is sent to the address that it is offered; it still answers no ARP for it.
    host.ip(&format!("addr add {}/24 dev eth0", loud.yiaddr))?;
    let quiet = ask(&rom, &discover(2, false)?)?;
    assert_eq!((quiet.kind, quiet.yiaddr, quiet.xid), (OFFER, loud.yiaddr, 2));
    let sent: Vec<Packet> = capture.stop()?;
    let to: Vec<_> = sent.iter().map(|packet| (packet.from, packet.to)).collect();
    let from = SocketAddrV4::new(SERVER, 67).into();
    let expected = [Ipv4Addr::BROADCAST, quiet.yiaddr].map(|ip| (from, SocketAddrV4::new(ip, 68).into()));
    assert_eq!(to, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_at_our_second_address_is_answered_from_there_and_a_relay_at_its_server_port()
-> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let second = Ipv4Addr::new(10, 77, 0, 2);
    let net = Net::start("plframestwo", &[subnet("rack", "10.77.0", "discover")]).await?;
    net.rack.ip(&format!("addr add {second}/24 dev br0"))?;
    let relay = Ipv4Addr::new(10, 77, 0, 50);
    let host = net.rack.host("relay", Some(format!("{relay}/24").parse()?))?;
    let mac = MAC.parse()?;
    for (asked, xid) in [(SERVER, 1), (second, 2)] {
        let to = SocketAddrV4::new(asked, 67);
        let relayed = packet(mac, xid, DISCOVER, [NONE, relay], UEFI)?;
        let answer = exchange(&host, SocketAddrV4::new(relay, 67), to, &relayed)?;
        let (from, offer) = answer.with_context(|| format!("the relay hears nothing from {asked}"))?;
        assert_eq!((from, offer.kind, offer.address(54)?), (to.into(), OFFER, asked));
        let informs = packet(mac, xid + 2, INFORM, [relay, NONE], UEFI)?;
        let answer = exchange(&host, SocketAddrV4::new(relay, 68), to, &informs)?;
        let (from, ack) = answer.with_context(|| format!("the client hears nothing from {asked}"))?;
        assert_eq!((from, ack.address(54)?), (to.into(), asked));
    }
    // What is broadcast is answered from the first.
    let mut client = Client::new(&net.rack.host("client", None)?, "02:00:00:00:0e:02")?;
    assert_eq!(client.ask(DISCOVER, NONE, UEFI)?.address(54)?, SERVER);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_was_made_anew_is_served_again() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("plframesnew", &[subnet("rack", "10.77.0", "discover")]).await?;
    let host = net.rack.host("client", None)?;
    let mut client = Client::new(&host, MAC)?;
    let before = client.ask(DISCOVER, NONE, UEFI)?;
    let port = net.rack.ip("-o link show type veth")?;
    let port = port.split([':', '@']).nth(1).context("the host's cable")?.trim().to_owned();
    net.rack.ip("link del br0")?;
    net.rack.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0")?;
    net.rack.ip(&format!("addr add {SERVER}/24 dev br0"))?;
    net.rack.ip(&format!("link set {port} master br0"))?;
    net.rack.ip("link set br0 up")?;
    for _ in 0..10 {
        client.send(DISCOVER, NONE, UEFI)?;
        if let Some(offer) = client.answer(Duration::from_secs(2))? {
            assert_eq!((offer.kind, offer.yiaddr), (OFFER, before.yiaddr));
            ensure!(net.rig.daemon.log().contains("br0 was made anew"), "the log does not tell");
            return Ok(());
        }
    }
    anyhow::bail!("nobody serves the new interface")
}
