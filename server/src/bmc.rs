//! Clients of BMCs: Redfish, and IPMI where there is none. One value is one session with one controller; whoever owns it asks one thing
//! at a time, and closes it. Queues, retries and credentials are the service's affair.
mod error;
pub mod ipmi;
mod redfish;

pub use error::BmcError;

use self::{ipmi::Ipmi, redfish::Redfish};
use crate::{domain::power::Command, secret::Secret};
use pilotlight_types::{
    api::{BootDevice, LogEntry, Sensor},
    resource::{BmcProtocol, BmcSpec},
};
use std::net::SocketAddr;

/// A BMC, and a session with it.
#[derive(Debug)]
pub enum Bmc {
    /// By Redfish.
    Redfish(Box<Redfish>),
    /// By IPMI.
    Ipmi(Box<Ipmi>),
}

impl Bmc {
    /// Opens a session.
    pub async fn connect(spec: &BmcSpec, password: &Secret<String>) -> Result<Self, BmcError> {
        Ok(match spec.protocol {
            BmcProtocol::Redfish => Self::Redfish(Box::new(Redfish::connect(spec, password).await?)),
            BmcProtocol::Ipmi => Self::Ipmi(Box::new(Ipmi::connect(spec, password).await?)),
        })
    }

    /// What it is, and how we speak with it.
    pub fn about(&self) -> String {
        match self {
            Self::Redfish(redfish) => redfish.about(),
            Self::Ipmi(ipmi) => ipmi.about(),
        }
    }

    /// Whether the machine is on.
    pub async fn is_on(&mut self) -> Result<bool, BmcError> {
        match self {
            Self::Redfish(redfish) => redfish.is_on().await,
            Self::Ipmi(ipmi) => ipmi.is_on().await,
        }
    }

    /// Switches the machine. What is asked is under way when this returns, and need not be done.
    pub async fn command(&mut self, command: Command) -> Result<(), BmcError> {
        match self {
            Self::Redfish(redfish) => redfish.command(command).await,
            Self::Ipmi(ipmi) => ipmi.command(command).await,
        }
    }

    /// Has the next boot, and no other, come from this device, by UEFI. Says whether the BMC then says so too: some forget it.
    pub async fn boot_once(&mut self, device: BootDevice) -> Result<bool, BmcError> {
        match self {
            Self::Redfish(redfish) => redfish.boot_once(device).await,
            Self::Ipmi(ipmi) => ipmi.boot_once(device).await,
        }
    }

    /// Restarts the BMC itself; the machine goes on. The session is of no use afterwards.
    pub async fn restart(&mut self) -> Result<(), BmcError> {
        match self {
            Self::Redfish(redfish) => redfish.restart().await,
            Self::Ipmi(ipmi) => ipmi.restart().await,
        }
    }

    /// Switches the light by which one finds the machine in its rack.
    pub async fn identify(&mut self, lit: bool) -> Result<(), BmcError> {
        match self {
            Self::Redfish(redfish) => redfish.identify(lit).await,
            Self::Ipmi(ipmi) => ipmi.identify(lit).await,
        }
    }

    /// What it measures.
    pub async fn sensors(&mut self) -> Result<Vec<Sensor>, BmcError> {
        match self {
            Self::Redfish(redfish) => redfish.sensors().await,
            Self::Ipmi(ipmi) => ipmi.sensors().await,
        }
    }

    /// The newest entries of its event log, oldest first.
    pub async fn log(&mut self, most: usize) -> Result<Vec<LogEntry>, BmcError> {
        match self {
            Self::Redfish(redfish) => redfish.log(most).await,
            Self::Ipmi(ipmi) => ipmi.log(most).await,
        }
    }

    /// What changes when its event log does, where that costs less than to read it.
    pub async fn log_stamp(&mut self) -> Result<Option<String>, BmcError> {
        match self {
            Self::Redfish(_) => Ok(None),
            Self::Ipmi(ipmi) => ipmi.log_stamp().await.map(Some),
        }
    }

    /// Gives the session back: BMCs have few.
    pub async fn close(self) {
        match self {
            Self::Redfish(redfish) => redfish.close().await,
            Self::Ipmi(ipmi) => ipmi.close().await,
        }
    }
}

/// The address of a BMC.
async fn lookup(spec: &BmcSpec) -> Result<SocketAddr, BmcError> {
    let (host, port) = (spec.address.host(), spec.address.port().unwrap_or(spec.protocol.port()));
    let unknown = |why: String| BmcError::Away(format!("{host} is not found: {why}"));
    let mut found =
        tokio::net::lookup_host((host, port)).await.map_err(|error| unknown(error.to_string()))?;
    found.next().ok_or_else(|| unknown("it has no address".to_owned()))
}
