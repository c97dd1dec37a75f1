//! TFTP: MB a second and processor seconds for a GB, of this server, dnsmasq, atftpd and tftpd-hpa.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Options;
use super::ground::{self, SERVER, Server};
use super::load::{self, Fetch, TftpResult};
use super::servers::{self, TFTP_PEERS};
use super::table::{Table, ratio};
use crate::rack::Namespace;

/// No cell takes longer; what has not arrived then does not count.
const LIMIT: Duration = Duration::from_secs(5);

/// How many clients, and which file each fetches: about 64 to 256 MB in all, by names that this server has.
const FILES: [(usize, &str, usize); 4] = [
    (1, "ipxe.efi", 32 << 20),
    (100, "snponly.efi", 1 << 20),
    (450, "ipxe.pxe", 512 << 10),
    (2000, "undionly.kpxe", 96 << 10),
];

/// A cell of the table.
#[derive(Debug, Clone, Copy)]
struct Figure {
    rate: f64,
    processor: Option<f64>,
    missing: usize,
}

impl Figure {
    fn text(&self) -> String {
        let processor = self.processor.map(|seconds| format!(" ({seconds:.1} s/GB)")).unwrap_or_default();
        let missing = match self.missing {
            0 => String::new(),
            count => format!(", {count} without it"),
        };
        format!("{:.1}{processor}{missing}", self.rate)
    }
}

/// Prints the section.
pub async fn run(options: &Options) -> Result<()> {
    let network = ground::network()?;
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("files");
    std::fs::create_dir(&root)?;
    let contents: Vec<Arc<[u8]>> = FILES.iter().map(|(_, _, size)| pattern(*size)).collect();
    for ((_, name, _), content) in FILES.iter().zip(&contents) {
        std::fs::write(root.join(name), content)?;
    }
    let mut columns = Vec::new();
    let names: Vec<&str> =
        std::iter::once("Pilotlight").chain(TFTP_PEERS.iter().map(|(name, _)| *name)).collect();
    for name in &names {
        let server = if *name == "Pilotlight" {
            let daemon = ground::ours(&network, folder.path(), |builder| {
                builder.set("ipxe.dir", root.display().to_string())
            })
            .await?;
            Some(Server::Ours(Box::new(daemon)))
        } else {
            servers::tftp(&network, name, &root, options.peers.as_deref())?
        };
        let Some(server) = server else {
            eprintln!("{name} is not here");
            columns.push(vec![None; cells().count()]);
            continue;
        };
        eprintln!("{name}");
        columns.push(
            column(&network, &server, &contents, name).with_context(|| format!("{name} does not serve"))?,
        );
    }
    let mut table = Table::new(
        "TFTP: MB/s and processor seconds a GB (blocks of 1468)",
        &[
            "clients",
            "window",
            "loss",
            "Pilotlight",
            "dnsmasq",
            "atftpd",
            "tftpd-hpa",
            "rate, to the best of them",
            "processor, to the least",
        ],
    );
    for (index, (clients, window, loss, _)) in cells().enumerate() {
        let row: Vec<Option<Figure>> =
            columns.iter().map(|column| column.get(index).copied().flatten()).collect();
        let (ours, peers) = row.split_first().map_or((None, &[][..]), |(ours, peers)| (*ours, peers));
        let best = peers.iter().flatten().map(|figure| figure.rate).reduce(f64::max);
        let least = peers.iter().flatten().filter_map(|figure| figure.processor).reduce(f64::min);
        let mut cells = vec![clients.to_string(), window.to_string(), format!("{} %", loss * 100.0)];
        cells.extend(row.iter().map(|figure| figure.map_or("-".to_owned(), |figure| figure.text())));
        cells.push(ratio(ours.map(|figure| figure.rate), best));
        cells.push(ratio(ours.and_then(|figure| figure.processor), least));
        table.row(cells);
    }
    table.print();
    Ok(())
}

/// Clients, window, loss, and which file.
fn cells() -> impl Iterator<Item = (usize, u16, f64, usize)> {
    [0.0, 0.01].into_iter().flat_map(|loss| {
        FILES
            .iter()
            .enumerate()
            .flat_map(move |(index, (clients, ..))| [1, 4, 16].map(|window| (*clients, window, loss, index)))
    })
}

fn column(
    network: &Namespace,
    server: &Server,
    contents: &[Arc<[u8]>],
    name: &str,
) -> Result<Vec<Option<Figure>>> {
    let knows_windows = TFTP_PEERS.iter().all(|(peer, knows)| *peer != name || *knows);
    let mut column: Vec<Option<Figure>> = Vec::new();
    for (clients, window, loss, index) in cells() {
        // A server that grants no window does the same again.
        if window > 1 && !knows_windows {
            column.push(column.last().copied().flatten());
            continue;
        }
        let (Some((_, file, _)), Some(content)) = (FILES.get(index), contents.get(index)) else { continue };
        let fetch = Fetch { name: file, content: content.clone(), clients, window, loss, limit: LIMIT };
        let figure = measure(network, server, &fetch)?;
        eprintln!("  {clients} clients, window {window}, loss {loss}: {}", figure.text());
        column.push(Some(figure));
    }
    Ok(column)
}

fn measure(network: &Namespace, server: &Server, fetch: &Fetch) -> Result<Figure> {
    let address = SocketAddr::from((SERVER, 69));
    // The first answer says that it serves; its files are in the page cache then.
    let first = Fetch { clients: 1, loss: 0.0, limit: Duration::from_secs(5), ..fetch.clone() };
    let began = network.inside(|| load::tftp(address, &first))??;
    ensure!(began.bytes > 0, "nothing came of {}", fetch.name);
    let before = server.time()?;
    let result: TftpResult = network.inside(|| load::tftp(address, fetch))??;
    let taken = server.time()?.saturating_sub(before);
    let gigabytes = result.bytes as f64 / 1e9;
    let processor = (result.bytes > 1 << 24).then(|| taken.as_secs_f64() / gigabytes);
    Ok(Figure { rate: result.rate(), processor, missing: fetch.clients.saturating_sub(result.done) })
}

/// Bytes that say where they are from.
fn pattern(size: usize) -> Arc<[u8]> {
    (0..size).map(|at| (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0]).collect()
}
