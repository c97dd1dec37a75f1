//! DHCP: how many four-way exchanges a second are held, and what each costs, of this server, Kea and dnsmasq; perfdhcp asks.
//! Every server keeps its leases on disk; this one before it says ACK. The clients are machines of this server's inventory, as they
//! are in a hall: strangers are taken at a bounded rate only.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::ground::{self, SERVER, Server};
use super::scripts::{fill, mac};
use super::servers;
use super::table::{Table, ratio};
use super::{OUR_CPU, Options};
use crate::rack::{Host, Namespace};

/// Exchanges a second that are asked for, one after the other, until more than [`LOST`] of them are lost.
const RATES: [u32; 9] = [100, 200, 500, 1000, 2000, 4000, 6000, 8000, 10_000];
/// Seconds at each rate.
const SECONDS: u32 = 3;
/// In percent.
const LOST: f64 = 0.5;
/// So many machines ask, in no order.
const MACHINES: usize = 20_000;

/// Prints the section.
pub async fn run(_: &Options) -> Result<()> {
    let network = ground::network()?;
    let host = network.host("client", Some("10.77.0.2/16".parse()?))?;
    let mut table = Table::new(
        "DHCP: four-way exchanges a second with less than 0.5 % lost",
        &["server", "held", "processor µs each", "held, to Kea", "processor, to Kea"],
    );
    let lists = tempfile::tempdir()?;
    let macs = lists.path().join("macs");
    fs::write(&macs, (0..MACHINES).map(|number| mac(number, ':') + "\n").collect::<String>())?;
    let mut rows = Vec::new();
    for name in ["Pilotlight", "kea-dhcp4 (memfile)", "dnsmasq"] {
        eprintln!("{name}");
        let folder = tempfile::tempdir()?;
        let server = start(&network, folder.path(), name).await?;
        let mut best = (0, None);
        for rate in RATES {
            let Some(each) = held(&host, &server, &macs, rate)? else { break };
            best = (rate, Some(each));
        }
        rows.push((name, best));
    }
    let kea = rows.get(1).map(|(_, best)| *best).context("Kea was not measured")?;
    for (name, (rate, each)) in rows {
        table.row([
            name.to_owned(),
            rate.to_string(),
            each.map_or("-".to_owned(), |each| format!("{each:.0}")),
            ratio(Some(rate.into()), Some(kea.0.into())),
            ratio(each, kea.1),
        ]);
    }
    table.print();
    Ok(())
}

async fn start(network: &Namespace, folder: &Path, name: &str) -> Result<Server> {
    Ok(match name {
        "Pilotlight" => {
            let daemon = ground::ours(network, folder, |builder| builder).await?;
            fill(&daemon.client()?, folder, MACHINES).await?;
            Server::Ours(Box::new(daemon))
        }
        "dnsmasq" => servers::dnsmasq_dhcp(network, folder)?,
        _ => servers::kea(network, folder)?,
    })
}

/// The processor time of an exchange in microseconds, if the server holds that rate.
fn held(host: &Host, server: &Server, macs: &Path, rate: u32) -> Result<Option<f64>> {
    // The first exchanges of a server that has just begun are not counted.
    perfdhcp(host, macs, rate.min(100), 1)?;
    let before = server.time()?;
    let (got, lost) = perfdhcp(host, macs, rate, SECONDS)?;
    let taken = server.time()?.saturating_sub(before).as_secs_f64();
    eprintln!("  {rate}/s: {got:.0} exchanges, {lost:.2} % lost");
    let enough = got >= f64::from(rate * SECONDS) * (1.0 - 2.0 * LOST / 100.0) * 0.97;
    Ok((lost <= LOST && enough).then(|| taken * 1e6 / got))
}

/// Exchanges that were finished, and the share that was lost, in percent.
fn perfdhcp(host: &Host, macs: &Path, rate: u32, seconds: u32) -> Result<(f64, f64)> {
    let output = host
        .command("taskset")
        .args(["-c", &OUR_CPU.to_string(), "perfdhcp", "-4", "-l", "eth0", "-M"])
        .arg(macs)
        .args(["-r", &rate.to_string(), "-p", &seconds.to_string(), "-W", "500000", &SERVER.to_string()])
        .stdin(Stdio::null())
        .output()
        .context("perfdhcp (package kea-admin) cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers = |name: &str| -> Vec<f64> {
        text.lines()
            .filter_map(|line| {
                line.trim().strip_prefix(name)?.trim().trim_end_matches('%').trim().parse().ok()
            })
            .collect()
    };
    let (sent, received) = (numbers("sent packets:"), numbers("received packets:"));
    let (Some(asked), Some(ended)) = (sent.first(), received.last()) else {
        ensure!(false, "perfdhcp said: {text}{}", String::from_utf8_lossy(&output.stderr));
        return Ok((0.0, 100.0));
    };
    Ok((*ended, (asked - ended) / asked * 100.0))
}
