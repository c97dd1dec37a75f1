//! `serve`, and `config check`.
use super::{ServeArgs, doctor};
use crate::{app::App, clock::Clock, config, errors, lifecycle::Lifecycle};
use futures_util::FutureExt;
use nix::sys::resource::{Resource, setrlimit};
use std::{io::IsTerminal, process::ExitCode, sync::Arc};
use tracing_subscriber::EnvFilter;

/// Runs the daemon until it is told to stop.
pub(super) async fn serve(args: ServeArgs) -> ExitCode {
    start_log();
    leave_no_memory_behind();
    let settings = match config::load(args.config.as_deref(), &args.overrides) {
        Ok(settings) => settings,
        Err(problems) => return refused(&problems),
    };
    let life = match Lifecycle::start() {
        Ok(life) => life,
        Err(error) => {
            eprintln!("error: signals cannot be received: {error}");
            return ExitCode::from(71);
        }
    };
    let looked_at = Arc::new(settings.clone());
    let examine = Arc::new(move || {
        let settings = looked_at.clone();
        async move { doctor::all(&settings, &[]).await }.boxed()
    });
    let app = match App::build(settings, Clock::System, examine, &life).await {
        Ok(app) => app,
        Err(error) => {
            eprintln!("error: {}", errors::chain(&error));
            return ExitCode::from(error.exit_code());
        }
    };
    if let Err(error) = app.run(&life).await {
        eprintln!("error: {error}");
        return ExitCode::from(71);
    }
    if life.crashed() { ExitCode::from(70) } else { ExitCode::SUCCESS }
}

/// Says everything that is wrong with a configuration.
pub(super) fn check(args: &ServeArgs) -> ExitCode {
    match config::load(args.config.as_deref(), &args.overrides) {
        Ok(_) => {
            println!("the configuration is good");
            ExitCode::SUCCESS
        }
        Err(problems) => refused(&problems),
    }
}

pub(super) fn refused(problems: &[config::ConfigProblem]) -> ExitCode {
    for problem in problems {
        eprintln!("error: {problem}");
    }
    // EX_CONFIG
    ExitCode::from(78)
}

/// No core file is written where the daemon crashes: secrets that were just handed out would be in it.
fn leave_no_memory_behind() {
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::warn!("core files cannot be switched off: {error}");
    }
}

/// The log goes to standard error. PILOTLIGHT_LOG filters it, such as `debug` or `pilotlight::dhcp=debug`.
fn start_log() {
    let filter = EnvFilter::try_from_env("PILOTLIGHT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let colours = std::io::stderr().is_terminal();
    // journald has a time of its own.
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().with_ansi(false).init()
    } else {
        log.with_ansi(colours).init()
    }
}
