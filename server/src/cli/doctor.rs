//! `doctor`: whether this host and its network can be trusted with machines, before the daemon runs and while it does.
mod daemon;
mod host;
mod network;
mod network6;
mod webhooks;

use super::{Output, ServeArgs};
use crate::{
    clock::Clock,
    config::{self, Settings},
};
use clap::Args;
use pilotlight_types::api::{Check, CheckStatus as Status, Findings};
use std::{fs::File, net::Ipv4Addr, path::Path, process::ExitCode};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    settings: ServeArgs,
    /// A relay agent that passes machines' requests on to here: whether it can be reached. May be given several times
    #[arg(long = "relay", value_name = "ADDRESS")]
    relays: Vec<Ipv4Addr>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

pub(super) async fn run(args: DoctorArgs) -> ExitCode {
    let settings = match config::load(args.settings.config.as_deref(), &args.settings.overrides) {
        Ok(settings) => settings,
        Err(problems) => return super::serve::refused(&problems),
    };
    let checks = all(&settings, &args.relays).await;
    let good = checks.iter().all(|check| check.status != Status::Fail);
    print(args.output, &Findings { at: Some(Clock::System.now()), good, checks });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Everything that is looked at.
pub(super) async fn all(settings: &Settings, relays: &[Ipv4Addr]) -> Vec<Check> {
    let runs = daemon_runs(&settings.data_dir);
    let mut checks = vec![Check::ok("config", "the configuration is good")];
    checks.extend(host::data_dir(&settings.data_dir));
    checks.push(host::database(settings).await);
    checks.push(host::clock().await);
    checks.push(host::capabilities(settings));
    checks.extend(host::programs(settings));
    checks.push(host::agent(settings));
    checks.extend(network::interfaces(settings, runs));
    if settings.dhcp_ipv6 {
        checks.extend(network6::interfaces(settings, runs));
    }
    if runs {
        checks.extend(daemon::checks(settings).await);
    } else {
        checks.extend(network::ports(settings).await);
        let seen =
            "no daemon uses this data directory: TFTP, HTTP and certificates are looked at when one does";
        checks.push(Check::ok("daemon", seen));
    }
    checks.extend(network::others(settings).await);
    if settings.dhcp_ipv6 {
        checks.extend(network6::others(settings).await);
    }
    for relay in relays {
        checks.push(network::relay(*relay).await);
    }
    checks
}

/// Whether a daemon holds this data directory.
fn daemon_runs(data_dir: &Path) -> bool {
    let Ok(file) = File::open(data_dir.join("lock")) else { return false };
    nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockSharedNonblock).is_err()
}

fn print(output: Output, findings: &Findings) {
    let failed = match output {
        Output::Json => serde_json::to_string_pretty(findings).map(|text| println!("{text}")).is_err(),
        Output::Yaml => serde_saphyr::to_string(findings).map(|text| println!("{text}")).is_err(),
        Output::Table => {
            findings.checks.iter().for_each(print_line);
            let count = |status| findings.checks.iter().filter(|check| check.status == status).count();
            let (failed, odd) = (count(Status::Fail), count(Status::Warn));
            println!("\n{} checks: {failed} failed, {odd} to look at", findings.checks.len());
            false
        }
    };
    if failed {
        eprintln!("error: the findings cannot be written");
    }
}

fn print_line(check: &Check) {
    let status = match check.status {
        Status::Ok => "ok  ",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    };
    let fix = check.fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default();
    println!("{status}  {}: {}{fix}", check.check, check.seen);
}
