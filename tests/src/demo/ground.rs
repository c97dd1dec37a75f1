//! What the demo stands on: virtual machines in a private network where they can be had, else simulated ones on the loopback.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::unistd::geteuid;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use super::fleet::Member;
use crate::daemon::Builder;
use crate::rack::accel::Choice;
use crate::rack::{self, Accel, Namespace};
use crate::sim::{self, Segment};

const NETWORK: &str = "pldemo";
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const LOOPBACK: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);

/// The subnet of simulated machines, as `pilotlight apply` takes it.
const LOOPBACK_SUBNET: &str = "---
kind: Subnet
name: demo-loopback
spec:
  cidr: 127.77.0.0/16
  mode: authoritative
  ranges: [127.77.1.1-127.77.250.250]
  unknown: discover
";

/// What carries the machines.
pub enum Ground {
    /// A network namespace and QEMU.
    Rack {
        /// The network.
        network: Namespace,
        /// What runs the machines.
        accel: Choice,
    },
    /// The loopback.
    Simulated {
        /// DHCP's, TFTP's, HTTP's and HTTPS's port.
        ports: [u16; 4],
    },
}

/// Machines that are on.
pub enum Powered {
    /// In QEMU.
    Virtual(Vec<rack::Machine>),
    /// Simulated: each task ends only when something is wrong.
    Simulated(JoinSet<(String, anyhow::Error)>, HashMap<String, String>),
}

impl Ground {
    /// Virtual machines.
    pub fn rack() -> Result<Self> {
        ensure!(geteuid().is_root(), "this is not root, which network namespaces need");
        let path = std::env::var_os("PATH").unwrap_or_default();
        for program in ["ip", "qemu-system-x86_64"] {
            let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
            ensure!(found, "`{program}` is not installed");
        }
        for (file, package) in
            [("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"), ("/usr/lib/ipxe/snponly.efi", "ipxe")]
        {
            ensure!(Path::new(file).is_file(), "{file} is missing (Debian's package `{package}`)");
        }
        let network = Namespace::create(NETWORK, Some(ipnet::Ipv4Net::new(SERVER, 24)?))?;
        Ok(Self::Rack { network, accel: rack::accel::choose()? })
    }

    /// Simulated machines.
    pub fn simulated() -> Result<Self> {
        let http = tcp_port(18080)?;
        let https = tcp_port(18443)?;
        let dhcp = (16767..17767).step_by(2).find(|port| udp_free(*port) && udp_free(*port + 1));
        let tftp = (16969..17969).find(|port| udp_free(*port));
        let ports = [dhcp.context("no UDP port is free")?, tftp.context("no UDP port is free")?, http, https];
        Ok(Self::Simulated { ports })
    }

    /// The network, in words.
    pub fn network(&self) -> String {
        match self {
            Self::Rack { network, .. } => {
                format!("{SERVER}/24 in a namespace of its own, `{}`", network.name())
            }
            Self::Simulated { .. } => format!("{LOOPBACK}, on this host's loopback"),
        }
    }

    /// How machines run, in words, and why so.
    pub fn runs_them(&self) -> (String, Option<&str>) {
        match self {
            Self::Rack { accel: Choice { accel, reason }, .. } => (format!("run by {accel}"), Some(reason)),
            Self::Simulated { .. } => ("simulated".into(), None),
        }
    }

    /// How long all boots together should take. Emulated machines share the processors.
    pub fn expected(&self, machines: usize) -> Duration {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let rounds = u32::try_from(machines.div_ceil(processors)).unwrap_or(u32::MAX);
        match self {
            Self::Rack { accel, .. } if accel.accel == Accel::Kvm => Duration::from_secs(20),
            Self::Rack { .. } => Duration::from_secs(45) * rounds.max(1),
            Self::Simulated { .. } => Duration::from_secs(5),
        }
    }

    /// Where the daemon is to listen, and what it is to hand out first.
    pub fn settings(&self, builder: Builder, folder: &Path) -> Result<Builder> {
        let [dhcp, tftp, http, https] = match self {
            Self::Rack { network, .. } => return Ok(builder.inside(network, SERVER)),
            Self::Simulated { ports } => *ports,
        };
        let programs = folder.join("ipxe");
        fs::create_dir_all(&programs)?;
        fs::write(programs.join("undionly.kpxe"), in_place_of("undionly.kpxe", 74_000))?;
        fs::write(programs.join("snponly.efi"), in_place_of("snponly.efi", 174_000))?;
        Ok(builder
            .set("http.listen", format!("{LOOPBACK}:{http}"))
            .set("https.listen", format!("{LOOPBACK}:{https}"))
            .set("tftp.listen", format!("{LOOPBACK}:{tftp}"))
            .set("dhcp.port", dhcp)
            .set("dhcp.interfaces", json!(["lo"]))
            .set("ipxe.dir", json!(programs)))
    }

