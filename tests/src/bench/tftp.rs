//! TFTP: MB a second and processor seconds for a GB, of this server, dnsmasq, atftpd and tftpd-hpa.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Options;
use super::ground::{self, SERVER, Server};
use super::load::{self, Fetch, TftpResult};
use super::servers::{self, TFTP_PEERS};
use super::table::{Table, ratio};
use crate::rack::Namespace;

const OURS: &str = "Pilotlight";

/// No cell takes longer; what has not arrived then does not count.
const LIMIT: Duration = Duration::from_secs(5);

/// How many clients, and which file each fetches: about 64 to 256 MB in all, by names that this server has.
const FILES: [(usize, &str, usize); 4] = [
    (1, "ipxe.efi", 32 << 20),
    (100, "snponly.efi", 1 << 20),
    (450, "ipxe.pxe", 512 << 10),
    (2000, "undionly.kpxe", 96 << 10),
];

/// What was measured in a cell of the table.
#[derive(Debug, Clone, Copy)]
struct Figure {
    rate: f64,
    processor: Option<f64>,
    missing: usize,
    /// The server was gone afterwards.
    ended: bool,
}

/// A cell of the table.
#[derive(Debug, Clone, Copy)]
enum Cell {
    /// There is no such server on this machine.
    NotHere,
    /// It served nothing, even when it was started anew.
    Nothing,
    Figure(Figure),
}

impl Cell {
    fn figure(&self) -> Option<Figure> {
        if let Self::Figure(figure) = self { Some(*figure) } else { None }
    }

    fn text(&self) -> String {
        let Self::Figure(figure) = self else {
            return if matches!(self, Self::Nothing) { "serves nothing" } else { "-" }.to_owned();
        };
        let processor = figure.processor.map(|seconds| format!(" ({seconds:.1})")).unwrap_or_default();
        let missing = match figure.missing {
            0 => String::new(),
            count => format!(", **{count}**"),
        };
        let ended = if figure.ended { ", then it was gone" } else { "" };
        format!("{:.1}{processor}{missing}{ended}", figure.rate)
    }
}

/// A server to measure, which may have to be started more than once.
struct Subject<'a> {
    name: &'static str,
    network: &'a Namespace,
    folder: &'a Path,
    /// Where its files are.
    root: &'a Path,
    packages: Option<&'a Path>,
    server: Option<Server>,
}

impl Subject<'_> {
    /// It runs, unless it is not on this machine.
    async fn start(&mut self) -> Result<bool> {
        if self.server.as_mut().is_none_or(|server| !server.runs()) {
            // The one before must be gone before its port can be taken again.
            self.server = None;
            self.server = if self.name == OURS {
                let files = self.root.display().to_string();
                let daemon = ground::ours(self.network, self.folder, |b| b.set("ipxe.dir", files)).await?;
                Some(Server::Ours(Box::new(daemon)))
            } else {
                servers::tftp(self.network, self.name, self.root, self.packages)?
            };
        }
        Ok(self.server.is_some())
    }

    /// One cell, in whatever state the one before left the server.
    async fn cell(&mut self, fetch: &Fetch) -> Result<Cell> {
        for _ in 0..2 {
            if !self.start().await? {
                return Ok(Cell::NotHere);
            }
            let Some(server) = &mut self.server else { return Ok(Cell::NotHere) };
            match measure(self.network, server, fetch) {
                Ok(figure) => return Ok(Cell::Figure(figure)),
                Err(error) => eprintln!("  {} is started anew: {error:#}", self.name),
            }
            self.server = None;
        }
        Ok(Cell::Nothing)
    }

    /// All cells.
    async fn column(&mut self, contents: &[Arc<[u8]>]) -> Result<Vec<Cell>> {
        eprintln!("{}", self.name);
        let knows_windows = TFTP_PEERS.iter().all(|(peer, knows)| *peer != self.name || *knows);
        let mut column: Vec<Cell> = Vec::new();
        for (clients, window, loss, index) in cells() {
            // A server that grants no window does the same again.
            if window > 1 && !knows_windows {
                column.extend(column.last().copied());
                continue;
            }
            let (Some((_, file, _)), Some(content)) = (FILES.get(index), contents.get(index)) else {
                continue;
            };
            let fetch = Fetch { name: file, content: content.clone(), clients, window, loss, limit: LIMIT };
            let cell = self.cell(&fetch).await?;
            eprintln!("  {clients} clients, window {window}, loss {loss}: {}", cell.text());
            column.push(cell);
        }
        self.server = None;
        Ok(column)
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
    for name in std::iter::once(OURS).chain(TFTP_PEERS.map(|(name, _)| name)) {
        let mut subject = Subject {
            name,
            network: &network,
            folder: folder.path(),
            root: &root,
            packages: options.peers.as_deref(),
            server: None,
        };
        columns.push(subject.column(&contents).await?);
    }
    let mut table = Table::new(
        "TFTP: MB/s (processor seconds a GB), **clients without the file after 5 s**; blocks of 1468",
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
        let row: Vec<Cell> =
            columns.iter().map(|column| column.get(index).copied().unwrap_or(Cell::NotHere)).collect();
        let (ours, peers) = row.split_first().map_or((None, &[][..]), |(ours, peers)| (ours.figure(), peers));
        let peers = || peers.iter().filter_map(Cell::figure);
        let best = peers().map(|figure| figure.rate).reduce(f64::max);
        let least = peers().filter_map(|figure| figure.processor).reduce(f64::min);
        let mut cells = vec![clients.to_string(), window.to_string(), format!("{} %", loss * 100.0)];
        cells.extend(row.iter().map(Cell::text));
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

fn measure(network: &Namespace, server: &mut Server, fetch: &Fetch) -> Result<Figure> {
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
    let missing = fetch.clients.saturating_sub(result.done);
    Ok(Figure { rate: result.rate(), processor, missing, ended: !server.runs() })
}

/// Bytes that say where they are from.
fn pattern(size: usize) -> Arc<[u8]> {
    (0..size).map(|at| (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0]).collect()
}
