//! What each machine asks for in its boot, made for it from the inventory: scripts a second, and whole chains of script, the
//! initrd with the one-time token, and the Ignition config over TLS; and files of the same length from nginx.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Options;
use super::boots::{self, Chains};
use super::ground::{self, SERVER, Server};
use super::load::{self, Get, HttpResult};
use super::servers;
use super::table::{Table, ratio};
use crate::client::Client;
use crate::rack::Namespace;

/// What each machine's config is made from.
pub const BUTANE: &str = "variant: fcos\nversion: 1.4.0\nstorage:\n  files:\n    - path: /etc/motd\n      contents:\n        inline: \"{{ machine.name }} in zone {{ vars.zone }}\\n\"\n";

/// How many groups look for machines.
const GROUPS: usize = 200;
const CONNECTIONS: usize = 64;
/// So many machines ask in turn.
const ASKING: usize = 500;
/// The inventories.
const MACHINES: [usize; 2] = [500, 50_000];

/// Prints the section.
pub async fn run(options: &Options) -> Result<()> {
    let network = ground::network()?;
    let (mut scripts, mut chains) = (Vec::new(), Vec::new());
    let mut sample = None;
    for machines in MACHINES {
        let folder = tempfile::tempdir()?;
        let daemon = ground::ours(&network, folder.path(), |builder| builder).await?;
        let began = std::time::Instant::now();
        fill(&daemon.client()?, folder.path(), machines).await?;
        eprintln!("{machines} machines were taken in within {:.1} s", began.elapsed().as_secs_f64());
        let (ca, server) = (daemon.ca()?, Server::Ours(Box::new(daemon)));
        let macs: Vec<String> = (0..ASKING).map(|n| mac(n * (machines / ASKING), '-')).collect();
        let requests = macs.iter().map(|mac| request(&format!("/boot/ipxe?mac={mac}"))).collect();
        let name = format!("Pilotlight, {machines} machines");
        scripts.push((name.clone(), measure(&network, &server, options, requests)?));
        let span = options.span.max(Duration::from_secs(20));
        let all = Chains { ca, macs, connections: CONNECTIONS, span };
        let (rate, last) = boots::measure(&network, &server, &all)?;
        chains.push((name, rate));
        sample = Some(last);
    }
    let folder = tempfile::tempdir()?;
    let sample = sample.context("nothing was measured")?;
    for (name, content) in
        [("ipxe", &sample.script), ("config.img", &sample.initrd), ("ignition", &sample.config)]
    {
        fs::write(folder.path().join(name), content)?;
    }
    let ca = servers::certificate(folder.path())?;
    let nginx = servers::nginx(&network, folder.path(), folder.path())?;
    let name = "nginx, files".to_owned();
    scripts.push((name.clone(), measure(&network, &nginx, options, vec![request("/ipxe")])?));
    let files = Chains { ca, macs: Vec::new(), connections: CONNECTIONS, span: options.span };
    chains.push((name, boots::measure(&network, &nginx, &files)?.0));
    print("Scripts", "scripts/s", scripts)?;
    print("Script, config.img and Ignition config over TLS, one after the other", "boots/s", chains)
}

/// Name; how many a second, and the processor microseconds of each.
type Row = (String, (f64, f64));

fn print(what: &str, unit: &str, rows: Vec<Row>) -> Result<()> {
    let (_, theirs) = rows.last().cloned().context("nothing was measured")?;
    let mut table = Table::new(
        &format!("{what}: {GROUPS} groups, {CONNECTIONS} connections"),
        &["server", unit, "processor µs each", "rate, to nginx", "processor, to nginx"],
    );
    for (server, (rate, each)) in rows {
        let ratios = [ratio(Some(rate), Some(theirs.0)), ratio(Some(each), Some(theirs.1))];
        let [rates, processors] = ratios;
        table.row([server, format!("{rate:.0}"), format!("{each:.0}"), rates, processors]);
    }
    table.print();
    Ok(())
}

fn measure(
    network: &Namespace,
    server: &Server,
    options: &Options,
    requests: Vec<String>,
) -> Result<(f64, f64)> {
    let get = Get { requests, connections: CONNECTIONS, span: options.span };
    let before = server.time()?;
    let result: HttpResult = network.inside(|| load::http(SocketAddr::from((SERVER, 8080)), &get))??;
    let taken = server.time()?.saturating_sub(before).as_secs_f64();
    Ok((result.answers_a_second(), taken * 1e6 / result.answers as f64))
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {SERVER}:8080\r\nUser-Agent: iPXE/1.21.1\r\n\r\n")
}

/// The MAC of a machine, by its number.
pub fn mac(number: usize, separator: char) -> String {
    let [.., a, b, c] = number.to_be_bytes();
    format!("52{separator}54{separator}00{separator}{a:02x}{separator}{b:02x}{separator}{c:02x}")
}

/// The subnet that everything is in.
pub fn subnet() -> Value {
    let spec = json!({
        "cidr": "10.77.0.0/16", "mode": "authoritative", "ranges": ["10.77.64.0-10.77.191.255"], "gateway": SERVER,
        "lease": "1h", "unknown": "discover",
    });
    json!({"kind": "Subnet", "name": "bench", "spec": spec})
}

/// An inventory of that many machines, all of them armed.
pub async fn fill(admin: &Client, folder: &Path, machines: usize) -> Result<()> {
    let file = folder.join("small");
    fs::write(&file, b"kernel")?;
    let part = file_ref(&file)?;
    let image = json!({
        "os": "fedora-coreos", "arch": "x86_64", "version": "1.0", "kernel": part, "initrd": [part], "rootfs": part,
    });
    let mut documents = vec![
        subnet(),
        json!({"kind": "Image", "name": "image", "spec": image}),
        json!({"kind": "Profile", "name": "worker", "spec": {"image": "image", "boot": "live", "kernelArgs": ["console=ttyS0"], "butane": BUTANE}}),
    ];
    documents.extend((0..GROUPS).map(|group| {
        let spec = json!({"match": {"labels": {"rack": format!("r{group}")}}, "profile": "worker", "variables": {"zone": "a"}});
        json!({"kind": "Group", "name": format!("rack-{group}"), "spec": spec})
    }));
    admin.apply(&documents).await?;
    let all: Vec<Value> = (0..machines)
        .map(|number| {
            let labels = json!({"rack": format!("r{}", number % GROUPS), "role": "worker"});
            json!({"kind": "Machine", "name": format!("n{number}"), "labels": labels, "spec": {"macs": [mac(number, ':')]}})
        })
        .collect();
    for some in all.chunks(5000) {
        admin.apply(some).await?;
    }
    Ok(())
}

/// A file of an image, as its document names it.
pub fn file_ref(path: &Path) -> Result<Value> {
    Ok(json!({"url": path, "sha256": hex::encode(Sha256::digest(fs::read(path)?))}))
}

/// The script of a machine.
pub fn fetch(network: &Namespace, mac: &str) -> Result<String> {
    let mut stream = network.inside(|| TcpStream::connect((SERVER, 8080)))??;
    stream.write_all(
        format!("GET /boot/ipxe?mac={mac} HTTP/1.1\r\nHost: {SERVER}:8080\r\nConnection: close\r\n\r\n")
            .as_bytes(),
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (_, script) = text.split_once("\r\n\r\n").with_context(|| format!("no script: {text}"))?;
    Ok(script.to_owned())
}
