//! What `explain` says of a packet is what the daemon sends, byte for byte: beside another server, at port 4011, where it only
//! watches, and in DHCPv6.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pilotlight_tests::daemon::Builder;
use pilotlight_types::api::{PacketExplanation, PacketField};
use serde_json::json;

use crate::capture::{Capture, Packet};
use crate::dhcp::{Client, DISCOVER, INFORM, IPXE, REQUEST, UEFI, exchange, packet};
use crate::net::{NONE, Net, SERVER};
use crate::net6::{
    Client6, INFORMATION, REBIND, RELEASE, RENEW, REQUEST as REQUEST6, SOLICIT, association, host6, option,
    rack6, start6, subnet6,
};
use crate::proxy::{BIOS, Dnsmasq, HTTP, OTHER, proxied, until_served};
use crate::rig::{machine, skipped, small_site, subnet};

const MAC: &str = "02:00:00:00:0b:01";
const ALL: &str = "udp port 67 or udp port 68 or udp port 4011 or udp port 546 or udp port 547";

type Options<'a> = Vec<(u8, &'a [u8])>;

/// A request that crossed the wire, and the daemon's answer.
struct Asked {
    request: Packet,
    reply: Option<Packet>,
    explained: PacketExplanation,
}

/// Whether it is a client's: op 1 in DHCP; a type that servers never send in DHCPv6.
fn is_request(packet: &Packet) -> bool {
    let kind = packet.payload.first().copied().unwrap_or_default();
    match packet.to.port() {
        67 | 4011 => kind == 1,
        547 => ![2, 7].contains(&kind),
        _ => false,
    }
}

/// Its number for the question.
fn number(packet: &Packet) -> &[u8] {
    let at = if packet.from.is_ipv4() { 4..8 } else { 1..4 };
    packet.payload.get(at).unwrap_or_default()
}

/// All that was asked so far, what the daemon at `server` answered, and what `explain` says of each now.
fn asked(net: &Net, capture: &Capture, server: impl Fn(IpAddr) -> bool) -> Result<Vec<Asked>> {
    let file = capture.file().display().to_string();
    let told = net.rig.cli_ok(&["explain", "--pcap", &file, "--subnet", "rack", "-o", "json"])?;
    let told: Vec<PacketExplanation> = serde_json::from_str(&told)?;
    let packets = capture.so_far()?;
    ensure!(told.len() == packets.len(), "{} of {} packets are explained", told.len(), packets.len());
    let replies: Vec<&Packet> = packets.iter().filter(|p| !is_request(p) && server(p.from.ip())).collect();
    let all = packets.iter().zip(told).filter(|(packet, _)| is_request(packet));
    Ok(all
        .map(|(request, explained)| {
            let reply = replies.iter().find(|reply| number(reply) == number(request));
            Asked { request: request.clone(), reply: reply.map(|reply| (*reply).clone()), explained }
        })
        .collect())
}

/// The bytes of each live answer are those of the explained one. Gives how many answers there were.
fn all_alike(all: &[Asked]) -> Result<usize> {
    for Asked { request, reply, explained } in all {
        let real = reply.as_ref().map(|reply| hex::encode(&reply.payload));
        ensure!(
            explained.reply_hex == real,
            "{} to {}:\nexplained {explained:#?}\nreal {real:?}",
            request.from,
            request.to
        );
    }
    Ok(all.iter().filter(|asked| asked.reply.is_some()).count())
}

