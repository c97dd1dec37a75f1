//! Whether what a subnet and a machine say of IPv6 makes sense.
use super::{
    Findings,
    machine::{advice, others},
};
use crate::domain::{inventory::Inventory, machine::Machine};
use pilotlight_types::resource::{MachineSpec, Name, SubnetMode, SubnetSpec};
use std::sync::Arc;

pub(super) fn check_subnet(inventory: &Inventory, name: &Name, spec: &SubnetSpec, found: &mut Findings) {
    let Some(net) = spec.cidr6 else {
        for (path, there) in
            [("spec.ranges6", !spec.ranges6.is_empty()), ("spec.dns6", !spec.dns6.is_empty())]
        {
            if there {
                found.error(path, "without `cidr6` the subnet has no IPv6");
            }
        }
        return;
    };
    if net.addr() != net.network() {
        found.error("spec.cidr6", format!("{net} is a host's address; the network is {}", net.trunc()));
    }
    if !(48..=120).contains(&net.prefix_len()) {
        found.error("spec.cidr6", "an IPv6 subnet has a prefix of 48 to 120 bits");
    }
    let first = net.network();
    if first.is_multicast() || first.is_unicast_link_local() || first.is_unspecified() || first.is_loopback()
    {
        found.error("spec.cidr6", format!("{net} has no addresses that a lease could be of"));
    }
    for (other_name, other) in inventory.subnets.iter().filter(|(other, _)| *other != name) {
        if let Some(theirs) = other.spec.cidr6
            && (theirs.contains(&net) || net.contains(&theirs))
        {
            found.error("spec.cidr6", format!("{net} overlaps {theirs} of subnet {other_name}"));
        }
    }
    for (index, range) in spec.ranges6.iter().enumerate() {
        let path = format!("spec.ranges6[{index}]");
        if !net.contains(&range.first()) || !net.contains(&range.last()) {
            found.error(path, format!("{range} is not inside {net}"));
        } else if range.contains(net.network()) {
            // The routers' own anycast address (RFC 4291 section 2.6.1).
            found.error(path, format!("{range} holds {}, which is every router's", net.network()));
        } else if let Some(other) = spec.ranges6.iter().take(index).find(|other| other.overlaps(*range)) {
            found.error(path, format!("{range} overlaps {other}"));
        }
    }
    if spec.mode != SubnetMode::Authoritative {
        found.warnings.push("DHCPv6 is answered in the mode `authoritative` only".into());
    }
}

pub(super) fn check_machine(
    inventory: &Inventory,
    contested: &[&Arc<Machine>],
    name: &Name,
    spec: &MachineSpec,
    found: &mut Findings,
) {
    let Some(ip) = spec.ip6 else { return };
    if let Some(other) = others(contested, name).find(|other| other.spec.ip6 == Some(ip)) {
        found.error("spec.ip6", format!("{ip} is machine {}'s already{}", other.name, advice(other)));
    }
    match inventory.subnet_of(ip) {
        None => found.error("spec.ip6", format!("{ip} is in no subnet's `cidr6`")),
        Some((subnet, declared)) => {
            if declared.spec.cidr6.is_some_and(|net| net.network() == ip) {
                found.error("spec.ip6", format!("{ip} is that of every router on subnet {subnet}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{document, right, subnet, wrong};
    use pilotlight_types::resource::Kind;
    use serde_json::json;

    #[test]
    fn an_ipv6_network_and_its_ranges_fit_together() {
        let range = "2001:db8::1000-2001:db8::1fff";
        let good = json!({"cidr6": "2001:db8::/64", "ranges6": [range], "dns6": ["2001:db8::1"]});
        assert_eq!(right(&[], Kind::Subnet, &subnet(&good)), [""; 0]);
        let watched = json!({"cidr6": "2001:db8::/64", "mode": "shadow"});
        assert_eq!(right(&[], Kind::Subnet, &subnet(&watched)).len(), 1);
        for (net, words) in [
            ("2001:db8::1/64", "is a host's address"),
            ("2001:db8::/127", "48 to 120"),
            ("2001:db8::/32", "48 to 120"),
            ("fe80::/64", "has no addresses"),
            ("ff02::/64", "has no addresses"),
        ] {
            wrong(&[], Kind::Subnet, &subnet(&json!({"cidr6": net})), "spec.cidr6", words);
        }
        for key in ["ranges6", "dns6"] {
            let spec = subnet(&json!({key: ["2001:db8::1"]}));
            wrong(&[], Kind::Subnet, &spec, &format!("spec.{key}"), "without `cidr6`");
        }
        for (ranges, at, words) in [
            (vec!["2001:db8:1::1"], 0, "not inside"),
            (vec!["2001:db8::-2001:db8::9"], 0, "every router's"),
            (vec!["2001:db8::1-2001:db8::9", "2001:db8::9"], 1, "overlaps 2001:db8::1-2001:db8::9"),
        ] {
            let spec = subnet(&json!({"cidr6": "2001:db8::/64", "ranges6": ranges}));
            wrong(&[], Kind::Subnet, &spec, &format!("spec.ranges6[{at}]"), words);
        }
        let other = document(
            Kind::Subnet,
            "other",
            &json!({"cidr": "10.78.0.0/24", "mode": "authoritative", "cidr6": "2001:db8::/56"}),
        );
        let inside = subnet(&json!({"cidr6": "2001:db8:0:1::/64"}));
        wrong(&[other], Kind::Subnet, &inside, "spec.cidr6", "overlaps 2001:db8::/56 of subnet other");
    }

    #[test]
    fn a_reserved_ipv6_address_is_in_a_subnet_and_one_machines() {
        let others = [
            document(Kind::Subnet, "rack", &subnet(&json!({"cidr6": "2001:db8::/64"}))),
            document(Kind::Machine, "other", &json!({"macs": ["02:00:00:00:00:02"], "ip6": "2001:db8::5"})),
        ];
        let machine = |ip: &str| json!({"macs": ["02:00:00:00:00:01"], "ip6": ip});
        assert_eq!(right(&others, Kind::Machine, &machine("2001:db8::6")), [""; 0]);
        for (ip, words) in [
            ("2001:db8::", "every router"),
            ("2001:db8:1::5", "in no subnet's"),
            ("2001:db8::5", "machine other's already"),
        ] {
            wrong(&others, Kind::Machine, &machine(ip), "spec.ip6", words);
        }
    }
}
