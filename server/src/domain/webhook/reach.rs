//! Where webhooks may lead. Who writes one has the daemon send requests from where it is, and that may be a place that trusts it: its own
//! loopback, or the metadata service of a cloud, which hands out credentials to whoever asks.
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// What the configuration allows beside what everybody may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Networks that may be reached in any case.
    pub networks: Vec<IpNet>,
    /// Names of hosts that may be reached whatever their address is, in lower case.
    pub hosts: Vec<String>,
}

/// Metadata services outside of the link-local networks: AWS over IPv6, Alibaba Cloud, Oracle Cloud.
const METADATA: [IpAddr; 3] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

impl Reach {
    /// Fails if nothing may be sent to that address of that host.
    pub fn permits(&self, host: &str, address: IpAddr) -> Result<(), String> {
        let shown = address;
        let address = meant(address);
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if self.hosts.contains(&host) || self.networks.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        match what(address) {
            None => Ok(()),
            Some(what) => Err(format!(
                "nothing is sent to {shown}, {what}, unless `webhooks.allow` in the configuration has it"
            )),
        }
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped (RFC 4291 section 2.5.5.2), by NAT64 (RFC 6052 section 2.1) or by 6to4
/// (RFC 3056 section 2).
fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address.to_canonical() else { return address.to_canonical() };
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match six.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        // "IPv4-compatible" (RFC 4291 section 2.5.5.1), but for `::` and `::1`.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => four(high, low),
        _ => IpAddr::V6(six),
    }
}

/// What kind of address nobody sends events to, if it is one.
fn what(address: IpAddr) -> Option<&'static str> {
    if METADATA.contains(&address) {
        return Some("the metadata service of a cloud");
    }
    match address {
        IpAddr::V4(v4) if v4.is_loopback() => Some("the daemon's own host"),
        IpAddr::V4(v4) if v4.is_link_local() => Some("a link-local address, as metadata services have"),
        IpAddr::V4(v4) if v4.octets().first() == Some(&0) => Some("no host's address"),
        IpAddr::V4(v4) if v4.is_multicast() || v4.is_broadcast() => Some("no single host's address"),
        IpAddr::V6(v6) if v6.is_loopback() => Some("the daemon's own host"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address"),
        IpAddr::V6(v6) if v6.is_unspecified() => Some("no host's address"),
        IpAddr::V6(v6) if v6.is_multicast() => Some("no single host's address"),
        _ => None,
    }
}

/// The URL of a webhook, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The URL, as it is asked for.
    pub url: Url,
    /// The address, where the URL has one in the place of a name.
    pub address: Option<IpAddr>,
}

/// The longest URL, in bytes.
const LONGEST: usize = 2048;

/// Reads the URL of a webhook. It may be a secret: what is wrong with it is said without it.
pub fn target(text: &str) -> Result<Target, &'static str> {
    if text.len() > LONGEST {
        return Err("a URL of up to 2048 bytes is expected");
    }
    let url = Url::parse(text).map_err(|_| "a URL such as https://hooks.example/pilotlight is expected")?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("https://… or http://… is expected");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL has no name and password here: `headers` may have an `authorization`");
    }
    if url.fragment().is_some() {
        return Err("what follows `#` is never sent: a URL without it is expected");
    }
    let address = match url.host() {
        None => return Err("a URL with a host is expected"),
        Some(Host::Domain(_)) => None,
        Some(Host::Ipv4(four)) => Some(IpAddr::V4(four)),
        Some(Host::Ipv6(six)) => Some(IpAddr::V6(six)),
    };
    Ok(Target { url, address })
}
