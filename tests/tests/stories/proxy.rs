//! Beside another DHCP server, a real dnsmasq, on another host and on the same one; and where we only watch.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::clients::{ip, udhcpc};
use crate::dhcp::{ACK, Client, DISCOVER, INFORM, IPXE, OFFER, REQUEST, UEFI, exchange, packet};
use crate::net::{NONE, Net, SERVER};
use crate::rig::{document, machine, skipped, small_site, subnet};

pub const OTHER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const MAC: &str = "02:00:00:00:06:01";
pub const BIOS: &[(u8, &[u8])] =
    &[(60, b"PXEClient:Arch:00000:UNDI:002001"), (93, &[0, 0]), (94, &[1, 2, 1])];
pub const HTTP: &[(u8, &[u8])] =
    &[(60, b"HTTPClient:Arch:00016:UNDI:003000"), (93, &[0, 16]), (94, &[1, 3, 0])];

/// The server that gives the addresses; it ends with this.
pub struct Dnsmasq(Child);

impl Dnsmasq {
    pub fn start(mut command: Command, interface: &str, folder: &Path) -> Result<Self> {
        command.args([
            "--keep-in-foreground",
            "--port=0",
            "--conf-file=/dev/null",
            "--no-ping",
            "--bind-interfaces",
        ]);
        command.args(["--dhcp-authoritative", "--user=root", "--dhcp-range=10.77.0.100,10.77.0.199,600"]);
        command.arg(format!("--interface={interface}"));
        command.arg(format!("--dhcp-leasefile={}", folder.join("dnsmasq.leases").display()));
        command.arg(format!("--log-facility={}", folder.join("dnsmasq.log").display()));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.context("dnsmasq cannot be started: apt-get install dnsmasq-base")?))
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A subnet whose addresses are another server's.
pub fn proxied() -> Value {
    document("Subnet", "rack", json!({"cidr": "10.77.0.0/24", "mode": "proxy", "unknown": "discover"}))
}

/// Waits until the other server gives addresses.
pub fn until_served(client: &mut Client, server: Ipv4Addr) -> Result<()> {
    for _ in 0..20 {
        if client.ask_all(DISCOVER, &[])?.contains_key(&server) {
            return Ok(());
        }
    }
    anyhow::bail!("{server} gives no address")
}