    /// Writes the image's document, and a subnet's where the demo's own is not the one.
    pub fn declare(&self, cache: &Path, folder: &Path) -> Result<()> {
        let image = match self {
            Self::Rack { .. } => {
                let made = rack::image::ensure(cache);
                made.context("there is no image for virtual machines; SIMULATE=1 goes on without one")?
            }
            Self::Simulated { .. } => {
                fs::write(folder.join("subnet.yaml"), LOOPBACK_SUBNET)?;
                stand_in(&folder.join("image"))?
            }
        };
        let document = json!({"kind": "Image", "name": "demo", "spec": {
            "os": "fedora-coreos", "arch": "x86_64", "version": image.version, "ignition": "3.3.0",
            "kernel": {"url": image.kernel.path, "sha256": image.kernel.sha256},
            "initrd": [{"url": image.initramfs.path, "sha256": image.initramfs.sha256}],
            "rootfs": {"url": image.rootfs.path, "sha256": image.rootfs.sha256},
        }});
        fs::write(folder.join("image.json"), serde_json::to_string_pretty(&document)?)?;
        Ok(())
    }

    /// Powers every machine on.
    pub fn power_on(&self, fleet: &[Member], folder: &Path) -> Result<Powered> {
        match self {
            Self::Rack { network, accel } => {
                let mut machines = Vec::new();
                for member in fleet {
                    let mut machine = member.virtual_machine(accel.accel).build(network, folder)?;
                    machine.power_on()?;
                    machines.push(machine);
                }
                Ok(Powered::Virtual(machines))
            }
            Self::Simulated { ports: [dhcp, tftp, ..] } => {
                let segment = Arc::new(Segment::local(SocketAddrV4::new(LOOPBACK, *dhcp))?);
                let mut tasks = JoinSet::new();
                for member in fleet {
                    let machine = sim::Machine::new(member.spec.clone(), &segment, *tftp);
                    let name = member.name.clone();
                    tasks.spawn(async move {
                        let error = match live(&machine).await {
                            Ok(()) => anyhow!("its agent ended"),
                            Err(error) => error,
                        };
                        (name, error)
                    });
                }
                Ok(Powered::Simulated(tasks, HashMap::new()))
            }
        }
    }
}

async fn live(machine: &sim::Machine) -> Result<()> {
    match machine.boot().await?.running {
        Some(running) => running.stay().await,
        None => bail!("it was sent to its disk, which is empty"),
    }
}

impl Powered {
    /// Why a machine can get no further, if one cannot.
    pub fn lost(&mut self, name: &str) -> Option<String> {
        match self {
            Self::Virtual(machines) => {
                let machine = machines.iter_mut().find(|machine| machine.name() == name)?;
                (!machine.is_on()).then(|| "its QEMU ended".to_owned())
            }
            Self::Simulated(tasks, ended) => {
                while let Some(Ok((name, error))) = tasks.try_join_next() {
                    ended.insert(name, format!("{error:#}"));
                }
                ended.get(name).cloned()
            }
        }
    }

    /// What a machine said last.
    pub fn last_words(&self, name: &str) -> Option<String> {
        let Self::Virtual(machines) = self else { return None };
        Some(machines.iter().find(|machine| machine.name() == name)?.console().tail(20))
    }
}

/// Files of the sizes that one waits for a moment for, in place of a system.
fn stand_in(folder: &Path) -> Result<rack::ImagePaths> {
    fs::create_dir_all(folder)?;
    let file = |name: &str, mebibytes: usize| -> Result<rack::image::ImageFile> {
        let path = fs::canonicalize(folder)?.join(name);
        let content = in_place_of(name, mebibytes << 20);
        fs::write(&path, &content)?;
        let sha256 = hex::encode(Sha256::digest(&content));
        Ok(rack::image::ImageFile { path, sha256, bytes: u64::try_from(content.len())? })
    };
    Ok(rack::ImagePaths {
        version: "0.simulated".into(),
        kernel: file("kernel", 1)?,
        initramfs: file("initramfs.img", 1)?,
        rootfs: file("rootfs.img", 3)?,
    })
}

fn in_place_of(name: &str, len: usize) -> Vec<u8> {
    format!("In place of {name}. ").into_bytes().into_iter().cycle().take(len).collect()
}

fn tcp_port(wanted: u16) -> Result<u16> {
    let listener = TcpListener::bind((LOOPBACK, wanted)).or_else(|_| TcpListener::bind((LOOPBACK, 0)));
    Ok(listener.context("no TCP port can be had on the loopback")?.local_addr()?.port())
}

fn udp_free(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}
