//! A `pilotlight serve` that really runs: a process of its own with a configuration file and a data directory, on this host's
//! loopback or inside a [`Namespace`]. It can be killed at any moment, and it dies with whoever started it.

mod binaries;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep, timeout};

use crate::client::Client;
use crate::rack::{Forward, Namespace};

pub use binaries::{agent, pilotlight};

/// From the start of the process until it serves.
const START: Duration = Duration::from_secs(60);
/// From SIGTERM to the end: the daemon gives what is under way 20 s.
const STOP: Duration = Duration::from_secs(45);
/// How often a process is looked at that says nothing.
const LOOK: Duration = Duration::from_millis(20);

/// A daemon that is described, and not started yet.
#[derive(Debug, Clone)]
pub struct Builder {
    folder: PathBuf,
    data_dir: PathBuf,
    netns: Option<String>,
    address: Ipv4Addr,
    settings: BTreeMap<String, BTreeMap<String, Value>>,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
    agent: bool,
}

/// A daemon. Its data outlive it: it can be started again.
#[derive(Debug)]
pub struct Daemon {
    builder: Builder,
    config: PathBuf,
    log: PathBuf,
    process: Option<Child>,
    http: SocketAddr,
    https: SocketAddr,
    forward: Option<Arc<Forward>>,
}

impl Daemon {
    /// Starts to describe a daemon whose configuration, log and (in `data`) state are in `folder`. It will serve this host's
    /// loopback on ports of its own, without DHCP.
    pub fn builder(folder: &Path) -> Builder {
        // An address of our own among the 16 million of the loopback: nobody else's ports are in the way, nor after a restart.
        let [_, a, b, c] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 64 | (a & 0x3f), b, c);
        static NEXT: AtomicU16 = AtomicU16::new(20_000);
        let port = NEXT.fetch_add(4, Ordering::Relaxed);
        let at = |offset: u16| json!(format!("{address}:{}", port.saturating_add(offset)));
        Builder {
            folder: folder.to_owned(),
            data_dir: folder.join("data"),
            netns: None,
            address,
            settings: BTreeMap::new(),
            environment: Vec::new(),
            wrapper: Vec::new(),
            agent: false,
        }
        .set("site.name", "rack")
        .set("http.listen", at(0))
        .set("https.listen", at(1))
        .set("tftp.listen", at(2))
        .set("dhcp.port", port.saturating_add(3))
    }

    /// A client of its REST API that may do everything.
    pub fn client(&self) -> Result<Client> {
        Client::new(&self.url(), Some(&self.token()?), &self.ca()?)
    }

    /// The same for another token, or none.
    pub fn client_with(&self, token: Option<&str>) -> Result<Client> {
        Client::new(&self.url(), token, &self.ca()?)
    }

    /// The base URL of API, agents and people, as this host's loopback reaches it.
    pub fn url(&self) -> String {
        let forwarded = self.forward.as_ref().map(|forward| forward.local_addr());
        format!("https://{}", forwarded.unwrap_or(self.https))
    }

    /// Where it serves boot files, inside its network.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where it serves everything else, inside its network.
    pub fn https(&self) -> SocketAddr {
        self.https
    }

    /// The first token, which it made at its first start.
    pub fn token(&self) -> Result<String> {
        let path = self.builder.data_dir.join("admin.token");
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(text.trim().to_owned())
    }

    /// The site CA's certificate, PEM.
    pub fn ca(&self) -> Result<String> {
        let path = self.ca_path();
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
    }

    /// Where that certificate is.
    pub fn ca_path(&self) -> PathBuf {
        self.builder.data_dir.join("ca.pem")
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.builder.data_dir
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Its log, of all its runs.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What it logged so far, in all its runs.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last lines of its log, for an error's text.
    pub fn log_tail(&self, count: usize) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// `kill -9`: nothing is written, nobody is told.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill().context("the daemon cannot be killed")?;
            process.wait().context("the daemon's end")?;
        }
        Ok(())
    }

    /// `kill -9`, and started again on the same data; returns when it serves.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.start().await
    }

    /// Starts it again after [`Daemon::kill`] or [`Daemon::stop`]; returns when it serves.
    pub async fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the daemon runs already");
        let (process, ready) = self.builder.spawn(&self.config, &self.log)?;
        self.process = Some(process);
        self.until_ready(&ready).await
    }

    /// SIGTERM, as systemd does it; gives the exit status.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        let process = self.process.as_ref().context("the daemon does not run")?;
        kill(Pid::from_raw(process.id().try_into()?), Signal::SIGTERM)
            .context("the daemon cannot be signalled")?;
        self.ended(STOP).await
    }

    /// Waits for the end of a daemon that ends by itself.
    pub async fn ended(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        let process = self.process.as_mut().context("the daemon does not run")?;
        loop {
            if let Some(status) = process.try_wait().context("the daemon's end")? {
                self.process = None;
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "the daemon still runs after {} s", within.as_secs());
            sleep(LOOK).await;
        }
    }

    /// Waits for the word that systemd would get, or the daemon's end.
    async fn until_ready(&mut self, ready: &UnixDatagram) -> Result<()> {
        let deadline = Instant::now() + START;
        let mut message = [0; 4096];
        loop {
            if let Ok(length) = timeout(LOOK, ready.recv(&mut message)).await {
                let said = message.get(..length?).unwrap_or_default();
                if said.split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                    return Ok(());
                }
            }
            if let Some(process) = self.process.as_mut()
                && let Some(status) = process.try_wait()?
            {
                self.process = None;
                bail!("the daemon ended ({status}) before it was ready; its log:\n{}", self.log_tail(20));
            }
            if Instant::now() >= deadline {
                bail!("the daemon is not ready after {} s; its log:\n{}", START.as_secs(), self.log_tail(20));
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::warn!("{error:#}");
        }
    }
}

