//! Who gets which address, and what comes with it, where others do what they should not.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pilotlight_tests::rack::Namespace;
use pilotlight_types::{Mac, api::Event};
use serde_json::{Value, json};

use crate::clients::{dhclient, ip, udhcpc};
use crate::dhcp::{ACK, Client, DISCOVER, IPXE, NAK, OFFER, REQUEST, UEFI, exchange, packet};
use crate::net::{NONE, Net, SERVER};
use crate::rig::{document, refused, skipped, subnet};

const MAC: &str = "02:00:00:00:07:01";

/// A subnet with something else than usual.
fn subnet_with(network: &str, key: &str, value: Value) -> Value {
    let mut subnet = subnet("rack", network, "discover");
    subnet["spec"][key] = value;
    subnet
}

/// Waits for an event of this kind; gives the first.
pub async fn told(net: &Net, kind: &str) -> Result<Event> {
    for _ in 0..100 {
        if let Some(event) = net.rig.admin.events(0).await?.into_iter().find(|event| event.kind == kind) {
            return Ok(event);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("there is no event {kind}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_somebody_uses_without_a_lease_is_left_alone() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let rack = Namespace::create("plsquat", Some(format!("{SERVER}/24").parse()?))?;
    let squatter = rack.host("squatter", Some("10.77.0.101/24".parse()?))?;
    squatter.ip("link set eth0 address 02:00:00:00:07:99")?;
    let ranges = subnet_with("10.77.0", "ranges", json!(["10.77.0.100-10.77.0.102"]));
    let mut net = Net::start_in(rack, &[ranges], |builder| builder).await?;
    let event = told(&net, "dhcp.conflict").await?;
    assert_eq!(event.object, "subnet/rack");
    ensure!(
        event.message.contains("10.77.0.101") && event.message.contains("02:00:00:00:07:99 (arp)"),
        "{event:?}"
    );
    assert_eq!(net.counted("pilotlight_dhcp_conflicts_total{found=\"arp\"}").await?, 1);
    // Neither is it given when somebody asks for it by name, nor by a daemon that was killed.
    let [a, b, c] = ["a", "b", "c"].map(|name| net.rack.host(name, None));
    let (a, b, c) = (a?, b?, c?);
    for _ in 0..2 {
        let (mut a, mut b) = (Client::new(&a, "02:00:00:00:07:02")?, Client::new(&b, "02:00:00:00:07:03")?);
        let mut c = Client::new(&c, "02:00:00:00:07:04")?;
        let wanted: &[(u8, &[u8])] = &[(50, &[10, 77, 0, 101])];
        let mut given = [a.lease(wanted)?.yiaddr, b.lease(&[])?.yiaddr];
        given.sort();
        assert_eq!(given, [Ipv4Addr::new(10, 77, 0, 100), Ipv4Addr::new(10, 77, 0, 102)]);
        net.silence(&mut c, wanted, "no_address").await?;
        assert_eq!(c.ask(REQUEST, NONE, wanted)?.kind, NAK);
        net.rig.daemon.restart().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_relay_an_address_in_use_is_found_by_icmp() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let rack = Namespace::create("plping", Some(format!("{SERVER}/24").parse()?))?;
    let far = Namespace::create("plpingfar", None)?;
    let _relay = rack.relay("relay", "10.77.0.2/24".parse()?, &far, "10.78.0.1/24".parse()?)?;
    let squatter = far.host("squatter", Some("10.78.0.101/24".parse()?))?;
    squatter.ip("route add default via 10.78.0.1")?;
    let ranges = subnet_with("10.78.0", "ranges", json!(["10.78.0.100-10.78.0.101"]));
    let net = Net::start_in(rack, &[ranges], |builder| builder).await?;
    let event = told(&net, "dhcp.conflict").await?;
    ensure!(event.message.contains("10.78.0.101") && event.message.contains("(icmp)"), "{event:?}");
    assert_eq!(net.counted("pilotlight_leases_held{subnet=\"rack\"}").await?, 1, "the other one is free");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_selects_the_network_and_is_answered_at_its_own_address() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let documents = [subnet("near", "10.77.0", "discover"), subnet("far", "10.78.0", "discover")];
    let net = Net::start("plselect", &documents).await?;
    let far = Namespace::create("plselectfar", None)?;
    let relay = net.rack.relay("relay", "10.77.0.2/24".parse()?, &far, "10.78.0.1/24".parse()?)?;
    // By hand: giaddr is of the near network, and the client's is the far one.
    let selects: &[u8] = &[1, 4, b'e', b't', b'h', b'1', 5, 4, 10, 78, 0, 0, 11, 4, 10, 78, 0, 1];
    let near = Ipv4Addr::new(10, 77, 0, 2);
    let mac: Mac = MAC.parse()?;
    let to = SocketAddrV4::new(SERVER, 67);
    let ask = |from: SocketAddrV4, kind, more: &[(u8, &[u8])]| -> Result<_> {
        let options: Vec<_> = more.iter().chain(&[(82, selects)]).copied().collect();
        let answer = exchange(&relay, from, to, &packet(mac, 5, kind, [NONE, near], &options)?)?;
        Ok(answer.context("no answer to the relay")?.1)
    };
    let offer = ask(SocketAddrV4::new(near, 67), DISCOVER, &[])?;
    assert_eq!((offer.kind, offer.yiaddr.octets()[..3].to_vec()), (OFFER, vec![10, 78, 0]));
    assert_eq!(offer.address(54)?, Ipv4Addr::new(10, 78, 0, 1), "the relay is told for the server");
    assert_eq!((offer.siaddr, offer.option(82)?), (SERVER, selects), "but not for the boot server");
    let (address, server) = (offer.yiaddr.octets(), [10, 78, 0, 1]);
    let ack = ask(SocketAddrV4::new(near, 67), REQUEST, &[(50, &address), (54, &server)])?;
    assert_eq!((ack.kind, ack.yiaddr), (ACK, offer.yiaddr));
    // From another of its addresses, as through a VRF: the answer goes to giaddr all the same.
    let answers = relay.inside(|| UdpSocket::bind((near, 67)))??;
    answers.set_read_timeout(Some(Duration::from_secs(2)))?;
    relay.ip("addr add 10.77.0.3/24 dev eth0")?;
    let other = SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 3), 67);
    let question = packet(mac, 6, DISCOVER, [NONE, near], &[(82, selects)])?;
    assert_eq!(exchange(&relay, other, to, &question)?, None);
    answers.recv(&mut [0; 2000]).context("no answer at giaddr")?;
    drop(answers);

    // A real relay that selects the link (RFC 3527).
    let mut agent = relay
        .command("dhcrelay")
        .args(["-4", "-d", "-a", "-U", "eth0", "-id", "eth1", "10.77.0.1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("dhcrelay cannot be started: apt-get install isc-dhcp-relay")?;
    let behind = far.host("client", None)?;
    let lease = udhcpc(&behind, net.rig.folder.path(), &[])?;
    assert_eq!(ip(&lease, "ip")?.octets()[..3], [10, 78, 0], "{lease:?}");
    agent.kill()?;
    agent.wait()?;

    // A client without a relay that asks for another network by itself (RFC 3011).
    let mut client = Client::new(&net.rack.host("client", None)?, "02:00:00:00:07:05")?;
    let selected = client.lease(&[(118, &[10, 78, 0, 0])])?;
    assert_eq!(
        (selected.yiaddr.octets()[..3].to_vec(), selected.option(118)?),
        (vec![10, 78, 0], &[10, 78, 0, 0][..])
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_subnet_the_group_and_the_machine_reach_real_clients() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let own = json!({"42": ["10.77.0.8", "10.77.0.9"], "26": 1400, "224": "rack", "12": "subnets-name"});
    let mut rack = subnet_with("10.77.0", "options", own);
    rack["spec"]["exclude"] = json!(["10.77.0.100-10.77.0.198"]);
    let documents = [
        rack,
        document("Profile", "local", json!({"boot": "local"})),
        document(
            "Group",
            "all",
            json!({"profile": "local", "options": {"26": 9000, "225": {"hex": "0a:0b"}}}),
        ),
        document(
            "Machine",
            "n1",
            json!({"macs": [MAC], "ip": "10.77.0.50", "options": {"225": {"hex": "0c"}}}),
        ),
    ];
    let net = Net::start("ploptions", &documents).await?;
    let folder = net.rig.folder.path();
    let host = net.rack.host("client", None)?;
    host.ip("link set eth0 address 02:00:00:00:07:06")?;
    let wants = ["-O", "ntpsrv", "-O", "mtu", "-O", "224", "-O", "225"];
    let stranger = udhcpc(&host, folder, &wants)?;
    let heard = |told: &crate::clients::Told, key: &str| told.get(key).cloned().unwrap_or_default();
    assert_eq!(
        (heard(&stranger, "ntpsrv"), heard(&stranger, "mtu")),
        ("10.77.0.8 10.77.0.9".into(), "1400".into())
    );
    assert_eq!(
        (heard(&stranger, "opt224"), heard(&stranger, "opt225")),
        (hex::encode("rack"), String::new())
    );
    assert_eq!(ip(&stranger, "ip")?, Ipv4Addr::new(10, 77, 0, 199), "all others are excluded");
    host.ip(&format!("link set eth0 address {MAC}"))?;
    let machine = udhcpc(&host, folder, &wants)?;
    assert_eq!((heard(&machine, "mtu"), heard(&machine, "opt225")), ("9000".into(), "0c".into()));
    let config = "request subnet-mask, ntp-servers, interface-mtu, host-name;";
    let isc = dhclient(&host, folder, config)?;
    assert_eq!(
        (heard(&isc, "new_ntp_servers"), heard(&isc, "new_interface_mtu")),
        ("10.77.0.8 10.77.0.9".into(), "9000".into())
    );
    assert_eq!(heard(&isc, "new_host_name"), "subnets-name", "in the place of ours");
    for (option, value) in
        [("54", json!("10.77.0.9")), ("67", json!("x")), ("26", json!("large")), ("230", json!(1))]
    {
        let mut bad = subnet("rack", "10.77.0", "discover");
        bad["spec"]["options"] = json!({option: value});
        let problem = refused(net.rig.admin.apply(&[bad]).await);
        let said = serde_json::to_string(&problem)?;
        ensure!(said.contains(&format!("spec.options.{option}")), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_and_ipxe_hold_an_address_for_a_short_time_only() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("plshort", &[subnet_with("10.77.0", "bootLease", json!("90s"))]).await?;
    let mut client = Client::new(&net.rack.host("client", None)?, MAC)?;
    let mut addresses = Vec::new();
    for (asks, seconds) in [(UEFI, 90), (IPXE, 90), (&[] as &[(u8, &[u8])], 600)] {
        let ack = client.lease(asks)?;
        assert_eq!((ack.seconds(51)?, ack.seconds(58)?), (seconds, seconds / 2));
        addresses.push(ack.yiaddr);
    }
    addresses.dedup();
    assert_eq!(addresses.len(), 1, "and all three the same");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_on_a_network_of_ours_is_told() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("plforeign", &[subnet("rack", "10.77.0", "discover")]).await?;
    let mut client = Client::new(&net.rack.host("client", None)?, MAC)?;
    let gauge = "pilotlight_dhcp_foreign_servers";
    client.lease(&[])?;
    assert_eq!(net.counted(gauge).await?, 0);
    for server in [[10, 77, 0, 9], [10, 77, 0, 9], [10, 77, 0, 10]] {
        let other = "outcome=\"silent\",reason=\"other_server\"";
        net.taken(&mut client, REQUEST, NONE, &[(50, &[10, 77, 0, 120]), (54, &server)], other).await?;
    }
    assert_eq!(net.counted(gauge).await?, 2);
    assert_eq!(net.counted("pilotlight_dhcp_foreign_requests_total").await?, 3);
    let page = net.rig.admin.request(reqwest::Method::GET, "/status", &[], None).await?.text();
    for server in ["10.77.0.9", "10.77.0.10"] {
        let told = format!("another DHCP server, {server}, gives addresses on subnet rack, which is ours");
        assert!(page.contains(&told), "{page}");
    }
    let event = told(&net, "dhcp.foreign").await?;
    ensure!(event.message.contains("10.77.0.9") && event.message.contains(MAC), "{event:?}");
    let many = net.rig.admin.events(0).await?.iter().filter(|event| event.kind == "dhcp.foreign").count();
    assert_eq!(many, 2, "each is told once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_made_up_clients_keeps_no_declared_machine_from_its_address() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let documents =
        [subnet("rack", "10.77.0", "discover"), document("Machine", "n1", json!({"macs": [MAC]}))];
    let net = Net::start("plflood", &documents).await?;
    let host = net.rack.host("flood", Some("10.77.0.9/24".parse()?))?;
    let socket = host.inside(|| UdpSocket::bind("0.0.0.0:68"))??;
    const SENT: u32 = 24_000;
    for n in 0..SENT {
        let [_, a, b, c] = n.to_be_bytes();
        let mac = Mac::new([2, 0xff, 0, a, b, c]);
        socket.send_to(&packet(mac, n, DISCOVER, [NONE, NONE], &[])?, (SERVER, 67))?;
        // No faster than the kernel hands them over: what it drops was never here.
        if n % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let mut machine = Client::new(&net.rack.host("n1", None)?, MAC)?;
    ensure!(machine.lease(UEFI)?.kind == ACK, "the declared machine is served in the midst of it");
    let counts = async |wanted: &str| -> Result<u64> {
        let text = net.rig.admin.request(reqwest::Method::GET, "/metrics", &[], None).await?.text();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("pilotlight_dhcp_packets_total{") && line.contains(wanted));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    };
    let held = net.counted("pilotlight_leases_held{subnet=\"rack\"}").await?;
    ensure!(held <= 76, "{held} of 100 addresses are gone, and 25 were to be kept");
    let (all, offered, flood) = (counts("").await?, counts("offered").await?, counts("flood").await?);
    println!(
        "{SENT} packets: {all} counted, {offered} offered, {flood} above the limit, {held} addresses held"
    );
    ensure!(all <= u64::from(SENT) + 2 && all > u64::from(SENT) / 2, "each packet is counted once: {all}");
    ensure!(offered < 1000, "{offered} offers");
    Ok(())
}
