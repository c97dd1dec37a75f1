//! Simulated machines: no firmware and no kernel, but the same conversation. They get addresses by DHCP, a boot program by TFTP, run
//! the script that they are given, fetch every file, find their config as Ignition does and report as the agent does; all from an
//! address of their own. A machine is a task and a handful of sockets, so there may be hundreds.

pub(crate) mod agent;
pub(crate) mod dhcp;
pub(crate) mod http;
pub(crate) mod ignition;
pub(crate) mod ipxe;
pub(crate) mod tftp;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pilotlight_types::Mac;
use pilotlight_types::api::Phase;
use reqwest::Client as Http;
use tokio::time::sleep;
use uuid::Uuid;

pub use agent::Running;
pub use dhcp::Segment;
pub use ignition::{config_ign, merged};
pub use ipxe::escaped;

use dhcp::{Client, Lease, Program};

/// How long firmware waits before it tries its boot devices again.
const REBOOT: Duration = Duration::from_secs(5);

/// What a machine is run by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// A BIOS with a PXE ROM.
    Bios,
    /// UEFI with its own PXE.
    Uefi,
}

/// A disk, for the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its serial number.
    pub serial: String,
    /// Its size.
    pub bytes: u64,
}

/// What a machine is.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The interface that boots.
    pub mac: Mac,
    /// Its SMBIOS UUID.
    pub uuid: Uuid,
    /// Its firmware.
    pub firmware: Firmware,
    /// Its manufacturer.
    pub vendor: String,
    /// What its manufacturer calls it.
    pub product: String,
    /// Its serial number.
    pub serial: String,
    /// Its processor's cores.
    pub cpus: u32,
    /// Its memory.
    pub memory_bytes: u64,
    /// Its disks.
    pub disks: Vec<Disk>,
}

/// A machine that is off, and in a network.
#[derive(Debug, Clone)]
pub struct Machine {
    spec: Arc<Spec>,
    segment: Arc<Segment>,
    tftp_port: u16,
}

/// A phase as the machine saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub phase: Phase,
    /// When it began, since power-on.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// What it brought.
    pub bytes: u64,
}

/// A boot as the machine saw it.
#[derive(Debug)]
pub struct Report {
    /// The address that it had.
    pub address: Ipv4Addr,
    /// Its phases, in order; those of attempts that failed are left out.
    pub steps: Vec<Step>,
    /// How often the firmware had to start over.
    pub restarts: u32,
    /// The paths of the files that its config put on it.
    pub files: Vec<String>,
    /// Its agent; none when it was sent to its disk.
    pub running: Option<Running>,
}

impl Machine {
    /// A machine on `segment`, which asks for boot programs at `tftp_port` of the server that DHCP names.
    pub fn new(spec: Spec, segment: &Arc<Segment>, tftp_port: u16) -> Self {
        Self { spec: Arc::new(spec), segment: Arc::clone(segment), tftp_port }
    }

    /// What it is.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Presses the power button, and returns when its agent's facts were taken, or its disk is booted. As real machines do, it
    /// starts over when nobody answers, for ever; what no machine recovers from, such as a config that is refused, is an error.
    pub async fn boot(&self) -> Result<Report> {
        let mut log = Log { power_on: Instant::now(), steps: Vec::new() };
        let mut restarts = 0;
        loop {
            log.steps.clear();
            let address = match self.firmware(&mut log).await {
                Ok(address) => address,
                Err(error) => {
                    tracing::debug!("{} starts over: {error:#}", self.spec.mac);
                    restarts += 1;
                    sleep(REBOOT).await;
                    continue;
                }
            };
            match self.ipxe(&mut log).await {
                Ok(None) => {
                    return Ok(Report {
                        address,
                        steps: log.steps,
                        restarts,
                        files: Vec::new(),
                        running: None,
                    });
                }
                Ok(Some(loaded)) => {
                    let (files, running) = self.linux(loaded, &mut log).await?;
                    return Ok(Report { address, steps: log.steps, restarts, files, running: Some(running) });
                }
                Err(error) => {
                    tracing::debug!("{} starts over: {error:#}", self.spec.mac);
                    restarts += 1;
                    sleep(REBOOT).await;
                }
            }
        }
    }

    async fn firmware(&self, log: &mut Log) -> Result<Ipv4Addr> {
        let lease = log.step(Phase::Dhcp, async { Ok((self.lease(Program::Firmware).await?, 0)) }).await?;
        ensure!(!lease.file.is_empty(), "DHCP named no boot program");
        let server = SocketAddrV4::new(lease.next_server, self.tftp_port);
        log.step(Phase::BootProgram, async {
            let bytes = tftp::get(lease.address, server, &lease.file, self.spec.firmware).await?;
            Ok(((), bytes))
        })
        .await?;
        Ok(lease.address)
    }

    async fn ipxe(&self, log: &mut Log) -> Result<Option<Loaded>> {
        let lease = self.lease(Program::Ipxe).await?;
        let http = http::plain(lease.address)?;
        let mut loader = Loader { http, log, images: HashMap::new(), address: lease.address };
        let platform = match self.spec.firmware {
            Firmware::Bios => "pcbios",
            Firmware::Uefi => "efi",
        };
        let about = ipxe::About { platform, serial: &self.spec.serial };
        match ipxe::run(&lease.file, about, &mut loader).await? {
            ipxe::End::Disk => Ok(None),
            ipxe::End::Boot { kernel } => Ok(Some(self.loaded(&kernel, loader.images, lease.address)?)),
        }
    }

