//! DHCP on real wires, with the clients of others: udhcpc, dhclient, dhcrelay.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pilotlight_tests::daemon::Builder;
use pilotlight_tests::rack::Namespace;
use serde_json::json;

use crate::capture::Capture;
use crate::clients::{dhclient, end_dhclient, ip, udhcpc};
use crate::dhcp::{ACK, Client, DECLINE, DISCOVER, IPXE, Message, NAK, OFFER, RELEASE, REQUEST, UEFI};
use crate::net::{NONE, Net, SERVER};
use crate::rig::{document, skipped, small_site, subnet};

fn in_range(address: Ipv4Addr) -> bool {
    (Ipv4Addr::new(10, 77, 0, 100)..=Ipv4Addr::new(10, 77, 0, 199)).contains(&address)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_all_makes_get_what_the_subnet_says() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("plclients", &[subnet("rack", "10.77.0", "discover")]).await?;
    let folder = net.rig.folder.path();
    let busybox = net.rack.host("busybox", None)?;
    let lease = udhcpc(&busybox, folder, &[])?;
    assert!(in_range(ip(&lease, "ip")?), "{lease:?}");
    for (key, value) in [
        ("subnet", "255.255.255.0"),
        ("router", "10.77.0.1"),
        ("dns", "10.77.0.1"),
        ("domain", "rack.example"),
        ("serverid", "10.77.0.1"),
        ("lease", "600"),
        ("broadcast", "10.77.0.255"),
    ] {
        assert_eq!(lease.get(key).map(String::as_str), Some(value), "{key} in {lease:?}");
    }
    let isc = net.rack.host("isc", None)?;
    let other = dhclient(&isc, folder, "")?;
    assert!(in_range(ip(&other, "new_ip_address")?), "{other:?}");
    assert_ne!(ip(&other, "new_ip_address")?, ip(&lease, "ip")?);
    for (key, value) in [
        ("new_subnet_mask", "255.255.255.0"),
        ("new_routers", "10.77.0.1"),
        ("new_domain_name", "rack.example"),
        ("new_dhcp_lease_time", "600"),
        ("new_dhcp_server_identifier", "10.77.0.1"),
    ] {
        assert_eq!(other.get(key).map(String::as_str), Some(value), "{key} in {other:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_interface_has_its_own_network() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let rack = Namespace::create("pltwonets", Some("10.77.0.1/24".parse()?))?;
    let host = rack.host("client", None)?;
    rack.ip("link add br1 type bridge")?;
    rack.ip("addr add 10.79.0.1/24 dev br1")?;
    rack.ip("link set br1 up")?;
    rack.ip(&format!("link add port1 type veth peer name eth1 netns {}", host.name()))?;
    rack.ip("link set port1 master br1 up")?;
    host.ip("link set eth1 up")?;
    let subnets = [subnet("rack", "10.77.0", "discover"), subnet("other", "10.79.0", "discover")];
    let both = |builder: Builder| builder.set("dhcp.interfaces", json!(["br0", "br1"]));
    let net = Net::start_in(rack, &subnets, both).await?;
    let folder = net.rig.folder.path();
    for (interface, server) in [("eth0", "10.77.0.1"), ("eth1", "10.79.0.1"), ("eth0", "10.77.0.1")] {
        let lease = udhcpc(&host, folder, &["-i", interface])?;
        assert_eq!(lease.get("serverid").map(String::as_str), Some(server), "{interface}: {lease:?}");
        let network = server.trim_end_matches(".1");
        assert!(ip(&lease, "ip")?.to_string().starts_with(network), "{interface}: {lease:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_keeps_its_address_when_the_daemon_is_killed_and_when_its_client_id_changes() -> Result<()>
{
    if skipped("network") {
        return Ok(());
    }
    let mut net = Net::start("plkeeps", &[subnet("rack", "10.77.0", "discover")]).await?;
    let folder = net.rig.folder.path().to_owned();
    let host = net.rack.host("client", None)?;
    let first = ip(&udhcpc(&host, &folder, &[])?, "ip")?;
    for round in 0..3 {
        net.rig.daemon.kill()?;
        net.rig.daemon.start().await?;
        // Firmware sends none, iPXE its MAC, Linux what it likes.
        let id = format!("0x3d:ff00000{round}0011223344");
        let again = udhcpc(&host, &folder, &["-C", "-x", &id])?;
        assert_eq!(ip(&again, "ip")?, first);
        assert_eq!(ip(&udhcpc(&host, &folder, &["-C"])?, "ip")?, first);
        let config = format!("send dhcp-client-identifier \"client-{round}\";");
        assert_eq!(ip(&dhclient(&host, &folder, &config)?, "new_ip_address")?, first);
        // That one stays, to renew: it must not be in the way of the next.
        end_dhclient(&folder).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_lease_outlives_a_kill_at_that_instant() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let mut net = Net::start("pldurable", &[subnet("rack", "10.77.0", "discover")]).await?;
    let host = net.rack.host("client", None)?;
    let mut leases: Vec<(String, Ipv4Addr)> = Vec::new();
    for round in 1..=6 {
        let mac = format!("02:00:00:00:01:{round:02x}");
        let mut client = Client::new(&host, &mac)?;
        let ack = client.lease(&[])?;
        net.rig.daemon.kill()?;
        assert!(leases.iter().all(|(_, taken)| *taken != ack.yiaddr), "{} was another's", ack.yiaddr);
        leases.push((mac, ack.yiaddr));
        net.rig.daemon.start().await?;
        // It renews what it has, as if nothing had been, and is answered there.
        host.ip(&format!("addr replace {}/24 dev eth0", ack.yiaddr))?;
        let renewed = client.ask(REQUEST, ack.yiaddr, &[])?;
        assert_eq!((renewed.kind, renewed.yiaddr), (ACK, ack.yiaddr));
        host.ip("addr flush dev eth0")?;
    }
    for (mac, address) in &leases {
        let offer = Client::new(&host, mac)?.ask(DISCOVER, NONE, &[])?;
        assert_eq!((offer.kind, offer.yiaddr), (OFFER, *address));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reserved_address_is_for_its_machine_only() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let documents = [
        subnet("rack", "10.77.0", "discover"),
        document("Machine", "n1", json!({"macs": ["02:00:00:00:02:01"], "ip": "10.77.0.50"})),
        document("Machine", "n2", json!({"macs": ["02:00:00:00:02:02"], "ip": "10.77.0.150"})),
    ];
    let net = Net::start("plreserved", &documents).await?;
    let host = net.rack.host("client", None)?;
    for (mac, address, name) in
        [("02:00:00:00:02:01", [10, 77, 0, 50], "n1"), ("02:00:00:00:02:02", [10, 77, 0, 150], "n2")]
    {
        host.ip(&format!("link set eth0 address {mac}"))?;
        let lease = udhcpc(&host, net.rig.folder.path(), &["-O", "hostname"])?;
        assert_eq!(ip(&lease, "ip")?, Ipv4Addr::from(address));
        assert_eq!(lease.get("hostname").map(String::as_str), Some(name));
    }
    let mut stranger = Client::new(&host, "02:00:00:00:02:99")?;
    for wanted in [[10, 77, 0, 50], [10, 77, 0, 150], [10, 77, 0, 1]] {
        let offer = stranger.ask(DISCOVER, NONE, &[(50, &wanted)])?;
        assert!(in_range(offer.yiaddr) && offer.yiaddr != Ipv4Addr::from(wanted), "{offer:?}");
        let refused = stranger.ask(REQUEST, NONE, &[(50, &wanted), (54, &SERVER.octets())])?;
        assert_eq!(refused.kind, NAK, "{wanted:?}");
    }
    // An address of another network is refused at once, so that a machine that was moved asks anew.
    let moved = stranger.ask(REQUEST, NONE, &[(50, &[10, 99, 0, 7])])?;
    assert_eq!(moved.kind, NAK);
    // What it asks of another server is none of our business.
    stranger.send(REQUEST, NONE, &[(50, &[10, 77, 0, 120]), (54, &[10, 77, 0, 9])])?;
    assert_eq!(stranger.answer(Duration::from_millis(500))?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_behind_a_relay_and_before_it_get_addresses_of_their_own_networks() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let documents = [subnet("near", "10.77.0", "discover"), subnet("far", "10.78.0", "discover")];
    let net = Net::start("plrelay", &documents).await?;
    let far = Namespace::create("plrelayfar", None)?;
    let relay = net.rack.relay("relay", "10.77.0.2/24".parse()?, &far, "10.78.0.1/24".parse()?)?;
    let capture = Capture::start(&net.rack, net.rig.folder.path(), "udp port 67")?;
    let mut agent = relay
        .command("dhcrelay")
        .args(["-4", "-d", "-a", "-m", "append", "-iu", "eth0", "-id", "eth1", "10.77.0.1"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .context("dhcrelay cannot be started: apt-get install isc-dhcp-relay")?;
    let behind = far.host("client", None)?;
    let lease = udhcpc(&behind, net.rig.folder.path(), &[])?;
    assert_eq!(ip(&lease, "ip")?.octets()[..3], [10, 78, 0], "{lease:?}");
    assert_eq!(lease.get("router").map(String::as_str), Some("10.78.0.1"));
    assert_eq!(lease.get("serverid").map(String::as_str), Some("10.77.0.1"));
    let before = net.rack.host("client", None)?;
    let lease = udhcpc(&before, net.rig.folder.path(), &[])?;
    assert_eq!(ip(&lease, "ip")?.octets()[..3], [10, 77, 0], "{lease:?}");
    agent.kill()?;
    agent.wait()?;

    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for packet in capture.stop()? {
        let Ok(message) = Message::parse(&packet.payload) else { continue };
        if message.giaddr == Ipv4Addr::new(10, 78, 0, 1) {
            let to_server = packet.to.ip() == SERVER;
            ensure!(packet.to.port() == 67, "a relay is answered at the server's port: {packet:?}");
            if to_server { &mut asked } else { &mut answered }.push(message);
        }
    }
    assert!(answered.len() >= 2, "{} answers to the relay", answered.len());
    for answer in answered {
        let question =
            asked.iter().find(|question| question.xid == answer.xid).context("an answer to nothing")?;
        assert_eq!(answer.option(82)?, question.option(82)?, "option 82 comes back whole");
        assert!(answer.option(82)?.windows(4).any(|bytes| bytes == b"eth1"), "with the relay's own words");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_that_are_not_ours_get_no_answer() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("plsilent", &[subnet("elsewhere", "10.99.0", "accept")]).await?;
    let host = net.rack.host("client", None)?;
    let mut client = Client::new(&host, "02:00:00:00:03:01")?;
    for options in [&[] as &[(u8, &[u8])], UEFI, IPXE] {
        net.silence(&mut client, options, "no_subnet").await?;
    }
    let mut ignored = subnet("rack", "10.77.0", "accept");
    ignored["spec"]["mode"] = json!("ignore");
    net.rig.admin.apply(&[ignored]).await?;
    for options in [&[] as &[(u8, &[u8])], UEFI, IPXE] {
        net.silence(&mut client, options, "subnet_ignored").await?;
    }
    assert_eq!(net.rig.admin.machines().await?, [], "nobody was recorded");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_free_after_release_and_left_alone_after_decline() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let mut small = subnet("rack", "10.77.0", "discover");
    small["spec"]["ranges"] = json!(["10.77.0.100-10.77.0.101"]);
    let mut net = Net::start("plrelease", &[small]).await?;
    let [a, b, c] = ["a", "b", "c"].map(|name| net.rack.host(name, None));
    let mut first = Client::new(&a?, "02:00:00:00:04:01")?;
    let mut second = Client::new(&b?, "02:00:00:00:04:02")?;
    let mut third = Client::new(&c?, "02:00:00:00:04:03")?;
    let one = first.lease(&[])?.yiaddr;
    let two = second.lease(&[])?.yiaddr;
    assert_ne!(one, two);
    net.silence(&mut third, &[], "no_address").await?;

    // Somebody else's release is nobody's.
    let (released, declined) = ("outcome=\"released\",reason=\"\"", "outcome=\"declined\",reason=\"\"");
    let server = SERVER.octets();
    net.taken(&mut third, RELEASE, one, &[(54, &server)], released).await?;
    net.silence(&mut third, &[], "no_address").await?;
    net.taken(&mut first, RELEASE, one, &[(54, &server)], released).await?;
    assert_eq!(third.lease(&[])?.yiaddr, one);
    net.silence(&mut first, &[], "no_address").await?;

    net.taken(&mut third, DECLINE, NONE, &[(50, &one.octets()), (54, &server)], declined).await?;
    net.silence(&mut third, &[], "no_address").await?;
    net.taken(&mut second, RELEASE, two, &[(54, &server)], released).await?;
    assert_eq!(third.lease(&[])?.yiaddr, two);
    net.rig.daemon.restart().await?;
    net.silence(&mut first, &[], "no_address").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_gets_its_boot_program_and_ipxe_its_script() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.push(subnet("rack", "10.77.0", "ignore"));
    documents.push(document("Machine", "n1", json!({"macs": ["02:00:00:00:05:01"]})));
    let net = Net::start("plprogram", &documents).await?;
    let host = net.rack.host("client", None)?;
    let mut client = Client::new(&host, "02:00:00:00:05:01")?;
    let ack = client.lease(UEFI)?;
    assert_eq!((ack.file.as_str(), ack.siaddr), ("snponly.efi", SERVER));
    assert_eq!(ack.address(54)?, SERVER);
    // UEFI that is told `PXEClient` by the server that gives addresses asks port 4011, unless option 43 says not to.
    assert!(!ack.options.contains_key(&60) || ack.options.contains_key(&43), "{ack:?}");
    let bios: &[(u8, &[u8])] = &[(60, b"PXEClient:Arch:00000:UNDI:002001"), (93, &[0, 0]), (94, &[1, 2, 1])];
    assert_eq!(client.lease(bios)?.file, "undionly.kpxe");
    let ack = client.lease(IPXE)?;
    assert_eq!(ack.file, "http://10.77.0.1:8080/boot/ipxe?mac=02-00-00-00-05-01&serial=${serial:uristring}");
    assert_eq!(ack.text(12)?, "n1");
    assert_eq!(ack.seconds(51)?, 120, "for as long as it takes to boot");
    let http: &[(u8, &[u8])] =
        &[(60, b"HTTPClient:Arch:00016:UNDI:003000"), (93, &[0, 16]), (94, &[1, 3, 0])];
    let ack = client.lease(http)?;
    assert_eq!(ack.text(60)?, "HTTPClient");
    assert_eq!(ack.text(67)?, "http://10.77.0.1:8080/boot/files/snponly.efi");
    let mut unknown = Client::new(&net.rack.host("unknown", None)?, "02:00:00:00:05:02")?;
    net.silence(&mut unknown, UEFI, "unknown_machine").await?;
    Ok(())
}
