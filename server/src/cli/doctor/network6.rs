//! The network as machines that boot over IPv6 see it, where `dhcp.ipv6` is on.
use super::Check;
use crate::{
    cli::probe::{
        machine::{Firmware, Machine, Program},
        six::{
            message::{ADVERTISE, SOLICIT},
            verdict6::Answer6,
            wire6::Wire6,
        },
    },
    config::Settings,
    dhcp6::socket::Socket,
    errors, interface,
};
use std::{
    collections::BTreeMap,
    net::{Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// How long other servers have for their adverts.
const ADVERTS: Duration = Duration::from_secs(3);

/// The sockets that machines reach us at, then each interface.
pub(super) fn interfaces(settings: &Settings, runs: bool) -> Vec<Check> {
    let mut checks = listening(settings);
    let there = settings.dhcp_interfaces.iter().filter(|name| interface::index(name).is_some());
    for name in there {
        checks.push(address(name));
        if !runs {
            checks.push(match Socket::bind(name) {
                Ok(_) => Check::ok("dhcp6-port", format!("UDP 547 on {name} is free")),
                Err(error) => Check::fail("dhcp6-port", errors::chain(&error), "or see dhcp.ipv6"),
            });
        }
    }
    checks
}

/// Files that are served to addresses of IPv4 alone do not reach these machines.
fn listening(settings: &Settings) -> Vec<Check> {
    let all: [(&str, SocketAddr); 3] =
        [("http", settings.http), ("https", settings.https), ("tftp", settings.tftp)];
    let of_ipv4 = all.into_iter().filter(|(_, address)| address.is_ipv4());
    of_ipv4
        .map(|(key, address)| {
            Check::fail(
                "listen6",
                format!("{key}.listen is {address}: machines that boot over IPv6 do not reach it"),
                format!(
                    "set {key}.listen to [::]:{}, which is every address of both families",
                    address.port()
                ),
            )
        })
        .collect()
}

/// Whether the interface has an address that machines can be told.
fn address(name: &str) -> Check {
    const CHECK: &str = "address6";
    match interface::addresses6(name) {
        Ok(all) if all.is_empty() => Check::fail(
            CHECK,
            format!("{name} has no IPv6 address but its link-local one"),
            format!(
                "give it one of the subnet's cidr6, such as `ip -6 addr add 2001:db8:77::1/64 dev {name}`, or set \
                 dhcp.ipv6 to false"
            ),
        ),
        Ok(all) => {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            Check::ok(CHECK, format!("{name} has {}", all.join(", ")))
        }
        Err(error) => Check::fail(CHECK, errors::chain(&error), "see dhcp.interfaces"),
    }
}

/// Who else answers DHCPv6 on our interfaces. This host does not hear its own question.
pub(super) async fn others(settings: &Settings) -> Vec<Check> {
    let there = settings.dhcp_interfaces.iter().filter(|name| interface::index(name).is_some());
    futures_util::future::join_all(there.map(|name| others_on(name))).await
}

async fn others_on(name: &str) -> Check {
    const CHECK: &str = "other-dhcp6";
    let adverts = match adverts(name).await {
        Ok(adverts) => adverts,
        Err(error) => {
            let seen = format!("{name}: nobody could be asked: {error:#}");
            return Check::warn(CHECK, seen, "bring it up, or run doctor as root (CAP_NET_RAW)");
        }
    };
    if adverts.is_empty() {
        return Check::ok(CHECK, format!("{name}: nobody else advertises anything"));
    }
    let who: Vec<String> = adverts
        .iter()
        .map(|(from, advert)| match (advert.address(), advert.packet.boot_file()) {
            (Some(address), Some(url)) => {
                format!("{from} advertises {address} and boots `{}`", url.escape_debug())
            }
            (Some(address), None) => format!("{from} advertises {address}"),
            (None, _) => format!("{from} answers without an address"),
        })
        .collect();
    Check::warn(
        CHECK,
        format!("{name}: {}", who.join("; ")),
        "take that DHCPv6 server off this network: machines take the address of either",
    )
}

/// The adverts of others, one of each server. Nothing is asked for in the end, so nothing is taken.
async fn adverts(name: &str) -> anyhow::Result<BTreeMap<Ipv6Addr, Answer6>> {
    // The interface's own MAC, for a network card takes no answers to another; but a machine that nobody has seen.
    let wire = Wire6::open(name, None)?;
    let uuid = Uuid::from_bytes(rand::random());
    let machine = Machine { mac: wire.mac(), uuid, firmware: Firmware::EfiX64, broadcast: false };
    let transaction = rand::random();
    wire.send(&machine.message6(Program::Firmware, SOLICIT, transaction, None, None)?)?;
    let deadline = Instant::now() + ADVERTS;
    let mut adverts = BTreeMap::new();
    while let Some(received) = wire.reply(transaction, deadline).await? {
        if received.packet.kind == ADVERTISE {
            let answer = Answer6 { from: received.from, packet: received.packet };
            adverts.entry(*answer.from.ip()).or_insert(answer);
        }
    }
    Ok(adverts)
}
