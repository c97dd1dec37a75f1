//! A hall that is powered on at once, on a slow link, behind a relay: nobody is lost, and the daemon keeps the order.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pilotlight_tests::fleet::{self, Options, Summary};
use pilotlight_tests::rack::Host;
use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::bad_wires::power_on;
use crate::net::{Net, SERVER};
use crate::rig::{document, file_ref, skipped};

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 80, 0, 1);
const MACHINES: u16 = 120;
const AT_ONCE: usize = 24;

/// The hall's network, of 100 Mbit/s.
fn subnet() -> Value {
    let spec = json!({
        "cidr": "10.80.0.0/20", "mode": "authoritative", "ranges": ["10.80.1.0-10.80.8.255"], "gateway": "10.80.0.1",
        "lease": "10m", "linkRate": "100Mbit", "concurrentBoots": AT_ONCE,
    });
    document("Subnet", "hall", spec)
}

/// Makes the hall's link that slow.
fn shape(net: &Net, rate: &str) -> Result<()> {
    let ports = net.rack.ip("-o link show master br0")?;
    let port = ports.split(": ").nth(1).and_then(|name| name.split('@').next()).context("the hall's port")?;
    let mut shaped = net.rack.command("tc");
    shaped.args(["qdisc", "add", "dev", port, "root", "tbf"]);
    shaped.args(["rate", rate, "burst", "128k", "latency", "100ms"]);
    ensure!(shaped.status()?.success(), "the link is not shaped: is tc there?");
    Ok(())
}

/// The site of a hall whose machines load 1.5 MB each.
fn site(folder: &Path, machines: u16) -> Result<Vec<Value>> {
    let file = |name: &str, size: usize| {
        let path = folder.join(name);
        std::fs::write(&path, vec![b'x'; size])?;
        file_ref(&path)
    };
    let image = json!({
        "os": "fedora-coreos", "arch": "x86_64", "version": "1.0", "kernel": file("kernel", 100_000)?,
        "initrd": [file("initramfs.img", 200_000)?], "rootfs": file("rootfs.img", 1_200_000)?,
    });
    let butane = "variant: fcos\nversion: 1.4.0\n";
    let mut documents = vec![
        subnet(),
        document("Image", "small", image),
        document("Profile", "worker", json!({"image": "small", "boot": "live", "butane": butane})),
        document("Group", "all", json!({"profile": "worker"})),
    ];
    documents.extend((1..=machines).map(|number| {
        let spec = fleet::member(number);
        document("Machine", &format!("n{number}"), json!({"macs": [spec.mac], "uuid": spec.uuid}))
    }));
    Ok(documents)
}

async fn powered_on(hall: &Arc<Host>, options: Options) -> Result<Summary> {
    let hall = Arc::clone(hall);
    let run = move || {
        hall.inside(|| {
            fleet::own("10.80.0.0/20".parse()?)?;
            // Sockets belong to the network of the thread that makes them: there is one thread.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(fleet::run(&options))
        })
    };
    spawn_blocking(run).await??
}

#[tokio::test]
async fn a_hall_on_a_slow_link_boots_in_turns_and_loses_nobody() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("plstorm", &[]).await?;
    let documents = site(net.rig.folder.path(), MACHINES)?;
    net.rig.admin.apply(&documents).await?;

    let hall = net.rack.host("hall", Some("10.77.0.2/24".parse()?))?;
    net.rack.ip("route add 10.80.0.0/20 via 10.77.0.2")?;
    shape(&net, "100mbit")?;

    let hall = Arc::new(hall);
    let options = Options {
        machines: MACHINES,
        server: SERVER,
        relay: RELAY,
        link: 100_000_000,
        spread: Duration::from_millis(50),
        kernel_start: Duration::from_secs(1),
        to_the_agent: true,
        deadline: Duration::from_secs(180),
    };
    let storm = powered_on(&hall, options);
    let (mut most, mut queue, mut shown) = (0, 0, false);
    let watch = async {
        loop {
            most = most.max(net.counted("pilotlight_pacing_loading{subnet=\"hall\"}").await?);
            queue = queue.max(net.counted("pilotlight_pacing_waiting{subnet=\"hall\"}").await?);
            let page = net.rig.admin.request(reqwest::Method::GET, "/status", &[], None).await?.text();
            shown |= page.contains("Waiting for their turn");
            sleep(Duration::from_millis(200)).await;
        }
    };
    let summary = tokio::select! {
        summary = storm => summary?,
        error = watch => return error,
    };
    eprintln!("{summary}");
    assert_eq!((summary.machines, summary.lost), (usize::from(MACHINES), 0), "{summary}");
    assert!((1..=u64::try_from(AT_ONCE)?).contains(&most), "{most} loaded at once");
    assert!(queue > 20 && shown, "{queue} waited at the most");
    // What is left of the link's time is for a debug build on a host that has other things to do.
    assert!(summary.ratio > 1.0 && summary.ratio < 2.0, "{summary}");
    let held = net.counted("pilotlight_dhcp_packets_total{outcome=\"silent\",reason=\"paced\"}").await?;
    assert!(held > 0, "120 boot programs at once are more than 100 Mbit/s bear");
    Ok(())
}

