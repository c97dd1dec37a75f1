//! The programs under test, built when they have to be.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

/// The environment variable that names a daemon to use as it is.
pub const PILOTLIGHT: &str = "PILOTLIGHT_BIN";
/// The environment variable that names an agent to use as it is.
pub const AGENT: &str = "PILOTLIGHT_AGENT_BIN";

/// The daemon and client: what `PILOTLIGHT_BIN` says, or the workspace's, built first.
pub fn pilotlight() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || built(PILOTLIGHT, &["--workspace", "--bins"], "", "debug/pilotlight"))
}

/// The agent as machines get it, static: what `PILOTLIGHT_AGENT_BIN` says, or the workspace's, built first.
pub fn agent() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let arguments = ["-p", "pilotlight-agent", "--profile", "agent", "--target", TARGET];
    once(&BUILT, || {
        built(
            AGENT,
            &arguments,
            "-C target-feature=+crt-static",
            "x86_64-unknown-linux-gnu/agent/pilotlight-agent",
        )
    })
}

fn once(cell: &OnceLock<Result<PathBuf, String>>, make: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
    cell.get_or_init(|| make().map_err(|error| format!("{error:#}"))).clone().map_err(anyhow::Error::msg)
}

fn built(variable: &str, arguments: &[&str], flags: &str, path: &str) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(variable).filter(|given| !given.is_empty()) {
        let given = PathBuf::from(given);
        ensure!(given.is_file(), "{variable} names {}, which is no file", given.display());
        return Ok(given);
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.join("target"), |dir| workspace.join(dir));
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace).args(["build", "--locked"]).args(arguments);
    if !flags.is_empty() {
        cargo.env("RUSTFLAGS", flags);
    }
    let output = cargo.output().context("cargo cannot be started")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`cargo build {}` failed:\n{words}", arguments.join(" "));
    Ok(target.join(path))
}
