//! Where machines reach this server: the URLs that they are told.
use pilotlight_types::Mac;
use std::net::{IpAddr, Ipv4Addr};
use uuid::Uuid;

/// How iPXE is asked for its machine's serial number: it fills it in, with everything escaped that would end the value.
pub const SERIAL: &str = "&serial=${serial:uristring}";

/// Where machines reach this server.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// The address that machines are told, when it is not the one that they asked.
    pub advertise: Option<IpAddr>,
    /// The port of `[http]`.
    pub http: u16,
    /// The port of `[https]`.
    pub https: u16,
    /// Whether syslog is received at its usual port.
    pub syslog: bool,
}

impl Ports {
    /// The base URL for scripts and files, for a client that asked `local`.
    pub fn http(&self, local: IpAddr) -> String {
        format!("http://{}:{}", self.advertise.unwrap_or(local), self.http)
    }

    /// The base URL for configs and agents.
    pub fn https(&self, local: IpAddr) -> String {
        format!("https://{}:{}", self.advertise.unwrap_or(local), self.https)
    }

    /// Where iPXE is to send what it says, if anywhere: it knows addresses of IPv4 only.
    pub fn syslog(&self, local: IpAddr) -> Option<Ipv4Addr> {
        match self.advertise.unwrap_or(local).to_canonical() {
            IpAddr::V4(address) if self.syslog => Some(address),
            _ => None,
        }
    }

    /// Where iPXE asks for its script. It puts the serial number there itself: no DHCP packet has it.
    pub fn script(&self, local: IpAddr, mac: Mac, uuid: Option<Uuid>) -> String {
        let uuid = uuid.map(|uuid| format!("&uuid={uuid}")).unwrap_or_default();
        format!("{}/boot/ipxe?mac={}{uuid}{SERIAL}", self.http(local), mac.hyphenated())
    }
}
