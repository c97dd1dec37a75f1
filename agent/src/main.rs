//! The Pilotlight agent: it tells the server that booted this host that the host runs, what hardware it has, and that it is alive.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod config;
mod facts;
mod log;
mod report;
mod run;
mod session;

use facts::{Live, Tree};
use lexopt::prelude::{Long, Short, Value, ValueExt};
use log::Priority;
use nix::sys::signal::{SigSet, Signal};
use pilotlight_types::agent::CONFIG_PATH;
use std::{
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
    thread,
};

const HELP: &str = "\
Reports this host's hardware, progress and heartbeat to the Pilotlight server that booted it.

Usage: pilotlight-agent run [--config FILE]   Report until stopped by SIGTERM
       pilotlight-agent facts [--root DIR]    Print what would be reported, as JSON

Options:
  --config FILE  What to report to [default: /etc/pilotlight/agent.json]; must be its owner's alone
  --root DIR     Read sysfs, procfs and /etc under DIR [default: /]
  --help         Print this
  --version      Print the version
";

/// sysexits(3): the configuration is wrong, and starting again does not mend it.
const EX_CONFIG: u8 = 78;
const EX_USAGE: u8 = 64;

enum Command {
    Run { config: PathBuf },
    Facts { root: PathBuf },
    Help,
    Version,
}

fn main() -> ExitCode {
    match parse(lexopt::Parser::from_env()) {
        Ok(Command::Run { config }) => run(&config),
        Ok(Command::Facts { root }) => print_facts(&root),
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(concat!("pilotlight-agent ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(e) => {
            eprintln!("pilotlight-agent: {e}; see --help");
            ExitCode::from(EX_USAGE)
        }
    }
}

fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut command: Option<OsString> = None;
    let (mut config, mut root) = (None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Long("config") => config = Some(PathBuf::from(arguments.value()?)),
            Long("root") => root = Some(PathBuf::from(arguments.value()?)),
            Value(name) if command.is_none() => command = Some(name),
            other => return Err(other.unexpected()),
        }
    }
    let command = command.ok_or("a command is missing: run or facts")?.string()?;
    match (command.as_str(), config, root) {
        ("run", config, None) => {
            Ok(Command::Run { config: config.unwrap_or_else(|| PathBuf::from(CONFIG_PATH)) })
        }
        ("facts", None, root) => Ok(Command::Facts { root: root.unwrap_or_else(|| PathBuf::from("/")) }),
        ("run", _, Some(_)) => Err("`run` takes no --root".into()),
        ("facts", Some(_), _) => Err("`facts` takes no --config".into()),
        _ => Err(format!("there is no command `{command}`").into()),
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn print_facts(root: &Path) -> ExitCode {
    // What only the running system can say is of no use beside another one's files.
    let live = if root == Path::new("/") { Live::probe() } else { Live::none() };
    match serde_json::to_string_pretty(&facts::collect(&Tree::new(root), &live, None)) {
        Ok(json) => print(&format!("{json}\n")),
        Err(e) => {
            eprintln!("pilotlight-agent: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(path: &Path) -> ExitCode {
    let fail = |e: &dyn std::fmt::Display, code: u8| {
        log::line(Priority::Error, e);
        ExitCode::from(code)
    };
    // Before any thread is there, so that none of them gets a signal and dies of it.
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    if let Err(e) = signals.thread_block() {
        return fail(&format_args!("cannot block signals: {e}"), 1);
    }
    let config = match config::read(path) {
        Ok(config) => config,
        Err(e) => return fail(&e, EX_CONFIG),
    };
    let client = match report::Client::new(&config) {
        Ok(client) => client,
        Err(e) => return fail(&e, EX_CONFIG),
    };
    log::line(
        Priority::Info,
        &format_args!(
            "pilotlight-agent {} reports boot {} of machine {} to {}",
            env!("CARGO_PKG_VERSION"),
            config.boot,
            config.machine,
            config.server
        ),
    );
    let (running, stop) = mpsc::channel();
    let session = session::Session::new(config.heartbeat_seconds);
    let reporter = thread::Builder::new()
        .name("reporter".into())
        .spawn(move || run::run(session, &mut run::Host::new(config, client, stop)));
    if let Err(e) = reporter {
        return fail(&format_args!("cannot start a thread: {e}"), 1);
    }
    // A report that is under way is not waited for: the next agent sends it again.
    let code = match signals.wait() {
        Ok(signal) => {
            log::line(Priority::Info, &format_args!("stopped by {signal}"));
            ExitCode::SUCCESS
        }
        Err(e) => fail(&format_args!("cannot wait for signals: {e}"), 1),
    };
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    drop(running);
    code
}