fn field<'a>(explained: &'a PacketExplanation, name: &str) -> Option<&'a str> {
    let of_it = |field: &&PacketField| field.name == name;
    explained.reply.as_ref()?.fields.iter().find(of_it).map(|field| field.value.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_another_server_and_at_port_4011_the_explained_answer_is_the_one_that_is_sent() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.extend([proxied(), machine("n1", MAC)]);
    let net = Net::start("plexproxy", &documents).await?;
    let addresses = net.rack.host("dnsmasq", Some(format!("{OTHER}/24").parse()?))?;
    let _dnsmasq = Dnsmasq::start(addresses.command("dnsmasq"), "eth0", files.path())?;
    let host = net.rack.host("client", None)?;
    let mut client = Client::new(&host, MAC)?;
    until_served(&mut client, OTHER)?;
    let capture = Capture::start(&net.rack, files.path(), ALL)?;
    for asks in [UEFI, BIOS, IPXE, HTTP, &[]] {
        let offers = client.ask_all(DISCOVER, asks)?;
        let (address, server) = (offers[&OTHER].yiaddr.octets(), OTHER.octets());
        let taken: Vec<_> = asks.iter().copied().chain([(50, &address[..]), (54, &server[..])]).collect();
        client.ask_all(REQUEST, &taken)?;
    }
    let address = client.lease(&[])?.yiaddr;
    drop(client);
    host.ip(&format!("addr add {address}/24 dev eth0"))?;
    let boot_server = SocketAddrV4::new(SERVER, 4011);
    // UEFI says its address, others leave that to the packet's header; and one follows another server.
    let questions: [(u16, u8, Ipv4Addr, Options<'_>); 5] = [
        (4011, REQUEST, address, UEFI.to_vec()),
        (4011, REQUEST, NONE, UEFI.to_vec()),
        (68, INFORM, address, BIOS.to_vec()),
        (68, REQUEST, address, IPXE.to_vec()),
        (4011, REQUEST, address, [UEFI, &[(54, &[10, 77, 0, 2])]].concat()),
    ];
    for (number, (port, kind, own, options)) in questions.iter().enumerate() {
        let xid = 0x4011_0000 + u32::try_from(number)?;
        let question = packet(MAC.parse()?, xid, *kind, [*own, NONE], options)?;
        exchange(&host, SocketAddrV4::new(address, *port), boot_server, &question)?;
    }
    let all = asked(&net, &capture, |ip| ip == IpAddr::V4(SERVER))?;
    let answered = all_alike(&all)?;
    let at_4011 = all.iter().filter(|asked| asked.request.to.port() == 4011);
    let outcomes: Vec<&str> = at_4011.clone().map(|asked| asked.explained.outcome.as_str()).collect();
    assert_eq!(outcomes, ["acked", "acked", "informed", "acked", "silent"]);
    assert!(at_4011.clone().all(|asked| asked.explained.machine.as_deref() == Some("n1")));
    ensure!(answered == 4 + 4, "offers to what boots, and answers at 4011: {answered}");

    // The same by hand.
    let one = &all.iter().find(|asked| asked.request.to.port() == 4011).context("one at 4011")?;
    let (hex, from) = (hex::encode(&one.request.payload), address.to_string());
    let said = net.rig.cli_ok(&["explain", "--packet", &hex, "--port", "4011", "--from", &from])?;
    for part in ["would be answered now: DHCPACK: no address, boots snponly.efi", "from port 4011"] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_we_only_watch_the_explained_answer_is_what_is_told_and_is_sent_once_we_serve() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    let mut watched = subnet("rack", "10.77.0", "ignore");
    watched["spec"]["mode"] = json!("shadow");
    documents.extend([watched, machine("n1", MAC)]);
    let net = Net::start("plexshadow", &documents).await?;
    let host = net.rack.host("client", None)?;
    let mut client = Client::new(&host, MAC)?;
    let ask: [(u8, Options<'_>); 5] = [
        (DISCOVER, UEFI.to_vec()),
        (DISCOVER, Vec::new()),
        (REQUEST, [UEFI, &[(50, &[10, 77, 0, 120])]].concat()),
        (REQUEST, vec![(50, &[10, 99, 0, 1])]),
        (REQUEST, [IPXE, &[(50, &[10, 77, 0, 120])]].concat()),
    ];
    let capture = Capture::start(&net.rack, files.path(), ALL)?;
    for (kind, options) in &ask {
        client.send(*kind, NONE, options)?;
        assert_eq!(client.answer(Duration::from_millis(300))?, None, "nobody should answer");
    }
    let foretold = asked(&net, &capture, |ip| ip == IpAddr::V4(SERVER))?;
    ensure!(foretold.len() == ask.len() && foretold.iter().all(|asked| asked.reply.is_none()));
    let told: Vec<_> = net.rig.admin.events(0).await?;
    for Asked { explained, .. } in &foretold {
        let [address, file] = ["yiaddr", "boot file name"].map(|name| field(explained, name));
        let file = file.or(field(explained, "file"));
        let (address, file) = (address.unwrap_or("no address"), file.unwrap_or("nothing"));
        let line = format!("{MAC}: would have been {} {address}, and {file} to boot", explained.outcome);
        ensure!(
            told.iter().any(|event| event.kind == "dhcp.shadow" && event.message == line),
            "`{line}` was not told: {told:?}"
        );
        ensure!(explained.because.iter().any(|why| why.contains("`shadow`")), "{explained:?}");
    }
    for (outcome, counted) in [("offered", 2), ("acked", 2), ("naked", 1)] {
        let would = format!("{{outcome=\"shadow\",reason=\"{outcome}\"}}");
        assert_eq!(net.counted(&format!("pilotlight_dhcp_packets_total{would}")).await?, counted);
    }

    // And then for good: the same questions get the very bytes that were foretold.
    drop(capture);
    net.rig.admin.apply(&[subnet("rack", "10.77.0", "ignore")]).await?;
    let capture = Capture::start(&net.rack, files.path(), ALL)?;
    for (kind, options) in &ask {
        client.ask(*kind, NONE, options)?;
    }
    let real = asked(&net, &capture, |ip| ip == IpAddr::V4(SERVER))?;
    assert_eq!(real.len(), foretold.len());
    for (before, now) in foretold.iter().zip(&real) {
        let mut foretold = hex::decode(before.explained.reply_hex.as_ref().context("no answer")?)?;
        foretold[4..8].copy_from_slice(number(&now.request));
        let sent = &now.reply.as_ref().context("no answer")?.payload;
        assert_eq!(hex::encode(foretold), hex::encode(sent), "{:?}", now.explained.answer);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dhcp6_message_is_explained_as_it_is_answered() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.extend([subnet6("ignore"), machine("n1", MAC)]);
    let net = start6(rack6("plexsix").await?, &documents, |builder: Builder| builder).await?;
    let host = host6(&net.rack, "client", MAC).await?;
    let duid = [&[0, 4][..], &[7; 16]].concat();
    let mut client = Client6::new(&host, &duid)?;
    let class = |class: &str| option(16, &[&[0, 0, 1, 0x57, 0, 33][..], class.as_bytes()].concat());
    let wants = option(6, &[0, 23, 0, 24, 0, 59]);
    let http = [class("HTTPClient:Arch:00016:UNDI:003016"), option(61, &[0, 16]), wants.clone()];
    let pxe = [class("PXEClient::Arch:00007:UNDI:003016"), option(61, &[0, 7]), wants.clone()];
    let ipxe = [&pxe[..], &[option(15, b"\0\x04iPXE")]].concat();
    let capture = Capture::start(&net.rack, files.path(), ALL)?;
    let advert =
        client.ask(SOLICIT, &[&pxe[..], &[association(1, &[])]].concat())?.context("no advertise")?;
    let server = option(2, advert.option(2).context("no server")?);
    let (address, _) = *advert.addresses()?.first().context("no address")?;
    let holds = association(1, &[address]);
    for (kind, options) in [
        (SOLICIT, [&http[..], &[association(1, &[])]].concat()),
        (REQUEST6, [&http[..], &[server.clone(), holds.clone()]].concat()),
        (REQUEST6, [&ipxe[..], &[server.clone(), holds.clone()]].concat()),
        (RENEW, vec![server.clone(), holds.clone()]),
        (REBIND, vec![association(1, &["2001:db8:99::1".parse()?])]),
        (INFORMATION, vec![wants]),
        (REQUEST6, vec![option(2, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 9]), holds.clone()]),
        (RELEASE, vec![server.clone(), association(9, &["2001:db8:99::1".parse()?])]),
    ] {
        client.ask(kind, &options)?;
    }
    let before = net.counted("pilotlight_leases6_held{subnet=\"rack\"}").await?;
    let all = asked(&net, &capture, |ip| ip.is_ipv6())?;
    assert_eq!(all_alike(&all)?, 8, "all but the one for another server");
    assert_eq!(net.counted("pilotlight_leases6_held{subnet=\"rack\"}").await?, before, "nothing is given");
    assert!(all.iter().all(|asked| asked.explained.to.is_some() == asked.reply.is_some()));
    let named = all.iter().filter(|asked| asked.explained.machine.as_deref() == Some("n1")).count();
    ensure!(named >= 7, "{named} of them are known to be the machine's");

    let hex = hex::encode(&all[0].request.payload);
    let said =
        net.rig.cli_ok(&["explain", "--packet", &hex, "--from", &all[0].request.from.ip().to_string()])?;
    for part in [
        "Solicit\n",
        "61 client architecture      7 (efi-x64)",
        "machine n1, subnet rack",
        &format!("would be answered now: Advertise: {address} for "),
        "boots tftp://[2001:db8:77::1]/snponly.efi",
        "because\n",
        "59 boot file URL            tftp://[2001:db8:77::1]/snponly.efi",
        "port 546",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    // One that nobody asked, for all that is known.
    let reply = hex::encode(&all[0].reply.as_ref().context("no reply")?.payload);
    let said = net.rig.cli_ok(&["explain", "--packet", &reply])?;
    assert!(said.starts_with("Advertise\n") && said.contains("no question to a DHCPv6 server"), "{said}");
    Ok(())
}
