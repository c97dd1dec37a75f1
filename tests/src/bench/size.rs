//! Memory: of a daemon that does nothing, of one from which 5,000 machines boot at once, and of one with 100,000 machines.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::ground::{self, SERVER};
use super::scripts::{self, file_ref};
use super::table::Table;
use super::usage::Memory;
use crate::daemon::Daemon;
use crate::fleet::{self, Summary};
use crate::rack::Namespace;

const HALL: u16 = 5_000;
const INVENTORY: usize = 100_000;
/// How large each file of the hall's image is.
const PART: usize = 256 << 10;
/// A machine that boots sits in its kernel for so long: by then all of them are on their way.
const KERNEL_START: Duration = Duration::from_secs(30);
/// How often memory is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(250);

/// Prints the section.
pub async fn run() -> Result<()> {
    let network = ground::network()?;
    let mut table = Table::new(
        "Memory, MB: RssAnon is the daemon's own, the rest are files in the page cache",
        &["daemon", "resident (VmRSS)", "own (RssAnon)", "proportional (Pss)"],
    );
    let folder = tempfile::tempdir()?;
    let idle = ground::ours(&network, folder.path(), |builder| builder).await?;
    table.row(row("that does nothing", Memory::of(pid(&idle)?)?));
    drop(idle);

    let folder = tempfile::tempdir()?;
    let files = programs(folder.path())?;
    let daemon = ground::ours(&network, folder.path(), |builder| builder.set("ipxe.dir", files)).await?;
    let (most, summary) = storm(&network, &daemon, folder.path()).await?;
    table.row(row(&format!("{HALL} machines boot at once, {} of them lost; the most", summary.lost), most));
    drop(daemon);

    let folder = tempfile::tempdir()?;
    let mut daemon = ground::ours(&network, folder.path(), |builder| builder).await?;
    scripts::fill(&daemon.client()?, folder.path(), INVENTORY).await?;
    table.row(row(&format!("{INVENTORY} machines, which were just taken in"), Memory::of(pid(&daemon)?)?));
    // What taking them in needed is not what having them needs.
    daemon.restart().await?;
    table.row(row(&format!("{INVENTORY} machines, started again"), Memory::of(pid(&daemon)?)?));
    table.print();
    Ok(())
}

fn row(what: &str, memory: Memory) -> [String; 4] {
    let Memory { resident, own, proportional } = memory;
    [what.to_owned(), format!("{resident:.0}"), format!("{own:.0}"), format!("{proportional:.0}")]
}

fn pid(daemon: &Daemon) -> Result<u32> {
    daemon.pid().context("the daemon does not run")
}

/// A folder with boot programs of the usual size.
fn programs(folder: &Path) -> Result<String> {
    let files = folder.join("programs");
    fs::create_dir(&files)?;
    for name in ["undionly.kpxe", "snponly.efi", "ipxe.efi"] {
        fs::write(files.join(name), vec![7; PART])?;
    }
    Ok(files.display().to_string())
}

/// Powers on a hall, and gives the most that the daemon needed meanwhile.
async fn storm(network: &Namespace, daemon: &Daemon, folder: &Path) -> Result<(Memory, Summary)> {
    let file = folder.join("part");
    fs::write(&file, vec![7; PART])?;
    let part = file_ref(&file)?;
    let image = json!({
        "os": "fedora-coreos", "arch": "x86_64", "version": "1.0", "kernel": part, "initrd": [part], "rootfs": part,
    });
    // Behind a relay agent, which is a computer of its own.
    let hall = network.host("hall", Some("10.77.0.2/16".parse()?))?;
    hall.ip("route add local 10.80.0.0/16 dev lo")?;
    network.ip("route add 10.80.0.0/16 via 10.77.0.2")?;
    // As fast a link as there is: what is looked for is all of them at once, and not how they are paced.
    let subnet = json!({
        "cidr": "10.80.0.0/16", "mode": "authoritative", "ranges": ["10.80.64.0-10.80.191.255"], "lease": "1h",
        "linkRate": "4000Gbit",
    });
    let profile = json!({"image": "image", "boot": "live", "butane": scripts::BUTANE});
    let mut documents = vec![
        json!({"kind": "Subnet", "name": "hall", "spec": subnet}),
        json!({"kind": "Image", "name": "image", "spec": image}),
        json!({"kind": "Profile", "name": "worker", "spec": profile}),
        json!({"kind": "Group", "name": "all", "spec": {"profile": "worker", "variables": {"zone": "a"}}}),
    ];
    documents.extend((1..=HALL).map(|number| {
        json!({"kind": "Machine", "name": format!("n{number}"), "spec": {"macs": [fleet::member(number).mac]}})
    }));
    daemon.client()?.apply(&documents).await?;

    // Thousands of machines have as many sockets here.
    let own = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &own, "--nofile=20000:20000"]).status();
    ensure!(raised.context("prlimit (package util-linux)")?.success(), "20,000 open files are not allowed");
    let options = fleet::Options {
        machines: HALL,
        server: SERVER,
        relay: Ipv4Addr::new(10, 80, 0, 1),
        link: 4_000_000_000_000,
        spread: Duration::from_secs(1),
        kernel_start: KERNEL_START,
        to_the_agent: false,
        deadline: Duration::from_secs(300),
    };
    let (pid, done) = (pid(daemon)?, AtomicBool::new(false));
    let (most, summary) = thread::scope(|scope| {
        let watcher = scope.spawn(|| -> Result<Memory> {
            let mut most = Memory::of(pid)?;
            while !done.load(Ordering::Relaxed) {
                most = most.max(Memory::of(pid)?);
                thread::park_timeout(LOOK);
            }
            Ok(most)
        });
        let summary = hall.inside(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(fleet::run(&options))
        });
        done.store(true, Ordering::Relaxed);
        (watcher.join(), summary)
    });
    let most = most.map_err(|_| anyhow::anyhow!("memory was not watched to the end"))??;
    Ok((most, summary??))
}
