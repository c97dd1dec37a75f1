//! One machine of the hall: firmware, iPXE, kernel. It does each thing once, as often as its firmware tries it, and then gives up.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::time::sleep;

use super::{Options, fetch};
use crate::sim::dhcp::{Client, Lease, Program};
use crate::sim::{Firmware, Segment, Spec, agent, ignition, ipxe, tftp};

/// The part of its way that a machine is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The firmware asks for an address.
    Firmware,
    /// The firmware fetches its boot program.
    BootProgram,
    /// iPXE asks for an address.
    Ipxe,
    /// iPXE has a script, and may be told to wait for its turn.
    Turn,
    /// iPXE fetches the kernel.
    Kernel,
    /// iPXE fetches initrds.
    Initramfs,
    /// The initramfs asks for an address, after the kernel has started.
    Linux,
    /// The initramfs fetches the root file system.
    Rootfs,
    /// Ignition and the agent.
    Agent,
}

/// A part of its way that a machine has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub stage: Stage,
    /// How long it took.
    pub took: Duration,
    /// What it brought.
    pub bytes: u64,
}

/// How a machine fared.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What it has behind it, in order.
    pub steps: Vec<Step>,
    /// When it came to its end, after the first of the hall was powered on.
    pub at: Duration,
    /// Where it gave up, and why, if it did.
    pub lost: Option<(Stage, String)>,
}

/// A machine that is on.
pub(super) struct Machine {
    spec: Spec,
    segment: Arc<Segment>,
    power_on: Instant,
    stage: Stage,
    steps: Vec<Step>,
}

impl Machine {
    pub(super) fn new(spec: Spec, segment: Arc<Segment>, power_on: Instant) -> Self {
        Self { spec, segment, power_on, stage: Stage::Firmware, steps: Vec::new() }
    }

    /// What came of it.
    pub(super) fn ended(self, ended: Result<()>) -> Outcome {
        let lost = ended.err().map(|error| (self.stage, format!("{error:#}")));
        if let Some((stage, why)) = &lost {
            tracing::debug!("{} is lost ({stage:?}): {why}", self.spec.mac);
        }
        Outcome { steps: self.steps, at: self.power_on.elapsed(), lost }
    }

    /// From power-on to the root file system, or to the agent.
    pub(super) async fn boot(&mut self, options: &Options) -> Result<()> {
        let lease = self.lease(Stage::Firmware, Program::Firmware).await?;
        ensure!(!lease.file.is_empty(), "DHCP named no boot program");
        self.begin(Stage::BootProgram);
        let began = Instant::now();
        let server = SocketAddrV4::new(lease.next_server, 69);
        let bytes = tftp::get(lease.address, server, &lease.file, self.spec.firmware).await?;
        self.end(began, bytes);

        let lease = self.lease(Stage::Ipxe, Program::Ipxe).await?;
        let platform = if self.spec.firmware == Firmware::Bios { "pcbios" } else { "efi" };
        let spec = self.spec.clone();
        let about = ipxe::About { platform, serial: &spec.serial };
        self.begin(Stage::Turn);
        let mut loader = Loader {
            address: lease.address,
            asked: Instant::now(),
            waited: false,
            images: HashMap::new(),
            machine: self,
        };
        let ipxe::End::Boot { kernel } = ipxe::run(&lease.file, about, &mut loader).await? else {
            // Sent to its disk: it is where it should be.
            return Ok(());
        };
        let images = loader.images;
        let arguments = &images.get(&kernel).context("the kernel is not loaded")?.arguments;
        let rootfs = arguments.iter().find_map(|word| word.strip_prefix("coreos.live.rootfs_url="));

        sleep(options.kernel_start).await;
        let lease = self.lease(Stage::Linux, Program::Linux).await?;
        if let Some(url) = rootfs {
            self.begin(Stage::Rootfs);
            let began = Instant::now();
            let body = fetch::get(lease.address, url, 0).await?;
            self.end(began, body.bytes);
        }
        if options.to_the_agent {
            self.begin(Stage::Agent);
            let began = Instant::now();
            let configs = images.values().filter_map(|image| ignition::config_ign(&image.content).ok());
            let pointer = configs.last().context("no config.ign came with the initrds")?;
            let applied = ignition::apply(lease.address, &pointer).await?;
            if let Some(config) = applied.agent {
                agent::Running::start(lease.address, config, &self.spec).await?;
            }
            self.end(began, applied.bytes);
        }
        Ok(())
    }

    async fn lease(&mut self, stage: Stage, program: Program) -> Result<Lease> {
        self.begin(stage);
        let began = Instant::now();
        let Spec { mac, uuid, firmware, .. } = self.spec;
        let lease = self.segment.lease(&Client { mac, uuid, firmware }, program).await?;
        self.end(began, 0);
        Ok(lease)
    }

    fn begin(&mut self, stage: Stage) {
        self.stage = stage;
    }

    fn end(&mut self, began: Instant, bytes: u64) {
        self.steps.push(Step { stage: self.stage, took: began.elapsed(), bytes });
    }
}

/// The largest image that is kept: a config's initrd has some kilobytes.
const LARGEST_CONFIG: u64 = 64 << 10;

struct Image {
    arguments: Vec<String>,
    content: Vec<u8>,
}

struct Loader<'a> {
    machine: &'a mut Machine,
    address: Ipv4Addr,
    asked: Instant,
    waited: bool,
    images: HashMap<String, Image>,
}

impl ipxe::Loader for Loader<'_> {
    async fn script(&mut self, url: &str) -> Result<String> {
        let body = fetch::get(self.address, url, LARGEST_CONFIG).await?;
        String::from_utf8(body.kept).context("the script is no text")
    }

    async fn image(&mut self, url: &str, name: &str, arguments: &[String]) -> Result<()> {
        if !std::mem::replace(&mut self.waited, true) {
            self.machine.end(self.asked, 0);
        }
        self.machine.begin(if name == "kernel" { Stage::Kernel } else { Stage::Initramfs });
        let began = Instant::now();
        let body = fetch::get(self.address, url, LARGEST_CONFIG).await.inspect_err(|error| {
            tracing::debug!("{}: {error:#}", self.machine.spec.mac);
        })?;
        self.machine.end(began, body.bytes);
        self.images.insert(name.to_owned(), Image { arguments: arguments.to_vec(), content: body.kept });
        Ok(())
    }

    fn free(&mut self) {
        self.images.clear();
    }

    async fn sleep(&mut self, time: Duration) {
        sleep(time).await;
    }

    fn say(&mut self, text: &str) {
        tracing::trace!("{}: {text}", self.address);
    }
}
