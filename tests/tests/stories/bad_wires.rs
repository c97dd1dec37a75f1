//! Networks as they are at their worst: frames that are lost, doubled, late or out of order, and a router on the way that takes smaller
//! packets. Boots still end.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pilotlight_tests::daemon::Builder;
use pilotlight_tests::fleet;
use pilotlight_tests::rack::{Cable, Faults, Firmware, Host, Machine, Namespace, accel};
use pilotlight_tests::sim::{self, Segment};
use pilotlight_types::api::Phase;
use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use crate::boot::{patience, site, start};
use crate::clients::succeeded;
use crate::net::{Net, SERVER};
use crate::rig::{document, file_ref, machine, skipped, small_site, subnet};

/// Of ten frames one is lost and one is overtaken, of twenty one comes twice, and the way there and back takes 200 ms.
const BAD: Faults =
    Faults { seed: 20, lost: 0.1, doubled: 0.05, held: 0.1, delay: Duration::from_millis(100) };

/// Far above what any of this takes, so that a slow host does not fail it.
const PATIENCE: Duration = Duration::from_secs(420);

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 80, 0, 1);
const MACHINES: u16 = 6;

/// Simulated machines behind a relay: their network and its daemon's are at either end of the cable.
fn hall_site(folder: &Path) -> Result<Vec<Value>> {
    let mut documents = small_site(folder)?;
    let spec = json!({
        "cidr": "10.80.0.0/20", "mode": "authoritative", "ranges": ["10.80.1.0-10.80.1.255"], "gateway": "10.80.0.1", "lease": "10m",
    });
    documents.push(document("Subnet", "hall", spec));
    documents.extend((1..=MACHINES).map(|number| {
        let spec = fleet::member(number);
        document("Machine", &format!("n{number}"), json!({"macs": [spec.mac], "uuid": spec.uuid}))
    }));
    Ok(documents)
}

/// A machine whose initramfs gives up, since the server went away during its rootfs, is reset.
async fn until_it_runs(machine: sim::Machine) -> sim::Report {
    loop {
        match machine.boot().await {
            Ok(report) => return report,
            Err(error) => eprintln!("{} is reset: {error:#}", machine.spec().mac),
        }
    }
}

/// Powers simulated machines on behind the relay; each starts over as often as it has to.
pub async fn power_on(hall: Host, machines: u16) -> Result<Vec<sim::Report>> {
    let run = move || {
        hall.inside(|| {
            fleet::own("10.80.0.0/20".parse()?)?;
            // Sockets belong to the network of the thread that makes them: there is one thread.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let segment = Arc::new(Segment::relayed(SocketAddrV4::new(SERVER, 67), RELAY)?);
                let mut boots = JoinSet::new();
                for number in 1..=machines {
                    let machine = sim::Machine::new(fleet::member(number), &segment, 69);
                    boots.spawn(async move { timeout(PATIENCE, until_it_runs(machine)).await });
                }
                let mut reports = Vec::new();
                while let Some(report) = boots.join_next().await {
                    reports.push(report?.context("a boot does not end")?);
                }
                Ok(reports)
            })
        })
    };
    spawn_blocking(run).await??
}

#[tokio::test]
async fn machines_become_active_over_a_wire_that_loses_doubles_delays_and_reorders() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let net = Net::start_with("plbadwire", &hall_site(files.path())?, Builder::with_agent).await?;
    let far = Namespace::create("plbadfar", None)?;
    let cable = Cable::between(&net.rack, &far, BAD)?;
    let hall = far.host("hall", Some("10.77.0.2/24".parse()?))?;
    net.rack.ip("route add 10.80.0.0/20 via 10.77.0.2")?;

    let reports = power_on(hall, MACHINES).await?;
    let restarts: u32 = reports.iter().map(|report| report.restarts).sum();
    let tally = cable.tally();
    eprintln!("{} machines, {restarts} restarts of them; {tally:?}", reports.len());
    ensure!(reports.iter().all(|report| report.running.is_some()), "each has its agent");
    for number in 1..=MACHINES {
        let found = net.rig.admin.wait_for(&format!("n{number}"), "active", PATIENCE).await?;
        ensure!(found.boot.is_some(), "its boot is recorded");
    }
    // The wire was as bad as it says.
    ensure!(tally.lost * 20 > tally.passed && tally.doubled > 50 && tally.held > 100, "{tally:?}");
    Ok(())
}