fn with<'a>(options: &[(u8, &'a [u8])], more: &[(u8, &'a [u8])]) -> Vec<(u8, &'a [u8])> {
    options.iter().chain(more).copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_and_ipxe_are_told_what_to_boot_beside_a_server_that_gives_the_addresses() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.extend([proxied(), machine("n1", MAC)]);
    let net = Net::start("plproxy", &documents).await?;
    let addresses = net.rack.host("dnsmasq", Some(format!("{OTHER}/24").parse()?))?;
    let _dnsmasq = Dnsmasq::start(addresses.command("dnsmasq"), "eth0", files.path())?;
    let host = net.rack.host("client", None)?;
    let mut client = Client::new(&host, MAC)?;
    until_served(&mut client, OTHER)?;

    // A running system is none of our business.
    assert_eq!(client.ask_all(DISCOVER, &[])?.into_keys().collect::<Vec<_>>(), [OTHER]);
    assert_eq!(udhcpc(&host, files.path(), &[])?.get("serverid").map(String::as_str), Some("10.77.0.2"));

    let uuid = [&[0][..], &[7; 16]].concat();
    let url = "http://10.77.0.1:8080/boot";
    let http_file = format!("{url}/files/snponly.efi");
    let uuid_text = "07070707-0707-0707-0707-070707070707";
    let script = format!("{url}/ipxe?mac=02-00-00-00-06-01&uuid={uuid_text}&serial=${{serial:uristring}}");
    for (asks, class, vendor, file) in [
        (UEFI, "PXEClient", None, "snponly.efi"),
        (BIOS, "PXEClient", Some(&[6, 1, 8, 255][..]), "undionly.kpxe"),
        (IPXE, "PXEClient", None, &script),
        (HTTP, "HTTPClient", None, &http_file),
    ] {
        let offers = client.ask_all(DISCOVER, &with(asks, &[(97, &uuid)]))?;
        ensure!(offers.len() == 2, "{offers:?}");
        let (ours, theirs) = (&offers[&SERVER], &offers[&OTHER]);
        assert_eq!((ours.kind, ours.yiaddr, ours.siaddr), (OFFER, NONE, SERVER), "never an address");
        assert!(ours.options.keys().all(|code| [53, 54, 60, 43, 66, 67, 97].contains(code)), "{ours:?}");
        assert_eq!((ours.text(60)?, ours.option(97)?), (class.to_owned(), &uuid[..]));
        assert_eq!(ours.options.get(&43).map(Vec::as_slice), vendor, "{file}");
        assert_eq!((ours.text(67)?.as_str(), ours.file.as_str()), (file, file));
        // It takes the other one's address, and that one alone says so.
        let (address, server) = (theirs.yiaddr.octets(), OTHER.octets());
        let taken = with(asks, &[(97, &uuid[..]), (50, &address), (54, &server)]);
        let acks = client.ask_all(REQUEST, &taken)?;
        assert_eq!(acks.keys().copied().collect::<Vec<_>>(), [OTHER]);
        assert_eq!(acks[&OTHER].kind, ACK);
    }

    // At port 4011: UEFI from 4011, iPXE from 68, each is answered where it asked from.
    let address = client.lease(&[])?.yiaddr;
    drop(client);
    host.ip(&format!("addr add {address}/24 dev eth0"))?;
    let mac = MAC.parse()?;
    let to = SocketAddrV4::new(SERVER, 4011);
    let item: &[u8] = &[71, 4, 0x80, 0, 0, 0, 255];
    for (port, kind, asks) in [(4011, REQUEST, UEFI), (4011, INFORM, BIOS), (68, REQUEST, IPXE)] {
        let question = packet(mac, 77, kind, [address, NONE], &with(asks, &[(97, &uuid), (43, item)]))?;
        let answer = exchange(&host, SocketAddrV4::new(address, port), to, &question)?;
        let (from, ack) = answer.with_context(|| format!("no answer at 4011 to port {port}"))?;
        assert_eq!(from, to.into());
        assert_eq!((ack.kind, ack.yiaddr, ack.ciaddr, ack.siaddr), (ACK, NONE, address, SERVER));
        assert_eq!(
            (ack.address(54)?, ack.text(60)?, ack.option(97)?),
            (SERVER, "PXEClient".into(), &uuid[..])
        );
        assert!(!ack.file.is_empty() && ack.option(43)? == item, "{ack:?}");
    }
    let boot = net.rig.admin.machine("n1").await?.boot.context("a boot")?;
    assert_eq!(boot.address, Some(address.into()), "what it fetches next is known for its own");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_servers_can_be_on_one_host() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.extend([proxied(), machine("n1", MAC)]);
    let net = Net::start_with("plproxyone", &documents, |b| b.set("dhcp.share-port", true)).await?;
    let _dnsmasq = Dnsmasq::start(net.rack.command("dnsmasq"), "br0", files.path())?;
    let host = net.rack.host("client", None)?;
    let mut client = Client::new(&host, MAC)?;
    until_served(&mut client, SERVER)?;
    client.send(DISCOVER, NONE, UEFI)?;
    let mut offers = Vec::new();
    while let Some(offer) = client.answer(Duration::from_secs(1))? {
        offers.push(offer);
    }
    offers.sort_by_key(|offer| offer.yiaddr);
    let [ours, theirs] = &offers[..] else { anyhow::bail!("{offers:?}") };
    assert_eq!((ours.yiaddr, ours.file.as_str()), (NONE, "snponly.efi"));
    ensure!(!theirs.yiaddr.is_unspecified() && theirs.file.is_empty(), "{theirs:?}");
    // What is sent to this host is the other server's: the renewal of its lease.
    let address = theirs.yiaddr;
    drop(client);
    let given = udhcpc(&host, files.path(), &["-r", &address.to_string()])?;
    assert_eq!(ip(&given, "ip")?, address);
    host.ip(&format!("addr add {address}/24 dev eth0"))?;
    let renewal = packet(MAC.parse()?, 78, REQUEST, [address, NONE], &[])?;
    let from = SocketAddrV4::new(address, 68);
    let answer = exchange(&host, from, SocketAddrV4::new(SERVER, 67), &renewal)?;
    assert_eq!(answer.context("the renewal got lost")?.1.yiaddr, address);
    // Where we were to give addresses, two servers on one port would be one too many.
    net.rig.admin.apply(&[subnet("rack", "10.77.0", "discover")]).await?;
    let mut client = Client::new(&host, MAC)?;
    let answers = client.ask_all(DISCOVER, UEFI)?;
    ensure!(answers.values().all(|offer| offer.file.is_empty()), "{answers:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_another_server_a_machine_that_boots_from_its_disk_gets_nothing() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("plproxydisk", &[proxied(), machine("n1", MAC)]).await?;
    let host = net.rack.host("client", None)?;
    let mut client = Client::new(&host, MAC)?;
    // No group gives it a profile: nothing is asked of it, and its firmware goes on at once.
    net.silence(&mut client, UEFI, "local_disk").await?;
    net.silence(&mut client, HTTP, "local_disk").await?;
    net.silence(&mut client, &[], "address_only").await?;
    assert!(client.ask(DISCOVER, NONE, IPXE)?.file.contains("/boot/ipxe"), "iPXE is told to leave");
    let mut unknown = proxied();
    unknown["spec"]["unknown"] = json!("ignore");
    net.rig.admin.apply(&[unknown]).await?;
    let mut stranger = Client::new(&net.rack.host("stranger", None)?, "02:00:00:00:06:02")?;
    net.silence(&mut stranger, UEFI, "unknown_machine").await?;
    assert_eq!(net.rig.admin.machines().await?.len(), 2, "it is recorded all the same");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_we_only_watch_nothing_is_sent_and_what_would_have_been_is_told() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let mut watched = subnet("rack", "10.77.0", "discover");
    watched["spec"]["mode"] = json!("shadow");
    let net = Net::start("plshadow", &[watched.clone(), machine("n1", MAC)]).await?;
    let host = net.rack.host("client", None)?;
    let mut client = Client::new(&host, MAC)?;
    let shadow = |would: &str| format!("outcome=\"shadow\",reason=\"{would}\"");
    for _ in 0..3 {
        net.taken(&mut client, DISCOVER, NONE, UEFI, &shadow("offered")).await?;
    }
    net.taken(&mut client, REQUEST, NONE, &[(50, &[10, 77, 0, 120])], &shadow("acked")).await?;
    net.taken(&mut client, REQUEST, NONE, &[(50, &[10, 99, 0, 1])], &shadow("naked")).await?;
    net.taken(
        &mut client,
        REQUEST,
        NONE,
        &[(50, &[10, 77, 0, 120]), (54, &OTHER.octets())],
        &shadow("other_server"),
    )
    .await?;
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 50), 4011);
    host.ip("addr add 10.77.0.50/24 dev eth0")?;
    let question = packet(MAC.parse()?, 79, REQUEST, [*address.ip(), NONE], UEFI)?;
    assert_eq!(exchange(&host, address, SocketAddrV4::new(SERVER, 4011), &question)?, None);
    let events: Vec<_> = net.rig.admin.events(0).await?;
    let told: Vec<&str> = events
        .iter()
        .filter(|event| event.kind == "dhcp.shadow")
        .map(|event| event.message.as_str())
        .collect();
    ensure!(told.len() == 4, "each answer is told once: {told:?}");
    ensure!(told[0].starts_with("02:00:00:00:06:01: would have been offered 10.77.0.1"), "{told:?}");
    ensure!(told[0].ends_with("and snponly.efi to boot"), "{told:?}");
    let mut stranger = Client::new(&net.rack.host("stranger", None)?, "02:00:00:00:06:02")?;
    net.taken(&mut stranger, DISCOVER, NONE, UEFI, &shadow("offered")).await?;
    assert_eq!(net.rig.admin.machines().await?.len(), 1, "nobody is recorded");
    assert_eq!(net.counted("pilotlight_leases_held{subnet=\"rack\"}").await?, 0, "and nothing given");
    Ok(())
}
