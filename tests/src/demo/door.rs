//! The daemon, and how people of this host come to it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::ground::Ground;
use super::shown;
use crate::daemon::{self, Daemon};
use crate::rack::Forward;

/// A daemon that can be reached.
pub struct Door {
    /// The daemon.
    pub daemon: Daemon,
    /// Where people and programs of this host reach it.
    pub url: String,
    http: String,
    _forwards: Vec<Forward>,
}

impl Door {
    /// Leads ports of this host's loopback to a daemon in a network of its own: the same ones, if they are free.
    pub fn open(ground: &Ground, daemon: Daemon) -> Result<Self> {
        let Ground::Rack { network, .. } = ground else {
            let (url, http) = (format!("https://{}", daemon.https()), format!("http://{}", daemon.http()));
            return Ok(Self { daemon, url, http, _forwards: Vec::new() });
        };
        let forward = |to: SocketAddr| {
            let listen = |port| Forward::start(network.name(), (Ipv4Addr::LOCALHOST, port).into(), to);
            listen(to.port()).or_else(|_| listen(0))
        };
        let (https, http) = (forward(daemon.https())?, forward(daemon.http())?);
        Ok(Self {
            daemon,
            url: format!("https://{}", https.local_addr()),
            http: format!("http://{}", http.local_addr()),
            _forwards: vec![https, http],
        })
    }

    /// Where the first token is.
    pub fn token_path(&self) -> PathBuf {
        self.daemon.data_dir().join("admin.token")
    }

    /// Runs the client as a person would, and gives what it prints.
    pub async fn output(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments)?.output().await.context("pilotlight cannot be started")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`pilotlight {}` failed: {complaint}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Says how to come in, and where to look.
    pub fn tell(&self, folder: &Path) -> Result<()> {
        println!(
            "\nIn a browser of this host: {url}/status (or {http}, which leads there)\n  \
             any user name, and as the password the token: {}\n  \
             its certificate is from the demo's own CA, so the browser warns\n\n\
             On the command line:\n  export PILOTLIGHT_URL={url} PILOTLIGHT_CA={}\n  \
             export PILOTLIGHT_TOKEN=$(cat {})\n  {} get machines\n\n\
             Logs: {} of the daemon, {}/*/serial.log of virtual machines' consoles\n\n\
             Ctrl-C ends it all.",
            self.daemon.token()?,
            shown(&self.daemon.ca_path()),
            shown(&self.token_path()),
            shown(&daemon::pilotlight()?),
            shown(self.daemon.log_path()),
            shown(folder),
            url = self.url,
            http = self.http,
        );
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(daemon::pilotlight()?);
        command
            .args(arguments)
            .env("PILOTLIGHT_URL", &self.url)
            .env("PILOTLIGHT_TOKEN", self.daemon.token()?)
            .env("PILOTLIGHT_CA", self.daemon.ca_path())
            .kill_on_drop(true);
        Ok(command)
    }
}