impl Builder {
    /// Inside this network, on the address that its bridge has: DHCP on the bridge, and the ports that design and firmware
    /// expect (67, 69, 8080, 8443).
    pub fn inside(mut self, network: &Namespace, address: Ipv4Addr) -> Self {
        self.netns = Some(network.name().to_owned());
        self.address = address;
        self.set("http.listen", "0.0.0.0:8080")
            .set("https.listen", "0.0.0.0:8443")
            .set("tftp.listen", "0.0.0.0:69")
            .set("dhcp.port", 67)
            .set("dhcp.interfaces", json!([crate::rack::namespace::BRIDGE]))
    }

    /// One setting by its dotted name: `set("boot.patience", "10s")`.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        let (section, key) = key.split_once('.').unwrap_or(("", key));
        self.settings.entry(section.to_owned()).or_default().insert(key.to_owned(), value.into());
        self
    }

    /// With the agent to hand out, which is built when it has to be.
    pub fn with_agent(mut self) -> Self {
        self.agent = true;
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another data directory than `folder/data`.
    pub fn data_dir(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.data_dir);
        self
    }

    /// Run by another program, such as `setpriv --reuid=nobody`, which takes the daemon's command line as its last arguments.
    pub fn run_by(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Starts it, and returns when it serves.
    pub async fn start(self) -> Result<Daemon> {
        let mut daemon = self.prepare()?;
        daemon.start().await?;
        Ok(daemon)
    }

    /// Starts one that is not expected to serve: its exit code and what it printed.
    pub async fn refused(self) -> Result<(i32, String)> {
        let mut daemon = self.prepare()?;
        match daemon.start().await {
            Ok(()) => bail!("the daemon serves, though it should not"),
            Err(_) if daemon.process.is_some() => {
                bail!("the daemon neither serves nor ends; its log:\n{}", daemon.log_tail(20))
            }
            Err(error) => {
                let text = format!("{error:#}");
                let code = text.split("exit status: ").nth(1).and_then(|rest| rest.split(')').next());
                let code = code.and_then(|code| code.parse().ok()).with_context(|| text.clone())?;
                Ok((code, daemon.log()))
            }
        }
    }

    fn prepare(mut self) -> Result<Daemon> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("{} cannot be made", self.folder.display()))?;
        self = self.clone().set("server.data-dir", json!(self.data_dir));
        if self.agent {
            self = self.set("agent.binary", json!(agent()?));
        }
        let config = self.folder.join("pilotlight.toml");
        fs::write(&config, self.toml()?)?;
        fs::set_permissions(&config, Permissions::from_mode(0o600))?;
        let http = self.listens("http")?;
        let https = self.listens("https")?;
        let forward = match &self.netns {
            Some(netns) => {
                Some(Arc::new(Forward::start(netns, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), https)?))
            }
            None => None,
        };
        let log = self.folder.join("pilotlight.log");
        Ok(Daemon { builder: self, config, log, process: None, http, https, forward })
    }

    /// The settings as a file. JSON's strings, numbers and lists are TOML's, too.
    fn toml(&self) -> Result<String> {
        let mut text = String::new();
        for (section, keys) in &self.settings {
            text.push_str(&format!("[{section}]\n"));
            for (key, value) in keys {
                ensure!(!value.is_object() && !value.is_null(), "`{section}.{key}` is no setting");
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        Ok(text)
    }

    /// Where a port can be reached inside its network.
    fn listens(&self, section: &str) -> Result<SocketAddr> {
        let listen = self.settings.get(section).and_then(|keys| keys.get("listen")).and_then(Value::as_str);
        let listen: SocketAddr = listen.with_context(|| format!("`{section}.listen` is not set"))?.parse()?;
        let ip = Some(listen.ip()).filter(|ip| !ip.is_unspecified()).unwrap_or(IpAddr::V4(self.address));
        Ok(SocketAddr::new(ip, listen.port()))
    }

    fn spawn(&self, config: &Path, log: &Path) -> Result<(Child, UnixDatagram)> {
        let notify = self.folder.join("notify");
        let _ = fs::remove_file(&notify);
        let ready = UnixDatagram::bind(&notify)
            .with_context(|| format!("{}: a socket's path may have 107 bytes", notify.display()))?;
        // A daemon that is run as somebody else must reach it.
        fs::set_permissions(&notify, Permissions::from_mode(0o666))?;
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        // Each word replaces itself by the next: the process that is started is the daemon in the end.
        let mut words: Vec<String> = Vec::new();
        if let Some(netns) = &self.netns {
            words.extend(["ip", "netns", "exec", netns].map(str::to_owned));
        }
        words.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(str::to_owned));
        words.extend(self.wrapper.iter().cloned());
        words.push(pilotlight()?.display().to_string());
        words.extend(["serve", "--config"].map(str::to_owned));
        words.push(config.display().to_string());
        let (program, arguments) = words.split_first().context("no program")?;
        let process = Command::new(program)
            .args(arguments)
            .env("NOTIFY_SOCKET", &notify)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("`{program}` cannot be started"))?;
        Ok((process, ready))
    }
}
