//! Powers on machines and has Pilotlight boot them, for people to see: `make demo`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use pilotlight_tests::demo::{self, Options};
use tokio::signal::unix::{SignalKind, signal};

/// Powers on bare machines in a private network, has Pilotlight boot them, and shows how
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    /// How many machines
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1000))]
    machines: u16,
    /// Simulated machines, which need neither root nor QEMU
    #[arg(long)]
    simulate: bool,
    /// End when all machines are active, with exit code 0, or when one failed, with 1
    #[arg(long)]
    exit_when_active: bool,
    /// Where the image is kept from run to run, and the state of a run
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// A PostgreSQL database, in place of SQLite
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let options = Options {
        machines: arguments.machines,
        simulate: arguments.simulate,
        exit_when_active: arguments.exit_when_active,
        cache: arguments.cache.unwrap_or_else(|| workspace.join(".cache")),
        resources: workspace.join("ignition-profiles/demo"),
        database: arguments.database.filter(|url| !url.is_empty()),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("demo: no threads can be had: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            done = demo::run(&options) => match done {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("\ndemo: {error:#}");
                    ExitCode::FAILURE
                }
            },
            name = told_to_end() => {
                // What was started ends with `run`, which is dropped by now.
                println!("\n{name}: everything is taken down");
                ExitCode::SUCCESS
            }
        }
    })
}

async fn told_to_end() -> &'static str {
    let signals = signal(SignalKind::interrupt()).and_then(|int| Ok((int, signal(SignalKind::terminate())?)));
    let Ok((mut interrupt, mut terminate)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = interrupt.recv() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
    }
}
