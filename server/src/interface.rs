//! What the kernel says of a network interface.
use nix::{
    ifaddrs::{InterfaceAddress, getifaddrs},
    net::if_::if_nametoindex,
    sys::socket::LinkAddr,
};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Why an interface cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// There is none of that name.
    #[error("there is no network interface `{0}`: `ip link` lists those that there are")]
    Missing(String),
    /// The kernel does not say.
    #[error("cannot list the network interfaces")]
    List(#[source] io::Error),
}

/// An interface's IPv4 addresses, the primary one first; none, if it has none yet.
pub fn addresses(interface: &str) -> Result<Vec<Ipv4Addr>, InterfaceError> {
    let of_it = entries(interface)?;
    Ok(of_it.iter().filter_map(|entry| Some(entry.address.as_ref()?.as_sockaddr_in()?.ip())).collect())
}

/// An interface's IPv6 addresses that reach beyond its link.
pub fn addresses6(interface: &str) -> Result<Vec<Ipv6Addr>, InterfaceError> {
    let of_it = entries(interface)?;
    let all = of_it.iter().filter_map(|entry| Some(entry.address.as_ref()?.as_sockaddr_in6()?.ip()));
    Ok(all.filter(|address| !address.is_unicast_link_local() && !address.is_loopback()).collect())
}

/// Its index and hardware address, as the address of a raw socket. `None` if the interface has no Ethernet
/// addresses.
pub fn link(interface: &str) -> Result<Option<LinkAddr>, InterfaceError> {
    const ETHERNET: u16 = 1; // ARPHRD_ETHER
    let of_it = entries(interface)?;
    let link = of_it.iter().find_map(|entry| entry.address.as_ref()?.as_link_addr().copied());
    Ok(link.filter(|link| link.hatype() == ETHERNET && link.halen() == 6))
}

/// Its index, which changes when an interface is deleted and made again.
pub fn index(interface: &str) -> Option<u32> {
    if_nametoindex(interface).ok()
}

/// Its speed in Mbit/s, where its driver says one.
pub fn speed(interface: &str) -> Option<u32> {
    let said = std::fs::read_to_string(format!("/sys/class/net/{interface}/speed")).ok()?;
    // A driver that does not know says -1, and some say 2^32 - 1.
    said.trim().parse::<u32>().ok().filter(|mbit| (1..=1_000_000).contains(mbit))
}

fn entries(interface: &str) -> Result<Vec<InterfaceAddress>, InterfaceError> {
    let all = getifaddrs().map_err(|error| InterfaceError::List(error.into()))?;
    let of_it: Vec<_> = all.filter(|entry| entry.interface_name == interface).collect();
    if of_it.is_empty() { Err(InterfaceError::Missing(interface.to_owned())) } else { Ok(of_it) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_its_address_and_no_ethernet() {
        assert_eq!(addresses("lo").unwrap().first(), Some(&Ipv4Addr::LOCALHOST));
        assert_eq!(addresses6("lo").unwrap(), [Ipv6Addr::LOCALHOST; 0]);
        assert_eq!(link("lo").unwrap(), None);
        assert!(index("lo").is_some());
        assert_eq!(speed("lo"), None);
    }

    #[test]
    fn a_missing_interface_is_named() {
        let error = addresses("none0").unwrap_err();
        assert!(error.to_string().contains("`none0`"), "{error}");
        assert_eq!(index("none0"), None);
    }
}
