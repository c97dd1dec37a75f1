//! Scripts a second: what each machine asks for in its boot, made for it from the inventory; and a file of the same length from
//! nginx.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Options;
use super::ground::{self, SERVER, Server};
use super::load::{self, Get, HttpResult};
use super::servers;
use super::table::{Table, ratio};
use crate::client::Client;
use crate::rack::Namespace;

/// How many groups look for machines.
const GROUPS: usize = 200;
const CONNECTIONS: usize = 64;
/// So many machines ask in turn.
const ASKING: usize = 500;

/// An inventory of another order. Taking in a machine costs some milliseconds, since arming it is an event of its own: 50,000
/// would take longer than everything else here.
const LARGE: usize = 5_000;

/// Prints the section.
pub async fn run(options: &Options) -> Result<()> {
    let network = ground::network()?;
    let mut rows = Vec::new();
    let mut script = String::new();
    for machines in [500, LARGE] {
        let folder = tempfile::tempdir()?;
        let daemon = ground::ours(&network, folder.path(), |builder| builder).await?;
        fill(&daemon.client()?, folder.path(), machines, GROUPS).await?;
        script = fetch(&network, &mac(1, '-'))?;
        let step = machines / ASKING;
        let paths = (0..ASKING).map(|n| format!("/boot/ipxe?mac={}", mac(n * step, '-')));
        let requests = paths.map(|path| request(&path)).collect();
        rows.push((
            format!("Pilotlight, {machines} machines"),
            measure(&network, &Server::Ours(Box::new(daemon)), options, requests)?,
        ));
    }
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("script"), &script)?;
    let nginx = servers::nginx(&network, folder.path(), folder.path())?;
    rows.push(("nginx, a file".to_owned(), measure(&network, &nginx, options, vec![request("/script")])?));
    let (_, theirs) = rows.last().cloned().context("nothing was measured")?;
    let mut table = Table::new(
        &format!("Scripts: requests a second, {GROUPS} groups, {CONNECTIONS} connections"),
        &["server", "requests/s", "processor µs each", "rate, to nginx"],
    );
    for (server, (rate, each)) in rows {
        table.row([server, format!("{rate:.0}"), format!("{each:.0}"), ratio(Some(rate), Some(theirs.0))]);
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

/// An inventory of that many machines. Without groups none of them is armed.
pub async fn fill(admin: &Client, folder: &Path, machines: usize, groups: usize) -> Result<()> {
    let file = folder.join("small");
    fs::write(&file, b"kernel")?;
    let part = file_ref(&file)?;
    let image = json!({
        "os": "fedora-coreos", "arch": "x86_64", "version": "1.0", "kernel": part, "initrd": [part], "rootfs": part,
    });
    let mut documents = vec![
        subnet(),
        json!({"kind": "Image", "name": "image", "spec": image}),
        json!({"kind": "Profile", "name": "worker", "spec": {"image": "image", "boot": "live", "kernelArgs": ["console=ttyS0"]}}),
    ];
    documents.extend((0..groups).map(|group| {
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