#[tokio::test]
async fn real_firmware_comes_to_its_kernel_over_such_a_wire() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let accel = accel::choose()?.accel;
    let mac = "52:54:00:77:0b:01";
    let files = tempfile::tempdir()?;
    // A kernel that is small, for iPXE's TCP sends again slowly: iPXE itself, as a Linux kernel that says its name.
    let initrd = files.path().join("initrd");
    std::fs::write(&initrd, vec![b'i'; 30_000])?;
    let image = json!({
        "os": "generic", "arch": "x86_64", "version": "1", "kernel": file_ref(Path::new("/usr/lib/ipxe/ipxe.lkrn"))?,
        "initrd": [file_ref(&initrd)?],
    });
    let documents = [
        subnet("rack", "10.77.0", "ignore"),
        document("Image", "tiny", image),
        document("Profile", "tiny", json!({"image": "tiny", "boot": "live"})),
        document("Group", "all", json!({"profile": "tiny"})),
        machine("n1", mac),
    ];
    let net = Net::start_with("plbadboot", &documents, Builder::with_agent).await?;
    let far = Namespace::create("plbadrom", None)?;
    let cable = Cable::between(&net.rack, &far, BAD)?;
    let mut machine = Machine::builder("n1", accel, Firmware::Bios, mac.parse()?)
        .memory_mib(512)
        .build(&far, net.rig.folder.path())?;
    machine.power_on()?;
    let loaded = |machine: &pilotlight_types::api::Machine| {
        let boot = machine.boot.as_ref();
        boot.and_then(|boot| boot.phase(Phase::Initramfs)).is_some_and(|phase| phase.ended.is_some())
    };
    // The card's own iPXE says it first.
    let banner = "iPXE initialising devices";
    machine.wait_for(banner, PATIENCE).await?;
    let from = machine.console().mark();
    let admin = &net.rig.admin;
    admin
        .wait_until("n1", "with its initramfs", PATIENCE, loaded)
        .await
        .with_context(|| machine.console().tail(30))?;
    machine.wait_for_from(from, banner, PATIENCE).await.context("the kernel does not start")?;
    eprintln!("{:?}", cable.tally());
    Ok(())
}

/// How often this computer cut a packet into fragments.
fn fragmented(host: &Host) -> Result<u64> {
    let counters = host.command("nstat").args(["-asz", "IpFragCreates"]).output()?;
    let text = String::from_utf8(counters.stdout)?;
    let line = text.lines().find_map(|line| line.strip_prefix("IpFragCreates")).context(text.clone())?;
    Ok(line.split_whitespace().next().context("no count")?.parse()?)
}

/// Firmware knows nothing of the path's MTU: it asks for blocks that fill an Ethernet frame, and must get them in pieces, or smaller.
#[tokio::test(flavor = "multi_thread")]
async fn machines_behind_a_router_that_takes_smaller_packets_become_active() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let accel = accel::choose()?.accel;
    let mac = "52:54:00:77:0c:01";
    let mut documents = site(&[])?;
    documents.extend([subnet("far", "10.78.0", "ignore"), machine("far1", mac)]);
    let net = start("plsmall", &documents, |builder| builder).await?;
    let far = Namespace::create("plsmallfar", None)?;
    let router = net.rack.relay("router", "10.77.0.2/24".parse()?, &far, "10.78.0.1/24".parse()?)?;
    router.ip("link set eth1 mtu 900")?;
    let client = far.host("client", Some("10.78.0.9/24".parse()?))?;
    client.ip("route add default via 10.78.0.1")?;

    // UDP tells nobody that a packet was too big: the router cuts it.
    let out = net.rig.folder.path().join("out");
    let expected = std::fs::read("/usr/lib/ipxe/snponly.efi").context("apt-get install ipxe")?;
    let mut fetch = client.command("atftp");
    fetch.args(["--option", "blksize 1468", "--option", "windowsize 4", "-g", "-r", "snponly.efi", "-l"]);
    succeeded(fetch.arg(&out).arg(SERVER.to_string()).output()?)?;
    ensure!(std::fs::read(&out)? == expected, "in pieces, and whole");
    let cut = fragmented(&router)?;
    ensure!(cut > 2 * expected.len() as u64 / 1468, "{cut} fragments: was the way too wide?");

    let mut agent = router
        .command("dhcrelay")
        .args(["-4", "-d", "-a", "-m", "append", "-iu", "eth0", "-id", "eth1", "10.77.0.1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("dhcrelay cannot be started: apt-get install isc-dhcp-relay")?;
    let mut machine = Machine::builder("far1", accel, Firmware::Uefi, mac.parse()?)
        .memory_mib(768)
        .build(&far, net.rig.folder.path())?;
    machine.power_on()?;
    let reached = net.rig.admin.wait_for("far1", "active", patience(accel) * 2).await;
    machine.power_off()?;
    agent.kill()?;
    agent.wait()?;
    let boot = reached.with_context(|| machine.console().tail(30))?.boot.context("there is no boot")?;
    let program = boot.phase(Phase::BootProgram).context("by TFTP")?;
    ensure!(program.bytes >= expected.len() as u64 && program.ended.is_some(), "{program:?}");
    ensure!(fragmented(&router)? > cut, "what the firmware fetched came in pieces too");
    Ok(())
}