    /// What the kernel finds: its command line, and the config in its initrds.
    fn loaded(&self, kernel: &str, images: HashMap<String, Image>, address: Ipv4Addr) -> Result<Loaded> {
        let arguments = images.get(kernel).context("the kernel is not loaded")?.arguments.clone();
        let named: Vec<&str> = arguments.iter().filter_map(|word| word.strip_prefix("initrd=")).collect();
        for name in &named {
            ensure!(
                images.contains_key(*name),
                "the kernel line names the initrd `{name}`, which was not loaded"
            );
        }
        // With UEFI and an iPXE of 2019 the kernel asks for its initrds by name; with a BIOS it gets them all.
        let seen = |name: &str| self.spec.firmware == Firmware::Bios || named.contains(&name);
        let small = images.iter().filter(|(name, _)| *name != kernel && seen(name));
        let pointer = small.filter_map(|(_, image)| image.content.as_deref()).find_map(|content| {
            ignition::config_ign(content).inspect_err(|error| tracing::debug!("no config: {error:#}")).ok()
        });
        Ok(Loaded { address, arguments, pointer })
    }

    async fn linux(&self, loaded: Loaded, log: &mut Log) -> Result<(Vec<String>, Running)> {
        let lease = self.lease(Program::Linux).await.context("the initramfs's DHCP")?;
        ensure!(
            lease.address == loaded.address,
            "{} had {} and got {} in Linux",
            self.spec.mac,
            loaded.address,
            lease.address
        );
        let http = http::plain(lease.address)?;
        if let Some(url) = loaded.argument("coreos.live.rootfs_url=") {
            log.step(Phase::Rootfs, async {
                let (bytes, _) = http::swallow(http::send(http.get(url)).await?, false).await?;
                Ok(((), bytes))
            })
            .await
            .context("the rootfs")?;
        }
        // Ignition would go on with an empty config, and nobody would hear of the machine again.
        let pointer = loaded.pointer.context("no config.ign came with the initrds")?;
        let applied = log
            .step(Phase::Ignition, async {
                let applied = ignition::apply(lease.address, &pointer).await?;
                let bytes = applied.bytes;
                Ok((applied, bytes))
            })
            .await?;
        let Some(config) = applied.agent else { bail!("the config brings no agent") };
        let running = log
            .step(Phase::Agent, async { Ok((Running::start(lease.address, config, &self.spec).await?, 0)) })
            .await?;
        Ok((applied.files, running))
    }

    async fn lease(&self, program: Program) -> Result<Lease> {
        let Spec { mac, uuid, firmware, .. } = *self.spec;
        self.segment.lease(&Client { mac, uuid, firmware }, program).await
    }
}

/// When what happened, since power-on.
#[derive(Debug)]
struct Log {
    power_on: Instant,
    steps: Vec<Step>,
}

impl Log {
    async fn step<T>(&mut self, phase: Phase, act: impl Future<Output = Result<(T, u64)>>) -> Result<T> {
        let at = self.power_on.elapsed();
        let (value, bytes) = act.await?;
        self.steps.push(Step { phase, at, took: self.power_on.elapsed().saturating_sub(at), bytes });
        Ok(value)
    }
}

/// An image in iPXE's memory.
#[derive(Debug)]
struct Image {
    arguments: Vec<String>,
    /// Kept when it is small: it may hold the config.
    content: Option<Vec<u8>>,
}

/// What the kernel was started with.
#[derive(Debug)]
struct Loaded {
    address: Ipv4Addr,
    arguments: Vec<String>,
    pointer: Option<serde_json::Value>,
}

impl Loaded {
    fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.iter().find_map(|word| word.strip_prefix(name))
    }
}

struct Loader<'a> {
    http: Http,
    log: &'a mut Log,
    images: HashMap<String, Image>,
    address: Ipv4Addr,
}

/// The largest image that may be a config: such are some kilobytes.
const LARGEST_CONFIG: u64 = 64 << 10;

impl ipxe::Loader for Loader<'_> {
    async fn script(&mut self, url: &str) -> Result<String> {
        let http = &self.http;
        self.log
            .step(Phase::Script, async {
                let text = http::send(http.get(url)).await?.text().await?;
                let bytes = u64::try_from(text.len())?;
                Ok((text, bytes))
            })
            .await
    }

    async fn image(&mut self, url: &str, name: &str, arguments: &[String]) -> Result<()> {
        let fetch = async {
            let response = http::send(self.http.get(url)).await?;
            if response.content_length().is_some_and(|len| len <= LARGEST_CONFIG) {
                let content = response.bytes().await?.to_vec();
                let bytes = u64::try_from(content.len())?;
                return Ok((Some(content), bytes));
            }
            let (bytes, _) = http::swallow(response, false).await?;
            Ok((None, bytes))
        };
        let content = match name {
            "kernel" => self.log.step(Phase::Kernel, fetch).await?,
            "config.img" => fetch.await?.0,
            _ => self.log.step(Phase::Initramfs, fetch).await?,
        };
        self.images.insert(name.to_owned(), Image { arguments: arguments.to_vec(), content });
        Ok(())
    }

    fn free(&mut self) {
        self.images.clear();
    }

    async fn sleep(&mut self, time: Duration) {
        sleep(time).await;
    }

    fn say(&mut self, text: &str) {
        tracing::debug!("{}: {text}", self.address);
    }
}
