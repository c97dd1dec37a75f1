//! Measures this server beside its peers, and prints tables: `make bench`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pilotlight_tests::bench::{self, Options, SECTIONS};

/// Measures Pilotlight and its peers on this machine, and prints Markdown tables
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    /// Which sections, of tftp, http, dhcp, scripts, plan, memory
    #[arg(long, value_delimiter = ',', default_values_t = SECTIONS.map(str::to_owned))]
    only: Vec<String>,
    /// Where the packages atftpd and tftpd-hpa are unpacked, each in a folder of its name
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Seconds for each figure of throughput
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        sections: arguments.only,
        peers: arguments.peers,
        span: Duration::from_secs_f64(arguments.seconds.clamp(0.1, 600.0)),
    };
    // One thread: what asks is to take one processor and no more.
    let measured = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(bench::run(&options)));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
