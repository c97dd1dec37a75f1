//! IPMI 2.0 over RMCP+ (`lanplus`): a small client of our own. Cipher suites 3 and 17 and nothing weaker, every packet authenticated and
//! encrypted, sessions closed. docs/adr/0009 says why no crate.
mod handshake;
mod keys;
mod sdr;
mod sel;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use self::{
    keys::Suite,
    session::{OpenError, Sent, Session},
    wire::Request,
};
use super::BmcError;
use crate::{domain::power::Command, secret::Secret};
use pilotlight_types::{
    api::{BootDevice, LogEntry, Sensor},
    resource::BmcSpec,
};

pub use handshake::{Handshake, HandshakeError, LONGEST, Opened};
pub use keys::Keys;
pub use keys::Suite as CipherSuite;
pub use wire::{Payload, WireError, bare, read_bare, read_sealed, sealed};

/// A BMC by IPMI.
#[derive(Debug)]
pub struct Ipmi {
    session: Session,
    suite: Suite,
    sensors: Option<Vec<sdr::Record>>,
}

/// Groups of functions (IPMI 2.0 table 5-1).
const CHASSIS: u8 = 0x00;
const SENSOR: u8 = 0x04;
const APP: u8 = 0x06;
const STORAGE: u8 = 0x0a;

/// Restarts the BMC (IPMI 2.0 section 20.2).
const COLD_RESET: u8 = 0x02;

/// Chassis commands (IPMI 2.0 section 28).
const GET_STATUS: u8 = 0x01;
const CONTROL: u8 = 0x02;
const IDENTIFY: u8 = 0x04;
const SET_BOOT: u8 = 0x08;
const GET_BOOT: u8 = 0x09;

impl Ipmi {
    pub(super) async fn connect(spec: &BmcSpec, password: &Secret<String>) -> Result<Self, BmcError> {
        let (user, key) = (spec.username.as_str(), password);
        if user.len() > LONGEST.0 || key.expose().len() > LONGEST.1 {
            let (name, word) = LONGEST;
            let why = format!("IPMI takes names of up to {name} bytes and passwords of up to {word}");
            return Err(BmcError::Auth(why));
        }
        let address = super::lookup(spec).await?;
        let wanted: &[Suite] = match spec.cipher_suite.and_then(Suite::of) {
            Some(Suite::Three) => &[Suite::Three],
            Some(Suite::Seventeen) => &[Suite::Seventeen],
            None => &[Suite::Seventeen, Suite::Three],
        };
        for suite in wanted.iter().copied() {
            match Session::open(address, (user, key), suite).await {
                Ok(session) => return Ok(Self { session, suite, sensors: None }),
                Err(OpenError::NoSuite) => {}
                Err(OpenError::Other(error)) => return Err(error),
            }
        }
        let said: Vec<String> = wanted.iter().map(|suite| suite.id().to_string()).collect();
        Err(BmcError::Unsupported(format!(
            "it offers none of the cipher suites {}; others are not authenticated or not encrypted well enough",
            said.join(", ")
        )))
    }

    pub(super) fn about(&self) -> String {
        format!("IPMI 2.0, cipher suite {}", self.suite.id())
    }

    async fn ask(&mut self, function: u8, command: u8, data: &[u8]) -> Result<Vec<u8>, BmcError> {
        self.session.ask(Request { function, command, data }, Sent::Again).await
    }

    pub(super) async fn is_on(&mut self) -> Result<bool, BmcError> {
        let status = self.ask(CHASSIS, GET_STATUS, &[]).await?;
        let state =
            status.first().ok_or_else(|| BmcError::Garbled("a chassis status without a byte".into()))?;
        Ok(state & 1 == 1)
    }

    pub(super) async fn command(&mut self, command: Command) -> Result<(), BmcError> {
        let (number, sent) = match command {
            Command::Off => (0, Sent::Again),
            Command::On => (1, Sent::Again),
            // A second reset, or a second press of the button, is another one.
            Command::Reset => (3, Sent::Once),
            Command::Soft => (5, Sent::Once),
        };
        self.session
            .ask(Request { function: CHASSIS, command: CONTROL, data: &[number] }, sent)
            .await
            .map(drop)
    }

    pub(super) async fn boot_once(&mut self, device: BootDevice) -> Result<bool, BmcError> {
        let device = match device {
            BootDevice::Pxe => 0x04,
            BootDevice::Disk => 0x08,
            BootDevice::Http => return Err(BmcError::Unsupported("IPMI has no HTTP boot".to_owned())),
        };
        // Some keep what was set only if the boot before it was acknowledged; others do not know that parameter.
        match self.ask(CHASSIS, SET_BOOT, &[0x04, 0x01, 0x01]).await {
            Ok(_) | Err(BmcError::Refused(_) | BmcError::Unsupported(_)) => {}
            Err(error) => return Err(error),
        }
        // Valid, for the next boot only, by UEFI.
        self.ask(CHASSIS, SET_BOOT, &[0x05, 0xa0, device, 0, 0, 0]).await?;
        let kept = match self.ask(CHASSIS, GET_BOOT, &[0x05, 0, 0]).await {
            Ok(kept) => kept,
            Err(BmcError::Refused(_) | BmcError::Unsupported(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        // Its version, the parameter, then what was set.
        let flags = (kept.get(2).copied(), kept.get(3).copied());
        Ok(matches!(flags, (Some(valid), Some(from)) if valid & 0x80 != 0 && from & 0x3c == device))
    }

    pub(super) async fn restart(&mut self) -> Result<(), BmcError> {
        let request = Request { function: APP, command: COLD_RESET, data: &[] };
        self.session.ask(request, Sent::Once).await.map(drop)
    }

    pub(super) async fn identify(&mut self, lit: bool) -> Result<(), BmcError> {
        if !lit {
            return self.ask(CHASSIS, IDENTIFY, &[0]).await.map(drop);
        }
        match self.ask(CHASSIS, IDENTIFY, &[0, 1]).await {
            // It cannot be lit for good: as long as it can, then.
            Err(BmcError::Refused(_)) => self.ask(CHASSIS, IDENTIFY, &[0xff]).await.map(drop),
            other => other.map(drop),
        }
    }

    pub(super) async fn sensors(&mut self) -> Result<Vec<Sensor>, BmcError> {
        let records = match self.sensors.take() {
            Some(records) => records,
            None => sdr::read(self).await?,
        };
        let mut sensors = Vec::with_capacity(records.len());
        for record in &records {
            sensors.push(sdr::sensor(self, record).await?);
        }
        self.sensors = Some(records);
        Ok(sensors)
    }

    pub(super) async fn log(&mut self, most: usize) -> Result<Vec<LogEntry>, BmcError> {
        sel::read(self, most).await
    }

    pub(super) async fn log_stamp(&mut self) -> Result<String, BmcError> {
        sel::stamp(self).await
    }

    pub(super) async fn close(self) {
        self.session.close().await;
    }
}