/// Kills the daemon while some machines load and others wait.
#[tokio::test]
async fn a_daemon_that_is_killed_in_a_storm_goes_on_where_it_was() -> Result<()> {
    const FEW: u16 = 24;
    const TURNS: u64 = 4;
    if skipped("network") {
        return Ok(());
    }
    let mut net = Net::start_with("plstormkill", &[], pilotlight_tests::daemon::Builder::with_agent).await?;
    let mut documents = site(net.rig.folder.path(), FEW)?;
    documents[0]["spec"]["concurrentBoots"] = json!(TURNS);
    net.rig.admin.apply(&documents).await?;
    let hall = net.rack.host("hall", Some("10.77.0.2/24".parse()?))?;
    net.rack.ip("route add 10.80.0.0/20 via 10.77.0.2")?;
    shape(&net, "20mbit")?;
    let mut storm = JoinSet::new();
    storm.spawn(power_on(hall, FEW));

    let (loading, waiting) =
        ("pilotlight_pacing_loading{subnet=\"hall\"}", "pilotlight_pacing_waiting{subnet=\"hall\"}");
    let mut kills = 0;
    while kills < 3 {
        ensure!(
            storm.try_join_next().is_none(),
            "the storm is over before the daemon was killed {kills} times"
        );
        let before = (net.counted(loading).await?, net.counted(waiting).await?);
        if before.0 == 0 || before.1 < 3 {
            sleep(Duration::from_millis(50)).await;
            continue;
        }
        // Who came in this very moment was promised nothing yet, and comes again.
        sleep(Duration::from_millis(700)).await;
        let before = (net.counted(loading).await?, net.counted(waiting).await?);
        net.rig.daemon.restart().await?;
        kills += 1;
        let after = (net.counted(loading).await?, net.counted(waiting).await?);
        eprintln!("loading and waiting: {before:?}, and after the kill {after:?}");
        ensure!(after.0 <= TURNS, "{} load after the kill", after.0);
        // Between the look and the kill some may have finished, and others been let in.
        ensure!(after.0 > 0 && after.1 + TURNS >= before.1, "{before:?}, and after the kill {after:?}");
        sleep(Duration::from_secs(1)).await;
    }
    let reports = storm.join_next().await.context("the storm")???;
    ensure!(reports.len() == usize::from(FEW), "{} machines", reports.len());
    for number in 1..=FEW {
        net.rig.admin.wait_for(&format!("n{number}"), "active", Duration::from_secs(120)).await?;
    }
    // Each boot had its turn once, and those who waited had it in the order in which they came.
    let events = net.rig.admin.events(0).await?;
    let of = |kind: &str| -> Vec<_> {
        events.iter().filter(|event| event.kind == kind).filter_map(|event| event.boot).collect()
    };
    let (queued, admitted) = (of("boot.queued"), of("boot.admitted"));
    let mut turns: BTreeMap<_, usize> = BTreeMap::new();
    for boot in &admitted {
        *turns.entry(*boot).or_default() += 1;
    }
    ensure!(turns.values().all(|count| *count == 1), "a boot had its turn twice: {turns:?}");
    let mut first_asked = Vec::new();
    for boot in queued {
        if !first_asked.contains(&boot) {
            first_asked.push(boot);
        }
    }
    let waited: Vec<_> = admitted.iter().filter(|boot| first_asked.contains(boot)).collect();
    ensure!(waited.len() >= usize::from(FEW) / 2, "{} waited for their turn", waited.len());
    for (place, boot) in waited.iter().enumerate() {
        let came = first_asked.iter().position(|other| other == *boot).unwrap_or_default();
        // As many as may load at once ask each at its own moment.
        let apart = came.abs_diff(place);
        ensure!(apart <= 2 * usize::try_from(TURNS)?, "{boot} came as {came} and had turn {place}");
    }
    Ok(())
}
