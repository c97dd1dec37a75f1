//! Where machines reach this server: the URLs that they are told.
use pilotlight_types::Mac;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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
    /// The address that a client is told that asked `local`. One to be advertised counts for clients of its own family.
    pub fn address(&self, local: IpAddr) -> IpAddr {
        self.advertise.filter(|address| address.is_ipv4() == local.is_ipv4()).unwrap_or(local)
    }

    /// The base URL for scripts and files, for a client that asked `local`.
    pub fn http(&self, local: IpAddr) -> String {
        format!("http://{}", SocketAddr::new(self.address(local), self.http))
    }

    /// The base URL for configs and agents.
    pub fn https(&self, local: IpAddr) -> String {
        format!("https://{}", SocketAddr::new(self.address(local), self.https))
    }

    /// Where firmware fetches a boot program by TFTP (RFC 3617).
    pub fn tftp(&self, local: IpAddr, file: &str) -> String {
        match self.address(local) {
            IpAddr::V6(address) => format!("tftp://[{address}]/{file}"),
            IpAddr::V4(address) => format!("tftp://{address}/{file}"),
        }
    }

    /// Where iPXE is to send what it says, if anywhere: it knows addresses of IPv4 only.
    pub fn syslog(&self, local: IpAddr) -> Option<Ipv4Addr> {
        match self.address(local).to_canonical() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_brackets_around_addresses_of_ipv6_and_the_clients_own_family() {
        let (v4, v6): (IpAddr, IpAddr) = ("10.77.0.1".parse().unwrap(), "2001:db8:77::1".parse().unwrap());
        let ports = Ports { advertise: None, http: 8080, https: 8443, syslog: true };
        assert_eq!(ports.http(v4), "http://10.77.0.1:8080");
        assert_eq!(ports.http(v6), "http://[2001:db8:77::1]:8080");
        assert_eq!(ports.https(v6), "https://[2001:db8:77::1]:8443");
        assert_eq!(ports.tftp(v6, "ipxe.efi"), "tftp://[2001:db8:77::1]/ipxe.efi");
        assert_eq!(ports.tftp(v4, "ipxe.efi"), "tftp://10.77.0.1/ipxe.efi");
        let other = Ports { advertise: Some("10.9.9.9".parse().unwrap()), ..ports };
        assert_eq!((other.address(v4).to_string(), other.address(v6)), ("10.9.9.9".into(), v6));
        assert_eq!((ports.syslog(v4).is_some(), ports.syslog(v6)), (true, None));
    }
}
