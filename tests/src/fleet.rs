//! A hall of machines that are powered on in the same second, against the address of any server: each in its firmware's manner
//! and with its firmware's patience. One that gives up is lost. Nothing of what they load is kept, so there may be thousands.

mod fetch;
mod machine;
mod summary;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use ipnet::Ipv4Net;
use pilotlight_types::Mac;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use crate::sim::{Disk, Firmware, Segment, Spec};

pub use machine::{Outcome, Stage, Step};
pub use summary::{Percentiles, Summary};

/// A hall, and the server that it boots from.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many machines.
    pub machines: u16,
    /// The server's address, for DHCP.
    pub server: Ipv4Addr,
    /// The relay agent's address: the machines' network is behind it. An address of this host.
    pub relay: Ipv4Addr,
    /// How fast the link is, in bits a second; for the ratio.
    pub link: u64,
    /// Within what time the machines are powered on.
    pub spread: Duration,
    /// From the last file that iPXE fetched to the first that the kernel asks for.
    pub kernel_start: Duration,
    /// Whether Ignition and the agent have their turn after the rootfs; only with Pilotlight.
    pub to_the_agent: bool,
    /// After what time the rest counts as lost.
    pub deadline: Duration,
}

/// Member `number` of a hall, from 1: UEFI and BIOS by turns.
pub fn member(number: u16) -> Spec {
    let [high, low] = number.to_be_bytes();
    let serial = format!("FLT{number:05}");
    Spec {
        mac: Mac::new([0x52, 0x54, 0x01, 0x77, high, low]),
        uuid: Uuid::from_fields(
            0x464c_5401,
            0x0051,
            0x3910,
            &[0x80, 0x37, 0xb2, 0xc0, 0x4f, 0x4d, high, low],
        ),
        firmware: if number % 2 == 1 { Firmware::Uefi } else { Firmware::Bios },
        vendor: "Lamplight Systems".into(),
        product: "Wick 310".into(),
        disks: vec![Disk { serial: format!("{serial}A"), bytes: 64 << 30 }],
        serial,
        cpus: 8,
        memory_bytes: 64 << 30,
    }
}

/// Makes every address of `network` one of this host's, so that each machine asks from its own.
pub fn own(network: Ipv4Net) -> Result<()> {
    crate::rack::ip(&format!("route replace local {network} dev lo")).map(drop)
}

/// Powers on the hall, and returns when each machine has come to its end.
pub async fn run(options: &Options) -> Result<Summary> {
    ensure!(options.machines > 0, "there is no machine");
    let server = SocketAddrV4::new(options.server, 67);
    let segment = Arc::new(Segment::relayed(server, options.relay)?);
    let power_on = Instant::now() + Duration::from_millis(200);
    let mut hall = JoinSet::new();
    for number in 1..=options.machines {
        let (segment, options) = (Arc::clone(&segment), options.clone());
        let at = power_on + options.spread.mul_f64(f64::from(number) / f64::from(options.machines));
        hall.spawn(async move {
            sleep_until(at).await;
            let mut machine = machine::Machine::new(member(number), segment, power_on.into());
            let ended = timeout(options.deadline, machine.boot(&options)).await;
            machine.ended(ended.unwrap_or_else(|_| Err(anyhow::anyhow!("it took too long"))))
        });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = hall.join_next().await {
        outcomes.push(outcome?);
    }
    Ok(Summary::of(&outcomes, options.link))
}
