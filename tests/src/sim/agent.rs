//! The agent's part: it says that it runs, what it found, and then, again and again, that it is alive.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pilotlight_types::agent::{AgentConfig, Instructions};
use pilotlight_types::facts::{
    CpuPackage, Cpus, Disk, Facts, Firmware as FirmwareFacts, FirmwareMode, Kernel, Memory, Nic, Os, System,
    Transport,
};
use reqwest::Client;
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

use super::http::{self, Failed};
use super::{Firmware, Spec};

/// A machine that runs: its agent.
#[derive(Debug)]
pub struct Running {
    client: Client,
    config: AgentConfig,
    since: Instant,
}

impl Running {
    /// Starts the agent, which reports until its facts are taken.
    pub(crate) async fn start(own: Ipv4Addr, config: AgentConfig, spec: &Spec) -> Result<Self> {
        let client = http::tls(own, &[config.ca.clone().into_bytes()])?;
        let running = Self { client, config, since: Instant::now() };
        running.report("progress", &json!({"step": "started"})).await?;
        running.report("facts", &facts(spec, own)).await?;
        Ok(running)
    }

    /// Whose agent it is, and of which boot.
    pub fn config(&self) -> &AgentConfig {
        &self.config
    }

    /// One heartbeat; gives the time until the next.
    pub async fn heartbeat(&self) -> Result<Duration> {
        let uptime = json!({"uptime_seconds": self.since.elapsed().as_secs()});
        let told = self.report("heartbeat", &uptime).await?;
        Ok(Duration::from_secs(told.heartbeat_seconds.into()))
    }

    /// Heartbeats for as long as the server takes them.
    pub async fn stay(&self) -> Result<()> {
        let mut pause = Duration::from_secs(self.config.heartbeat_seconds.into());
        loop {
            sleep(pause.mul_f64(0.9 + 0.2 * rand::random::<f64>())).await;
            pause = self.heartbeat().await?;
        }
    }

    /// Sends a report until it is taken; what the server refuses for good is an error.
    async fn report(&self, path: &str, body: &impl Serialize) -> Result<Instructions> {
        let url = format!("{}/agent/v1/boots/{}/{path}", self.config.server, self.config.boot);
        let mut wait = Duration::from_secs(1);
        loop {
            match http::send(self.client.post(&url).bearer_auth(&self.config.token).json(body)).await {
                Ok(response) => return response.json().await.context("the server's instructions"),
                Err(Failed::Final(error)) => return Err(error.context(format!("the agent's {path}"))),
                Err(Failed::Passing(error)) => tracing::debug!("the agent asks again: {error:#}"),
            }
            sleep(wait.mul_f64(0.1 + 0.9 * rand::random::<f64>())).await;
            wait = (wait * 2).min(Duration::from_secs(60));
        }
    }
}

fn facts(spec: &Spec, own: Ipv4Addr) -> Facts {
    let bios = spec.firmware == Firmware::Bios;
    let text = |text: &str| Some(text.to_owned());
    let package = CpuPackage {
        number: 0,
        vendor: text("GenuineIntel"),
        model: text("Intel(R) Xeon(R) Silver 4410Y"),
        cores: spec.cpus,
        threads: spec.cpus,
        max_mhz: Some(3900),
    };
    let disk = |(number, disk): (usize, &super::Disk)| Disk {
        name: format!("nvme{number}n1"),
        path: format!("/dev/nvme{number}n1"),
        size_bytes: disk.bytes,
        model: text("Simulated NVMe"),
        serial: text(&disk.serial),
        logical_sector_bytes: Some(512),
        transport: Some(Transport::Nvme),
        ..Disk::default()
    };
    Facts {
        version: Facts::VERSION,
        agent: "simulated".into(),
        system: System {
            vendor: text(&spec.vendor),
            product: text(&spec.product),
            serial: text(&spec.serial),
            uuid: Some(spec.uuid),
            firmware: FirmwareFacts {
                vendor: text(if bios { "SeaBIOS" } else { "EDK II" }),
                version: text("simulated"),
                mode: Some(if bios { FirmwareMode::Bios } else { FirmwareMode::Uefi }),
                ..FirmwareFacts::default()
            },
            ..System::default()
        },
        cpus: Cpus {
            architecture: text("x86_64"),
            sockets: 1,
            cores: spec.cpus,
            threads: spec.cpus,
            packages: vec![package],
        },
        memory: Memory {
            // What the kernel keeps for itself is not usable.
            usable_bytes: Some(spec.memory_bytes - spec.memory_bytes / 32),
            installed_bytes: Some(spec.memory_bytes),
            ..Memory::default()
        },
        disks: spec.disks.iter().enumerate().map(disk).collect(),
        nics: vec![Nic {
            name: "eth0".into(),
            mac: spec.mac,
            current_mac: None,
            driver: text("simulated"),
            bus_path: None,
            link: Some(true),
            speed_mbps: Some(25_000),
            mtu: Some(1500),
            booted: true,
            addresses: ipnet::IpNet::new(own.into(), 24).into_iter().collect(),
        }],
        kernel: Kernel {
            release: text("6.1.0-simulated"),
            architecture: text("x86_64"),
            ..Kernel::default()
        },
        os: Os { id: text("simulated"), pretty_name: text("A simulated machine"), ..Os::default() },
        uptime_seconds: Some(1),
        ..Facts::default()
    }
}
