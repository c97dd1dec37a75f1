//! What the stories have in common: a daemon in a folder of its own, and documents to apply.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use pilotlight_tests::client::{Client, Refused};
use pilotlight_tests::daemon::{self, Builder, Daemon};
use pilotlight_types::api::Problem;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Whether the stories of a module are switched off by name, which is said where nobody can overlook it.
pub fn skipped(module: &str) -> bool {
    let off = std::env::var("PILOTLIGHT_SKIP").is_ok_and(|names| names.split(',').any(|name| name == module));
    if off {
        // Not `eprintln!`, which is shown for failures only.
        let _ = writeln!(std::io::stderr(), "SKIPPED: a story of `{module}`, since PILOTLIGHT_SKIP names it");
    }
    off
}

/// A daemon with an administrator's client. What it logged last is shown when the story fails.
pub struct Rig {
    pub daemon: Daemon,
    pub admin: Client,
    pub folder: TempDir,
}

/// A folder, and a daemon that is going to be in it.
pub struct Plan {
    pub folder: TempDir,
    pub builder: Builder,
}

impl Plan {
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pl-").tempdir()?;
        let builder = Daemon::builder(folder.path());
        Ok(Self { folder, builder })
    }

    pub fn with(self, change: impl FnOnce(Builder) -> Builder) -> Self {
        Self { builder: change(self.builder), ..self }
    }

    pub async fn start(self) -> Result<Rig> {
        let daemon = self.builder.start().await?;
        let admin = daemon.client()?;
        Ok(Rig { daemon, admin, folder: self.folder })
    }
}

impl Rig {
    /// Runs the command line client as an administrator.
    pub fn cli(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(arguments)?.output()?)
    }

    /// The command line, not run yet.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(daemon::pilotlight()?);
        command
            .args(arguments)
            .env("PILOTLIGHT_URL", self.daemon.url())
            .env("PILOTLIGHT_TOKEN", self.daemon.token()?)
            .env("PILOTLIGHT_CA", self.daemon.ca_path());
        Ok(command)
    }

    /// The same, when it must succeed; gives what it printed.
    pub fn cli_ok(&self, arguments: &[&str]) -> Result<String> {
        let output = self.cli(arguments)?;
        if !output.status.success() {
            bail!("`pilotlight {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        eprintln!("the daemon's last lines:\n{}", self.daemon.log_tail(40));
    }
}

/// The problem of a request that must have been refused.
pub fn refused<T: std::fmt::Debug>(result: Result<T>) -> Problem {
    let error = result.expect_err("the server should have refused");
    match error.downcast::<Refused>() {
        Ok(Refused(problem)) => problem,
        Err(error) => panic!("the server should have refused; instead: {error:#}"),
    }
}

pub fn document(kind: &str, name: &str, spec: Value) -> Value {
    json!({"kind": kind, "name": name, "spec": spec})
}

/// A subnet that we serve, whose addresses from .100 to .199 are anybody's.
pub fn subnet(name: &str, network: &str, unknown: &str) -> Value {
    let spec = json!({
        "cidr": format!("{network}.0/24"), "mode": "authoritative", "gateway": format!("{network}.1"),
        "ranges": [format!("{network}.100-{network}.199")], "dns": [format!("{network}.1")],
        "domain": "rack.example", "lease": "10m", "unknown": unknown,
    });
    document("Subnet", name, spec)
}

/// A file of an image, as its document names it.
pub fn file_ref(path: &Path) -> Result<Value> {
    let content = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(json!({"url": path, "sha256": hex::encode(Sha256::digest(content))}))
}

/// An image of three small files: enough for whoever only fetches them.
pub fn small_image(folder: &Path) -> Result<Value> {
    let file = |name: &str, byte: u8, size: usize| -> Result<Value> {
        let path = folder.join(name);
        std::fs::write(&path, vec![byte; size])?;
        file_ref(&path)
    };
    let spec = json!({
        "os": "fedora-coreos", "arch": "x86_64", "version": "1.0",
        "kernel": file("kernel", b'k', 70_000)?,
        "initrd": [file("initramfs.img", b'i', 150_000)?],
        "rootfs": file("rootfs.img", b'r', 300_000)?,
    });
    Ok(document("Image", "small", spec))
}

/// A profile that boots the small image, a group that gives it to everybody, and no machine yet.
pub fn small_site(folder: &Path) -> Result<Vec<Value>> {
    let butane = "variant: fcos\nversion: 1.4.0\nstorage:\n  files:\n  - path: /etc/motd\n    contents: {inline: 'this is {{ machine.name }}'}\n";
    Ok(vec![
        small_image(folder)?,
        document("Profile", "worker", json!({"image": "small", "boot": "live", "butane": butane})),
        document("Group", "all", json!({"profile": "worker"})),
    ])
}

pub fn machine(name: &str, mac: &str) -> Value {
    document("Machine", name, json!({"macs": [mac]}))
}
