//! `make bench`: this server and its peers, one after the other on one machine, as Markdown tables. docs/benchmarks.md has the
//! method and the figures.

mod boots;
mod dhcp;
mod ground;
mod http;
mod load;
mod plan;
mod scripts;
mod servers;
mod size;
mod table;
mod tftp;
mod usage;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// The sections, in their order.
pub const SECTIONS: [&str; 6] = ["tftp", "http", "dhcp", "scripts", "plan", "memory"];

/// The processor that servers run on, and the one that asks them.
const SERVER_CPU: &str = "0";
const OUR_CPU: usize = 1;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of [`SECTIONS`].
    pub sections: Vec<String>,
    /// Where atftpd and tftpd-hpa were unpacked: their packages cannot be installed beside each other.
    pub peers: Option<PathBuf>,
    /// How long a figure of throughput is measured for.
    pub span: Duration,
}

/// Measures, and prints.
pub async fn run(options: &Options) -> Result<()> {
    for name in &options.sections {
        ensure!(SECTIONS.contains(&name.as_str()), "`{name}` is no section: {}", SECTIONS.join(", "));
    }
    let mut ours = CpuSet::new();
    ours.set(OUR_CPU)?;
    sched_setaffinity(Pid::from_raw(0), &ours)?;
    println!("{}\n", usage::machine()?);
    let mut failed = Vec::new();
    for section in SECTIONS.iter().filter(|name| options.sections.iter().any(|wanted| wanted == *name)) {
        let began = Instant::now();
        let measured = match *section {
            "tftp" => tftp::run(options).await,
            "http" => http::run(options).await,
            "dhcp" => dhcp::run(options).await,
            "scripts" => scripts::run(options).await,
            "plan" => plan::run().await,
            _ => size::run().await,
        };
        // What comes after it is measured all the same.
        if let Err(error) = measured {
            println!("{section} was not measured: {error:#}\n");
            failed.push(*section);
        }
        eprintln!("{section} took {} s", began.elapsed().as_secs());
    }
    println!("{}", usage::load()?);
    ensure!(failed.is_empty(), "not measured: {}", failed.join(", "));
    Ok(())
}
