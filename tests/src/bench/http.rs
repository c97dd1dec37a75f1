//! HTTP: an image's file, whole and in ranges, of this server and of nginx with sendfile.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::Options;
use super::ground::{self, SERVER, Server};
use super::load::{self, Get, HttpResult};
use super::scripts::{fetch, file_ref, subnet};
use super::servers;
use super::table::{Table, ratio};
use crate::client::Client;
use crate::rack::Namespace;

/// A rootfs of a live image is of this order; larger than any cache of a processor.
const SIZE: usize = 256 << 20;
const RANGE: usize = 4 << 20;
const MAC: &str = "52-54-00-99-00-01";

/// Prints the section.
pub async fn run(options: &Options) -> Result<()> {
    let network = ground::network()?;
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("files");
    fs::create_dir(&root)?;
    fs::write(
        root.join("rootfs.img"),
        (0..SIZE / 8).flat_map(|at: usize| at.to_le_bytes()).collect::<Vec<u8>>(),
    )?;
    let daemon = ground::ours(&network, folder.path(), |builder| builder).await?;
    let path = image_path(&network, &daemon.client()?, &root).await?;
    let ours = figures(&network, options, Server::Ours(Box::new(daemon)), &path)?;
    let nginx = servers::nginx(&network, &root, folder.path())?;
    let nginx = figures(&network, options, nginx, "/rootfs.img")?;
    let mut table = Table::new(
        "HTTP: an image's file, GB/s and processor seconds a GB",
        &[
            "connections",
            "request",
            "Pilotlight",
            "nginx with sendfile",
            "rate, to nginx",
            "processor, to nginx",
        ],
    );
    for ((connections, what, ours), (_, _, nginx)) in ours.iter().zip(&nginx) {
        table.row([
            connections.to_string(),
            (*what).to_owned(),
            format!("{:.2} ({:.2} s/GB)", ours.0, ours.1),
            format!("{:.2} ({:.2} s/GB)", nginx.0, nginx.1),
            ratio(Some(ours.0), Some(nginx.0)),
            ratio(Some(ours.1), Some(nginx.1)),
        ]);
    }
    table.print();
    Ok(())
}

type Figure = (usize, &'static str, (f64, f64));

fn figures(network: &Namespace, options: &Options, server: Server, path: &str) -> Result<Vec<Figure>> {
    let whole = vec![format!("GET {path} HTTP/1.1\r\nHost: {SERVER}:8080\r\n\r\n")];
    let ranges: Vec<String> = (0..SIZE / RANGE)
        .map(|n| n * 37 % (SIZE / RANGE) * RANGE)
        .map(|at| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: {SERVER}:8080\r\nRange: bytes={at}-{}\r\n\r\n",
                at + RANGE - 1
            )
        })
        .collect();
    let mut figures = Vec::new();
    for connections in [1, 8, 256] {
        for (what, requests) in [("whole, 256 MiB", &whole), ("ranges of 4 MiB", &ranges)] {
            let get = Get { requests: requests.clone(), connections, span: options.span };
            let before = server.time()?;
            let result: HttpResult =
                network.inside(|| load::http(SocketAddr::from((SERVER, 8080)), &get))??;
            let taken = server.time()?.saturating_sub(before).as_secs_f64();
            figures.push((connections, what, (result.rate() / 1e3, taken / (result.bytes as f64 / 1e9))));
        }
    }
    Ok(figures)
}

/// Has a machine boot, and gives the path of its root file system.
async fn image_path(network: &Namespace, admin: &Client, root: &Path) -> Result<String> {
    let small = root.join("small");
    fs::write(&small, b"kernel and initramfs")?;
    let image = json!({
        "os": "fedora-coreos", "arch": "x86_64", "version": "1.0",
        "kernel": file_ref(&small)?, "initrd": [file_ref(&small)?], "rootfs": file_ref(&root.join("rootfs.img"))?,
    });
    admin
        .apply(&[
            subnet(),
            json!({"kind": "Image", "name": "image", "spec": image}),
            json!({"kind": "Profile", "name": "worker", "spec": {"image": "image", "boot": "live"}}),
            json!({"kind": "Group", "name": "all", "spec": {"profile": "worker"}}),
            json!({"kind": "Machine", "name": "one", "spec": {"macs": [MAC.replace('-', ":")]}}),
        ])
        .await?;
    let script = fetch(network, MAC)?;
    // The boot's id follows.
    let at = script.find(":8080/boot/").with_context(|| format!("no boot in:\n{script}"))?;
    let path = script.get(at + ":8080".len()..at + ":8080/boot/".len() + 36).context("no boot's id")?;
    Ok(format!("{path}/rootfs.img"))
}
