//! Powers on a hall of simulated machines against a server, and says how they fared.

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ipnet::Ipv4Net;
use pilotlight_tests::fleet::{self, Options};
use pilotlight_types::resource::LinkRate;

/// Powers on simulated machines at once, and prints how many were lost, and when the rest were done
///
/// They speak DHCP (relayed), TFTP and HTTP to one server, whichever that is. Run it on a host, or in a network namespace, of its
/// own: every address of the machines' network becomes one of this host's. The exit code is 2 when a machine was lost.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    /// How many machines
    #[arg(long, default_value_t = 100)]
    machines: u16,
    /// The server's address
    #[arg(long)]
    server: Ipv4Addr,
    /// An address of this host, which plays the machines' relay agent; in their network, and outside of its ranges
    #[arg(long)]
    relay: Ipv4Addr,
    /// The machines' network
    #[arg(long)]
    network: Ipv4Net,
    /// How fast the link to the server is, for the ratio
    #[arg(long, default_value = "1Gbit")]
    link: LinkRate,
    /// Within how many seconds the machines are powered on
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    spread: f64,
    /// How many seconds a kernel takes to start
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    kernel_start: f64,
    /// Go on to Ignition and the agent, which only Pilotlight serves
    #[arg(long)]
    to_the_agent: bool,
    /// After how many seconds the rest is lost
    #[arg(long, default_value_t = 1800.0, value_name = "SECONDS")]
    deadline: f64,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
    /// Lost, first, median, last, seconds that the link needs, ratio: for a table; the rest goes to standard error
    Row,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    fleet::own(arguments.network)?;
    let options = Options {
        machines: arguments.machines,
        server: arguments.server,
        relay: arguments.relay,
        link: arguments.link.bytes() * 8,
        spread: Duration::try_from_secs_f64(arguments.spread)?,
        kernel_start: Duration::try_from_secs_f64(arguments.kernel_start)?,
        to_the_agent: arguments.to_the_agent,
        deadline: Duration::try_from_secs_f64(arguments.deadline)?,
    };
    let summary = fleet::run(&options).await?;
    match arguments.output {
        Output::Text => print!("{summary}"),
        Output::Row => {
            println!("{}", summary.row());
            eprint!("{summary}");
        }
        Output::Json => println!("{}", serde_json::to_string_pretty(&summary)?),
    }
    Ok(if summary.lost == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
