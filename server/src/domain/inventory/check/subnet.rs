//! Whether a subnet makes sense.
use super::{Findings, check_options, firmware};
use crate::domain::inventory::Inventory;
use ipnet::Ipv4Net;
use pilotlight_types::resource::{Name, SubnetMode, SubnetSpec};

pub(super) fn check(inventory: &Inventory, name: &Name, spec: &SubnetSpec, found: &mut Findings) {
    firmware::check_named(inventory, spec.firmware.as_ref(), found);
    let net = spec.cidr;
    if net.addr() != net.network() {
        found.error("spec.cidr", format!("{} is a host's address; the network is {}", net, net.trunc()));
    }
    if !(8..=30).contains(&net.prefix_len()) {
        found.error("spec.cidr", "a subnet has a prefix of 8 to 30 bits");
    }
    for (other_name, other) in inventory.subnets.iter().filter(|(other, _)| *other != name) {
        let theirs: Ipv4Net = other.spec.cidr;
        if theirs.contains(&net) || net.contains(&theirs) {
            found.error("spec.cidr", format!("{net} overlaps {theirs} of subnet {other_name}"));
        }
    }
    for (index, range) in spec.ranges.iter().enumerate() {
        let path = format!("spec.ranges[{index}]");
        if !net.contains(&range.first()) || !net.contains(&range.last()) {
            found.error(path, format!("{range} is not inside {net}"));
        } else if range.contains(net.network()) || range.contains(net.broadcast()) {
            found.error(path, format!("{range} holds the network's own or its broadcast address"));
        } else if let Some(other) = spec.ranges.iter().take(index).find(|other| other.overlaps(*range)) {
            found.error(path, format!("{range} overlaps {other}"));
        }
    }
    for (index, range) in spec.exclude.iter().enumerate() {
        if !net.contains(&range.first()) || !net.contains(&range.last()) {
            found.error(format!("spec.exclude[{index}]"), format!("{range} is not inside {net}"));
        }
    }
    if let Some(gateway) = spec.gateway
        && !net.contains(&gateway)
    {
        found.error("spec.gateway", format!("{gateway} is not inside {net}"));
    }
    if !(60..=604_800).contains(&spec.lease.as_secs()) {
        found.error("spec.lease", format!("a lease lasts from 60s to 7d, not {}", spec.lease));
    }
    if !(30..=86_400).contains(&spec.boot_lease.as_secs()) {
        found.error(
            "spec.bootLease",
            format!("firmware's lease lasts from 30s to 1d, not {}", spec.boot_lease),
        );
    }
    if spec.mode == SubnetMode::Proxy && !spec.ranges.is_empty() {
        found.warnings.push("in the mode `proxy` no address is given: the ranges are of no use".into());
    }
    super::ipv6::check_subnet(inventory, name, spec, found);
    check_options(&spec.options, found);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if spec
        .domain
        .as_ref()
        .is_some_and(|domain| domain.is_empty() || domain.len() > 253 || !domain.chars().all(plain))
    {
        found.error("spec.domain", "a domain name is up to 253 letters, digits, dots and hyphens");
    }
}
