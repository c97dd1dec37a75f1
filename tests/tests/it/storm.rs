//! A hall that is powered on at once, on a slow link, behind a relay: nobody is lost, and the daemon keeps the order.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use pilotlight_tests::fleet::{self, Options, Summary};
use pilotlight_tests::rack::Host;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

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
    let folder = net.rig.folder.path();
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
    documents.extend((1..=MACHINES).map(|number| {
        let spec = fleet::member(number);
        document("Machine", &format!("n{number}"), json!({"macs": [spec.mac], "uuid": spec.uuid}))
    }));
    net.rig.admin.apply(&documents).await?;

    let hall = net.rack.host("hall", Some("10.77.0.2/24".parse()?))?;
    net.rack.ip("route add 10.80.0.0/20 via 10.77.0.2")?;
    let ports = net.rack.ip("-o link show master br0")?;
    let port = ports.split(": ").nth(1).and_then(|name| name.split('@').next()).context("the hall's port")?;
    let mut shaped = net.rack.command("tc");
    shaped.args(["qdisc", "add", "dev", port, "root", "tbf"]);
    shaped.args(["rate", "100mbit", "burst", "128k", "latency", "100ms"]);
    assert!(shaped.status()?.success(), "the link is not shaped: is tc there?");

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
