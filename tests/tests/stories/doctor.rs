//! `pilotlight doctor`: on a host before the daemon runs, and beside one that does.

use std::net::UdpSocket;
use std::process::Output;

use anyhow::{Context, Result};
use pilotlight_tests::daemon::pilotlight;
use serde_json::Value;

use crate::net::Net;
use crate::net6::{host6, rack6, start6, subnet6};
use crate::probe::Dnsmasq;
use crate::rig::{skipped, subnet};

/// Runs the doctor beside the daemon of a network, with its settings.
fn doctor(net: &Net, arguments: &[&str]) -> Result<(Output, Value)> {
    let config = net.rig.folder.path().join("pilotlight.toml");
    let mut command = net.rack.command(&pilotlight()?.display().to_string());
    command.args(["doctor", "-o", "json", "--config"]).arg(config).args(arguments);
    let output = command.output()?;
    let found = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no JSON: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok((output, found))
}

/// What was found of a thing: each status, and what was seen.
fn found<'a>(findings: &'a Value, check: &str) -> Vec<(&'a str, &'a str)> {
    let checks = findings["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &'a Value| value.as_str().unwrap_or_default();
    checks
        .iter()
        .filter(|one| one["check"] == check)
        .map(|one| (text(&one["status"]), text(&one["seen"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_looked_at_before_its_daemon_runs_and_while_it_does() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let mut net = Net::start("pldoctor", &[subnet("rack", "10.77.0", "discover")]).await?;
    let (output, running) = doctor(&net, &[])?;
    assert!(output.status.success(), "{running:#}");
    for (check, count, part) in [
        ("config", 1, "good"),
        ("data-dir", 1, "can be written"),
        ("database", 1, "SQLite"),
        ("capabilities", 1, "raw sockets are allowed"),
        ("interface", 1, ", MTU 1500"),
        ("address", 1, "br0 has 10.77.0.1"),
        ("boot-program", 2, "/"),
        ("https", 1, "https://10.77.0.1:8443/readyz: ready"),
        ("http", 1, "http://10.77.0.1:8080/boot/files/undionly.kpxe"),
        ("tftp", 1, "tftp://10.77.0.1:69/undionly.kpxe"),
        ("other-dhcp", 1, "nobody else offers anything"),
        ("dhcp-port", 0, ""),
    ] {
        let all = found(&running, check);
        assert!(all.len() >= count && (count > 0 || all.is_empty()), "{check}: {running:#}");
        assert!(all.iter().all(|(status, seen)| *status == "ok" && seen.contains(part)), "{check}: {all:?}");
    }

    net.rig.daemon.kill()?;
    let (output, stopped) = doctor(&net, &[])?;
    assert!(output.status.success(), "{stopped:#}");
    for check in ["dhcp-port", "http.listen", "https.listen", "tftp.listen"] {
        let all = found(&stopped, check);
        assert!(all.len() == 1 && all[0].0 == "ok" && all[0].1.contains("is free"), "{check}: {all:?}");
    }
    assert!(found(&stopped, "https").is_empty());

    // Something else has a port, and an interface is missing: all of it is said, and the exit code says so too.
    let taken = net.rack.inside(|| UdpSocket::bind("0.0.0.0:69"))??;
    let (output, bad) = doctor(&net, &["--dhcp-interfaces", "br0,none0", "--ipxe-dir", "/nowhere"])?;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(bad["good"], false);
    assert_eq!(found(&bad, "tftp.listen")[0].0, "fail");
    assert!(
        found(&bad, "interface").iter().any(|(s, seen)| *s == "fail" && seen.contains("`none0`")),
        "{bad:#}"
    );
    assert!(
        found(&bad, "boot-program").iter().filter(|(status, _)| *status == "fail").count() >= 2,
        "{bad:#}"
    );
    drop(taken);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_else_answers_and_which_relays_are_there_is_found_out() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("pldoctors", &[subnet("rack", "10.77.0", "discover")]).await?;
    let other = net.rack.host("other", Some("10.77.0.7/24".parse()?))?;
    let _dnsmasq = Dnsmasq::start(&other, &["--dhcp-range=10.77.0.210,10.77.0.220,255.255.255.0,10m"])?;
    // It takes a moment to start; and a ping of its own before each offer.
    let mut found_other = Value::Null;
    for _ in 0..5 {
        found_other = doctor(&net, &[])?.1;
        if found(&found_other, "other-dhcp")[0].0 == "warn" {
            break;
        }
    }
    let seen = found(&found_other, "other-dhcp")[0].1;
    assert!(seen.contains("br0: 10.77.0.7 offers 10.77.0.2"), "{seen}");

    let relay = net.rack.host("relay", Some("10.77.0.8/24".parse()?))?;
    let (output, none) = doctor(&net, &["--relay", "10.77.0.8"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(found(&none, "relay")[0].1.contains("nobody has its UDP port 67"), "{none:#}");
    let _listens = relay.inside(|| UdpSocket::bind("0.0.0.0:67"))??;
    let (output, there) = doctor(&net, &["--relay", "10.77.0.8", "--relay", "10.77.0.99"])?;
    let relays = found(&there, "relay");
    assert!(relays[0].0 == "ok" && relays[0].1.contains("10.77.0.8 answers a ping in "), "{relays:?}");
    assert!(relays[1].0 != "ok" && relays[1].1.contains("10.77.0.99"), "{relays:?}");
    assert!(output.status.code() == Some(i32::from(relays[1].0 == "fail")), "{there:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_machines_boot_over_ipv6_that_side_is_looked_at_too() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let mut net = start6(rack6("pldoctorsix").await?, &[subnet6("discover")], |builder| builder).await?;
    let (output, running) = doctor(&net, &[])?;
    assert!(output.status.success(), "{running:#}");
    for (check, part) in [
        ("address6", "br0 has 2001:db8:77::1"),
        ("other-dhcp6", "br0: nobody else advertises anything"),
        ("https", "https://[2001:db8:77::1]:8443/readyz: ready"),
        ("http", "http://[2001:db8:77::1]:8080/boot/files/undionly.kpxe"),
        ("tftp", "tftp://[2001:db8:77::1]:69/undionly.kpxe"),
    ] {
        let all = found(&running, check);
        let good = all.iter().any(|(status, seen)| *status == "ok" && seen.contains(part));
        assert!(good, "{check}: `{part}` is not in {all:?}");
    }
    assert!(found(&running, "dhcp6-port").is_empty(), "it is the daemon's");

    // Another server on the wire, a real one.
    let other = host6(&net.rack, "other", "02:00:00:00:0d:07").await?;
    other.ip("addr add 2001:db8:77::7/64 dev eth0 nodad")?;
    let range = "--dhcp-range=2001:db8:77::d0,2001:db8:77::df,64,10m";
    let dnsmasq = Dnsmasq::start(&other, &[range, "--dhcp-authoritative"])?;
    let mut found_other = Value::Null;
    for _ in 0..5 {
        found_other = doctor(&net, &[])?.1;
        if found(&found_other, "other-dhcp6")[0].0 == "warn" {
            break;
        }
    }
    let seen = found(&found_other, "other-dhcp6")[0].1;
    assert!(seen.contains("br0: fe80::ff:fe00:d07 advertises 2001:db8:77::d"), "{seen}");
    drop(dnsmasq);

    net.rig.daemon.kill()?;
    let (output, stopped) = doctor(&net, &[])?;
    assert!(output.status.success(), "{stopped:#}");
    assert_eq!(found(&stopped, "dhcp6-port"), [("ok", "UDP 547 on br0 is free")]);

    // The port is taken, the address is gone, and files are for IPv4 alone.
    let taken = net.rack.inside(|| UdpSocket::bind("[::]:547"))??;
    net.rack.ip("addr del 2001:db8:77::1/64 dev br0")?;
    let (output, bad) = doctor(&net, &["--tftp-listen", "0.0.0.0:69"])?;
    assert_eq!(output.status.code(), Some(1));
    for (check, part) in [
        ("dhcp6-port", "UDP port 547 on br0 is in use"),
        ("address6", "br0 has no IPv6 address but its link-local one"),
        ("listen6", "tftp.listen is 0.0.0.0:69: machines that boot over IPv6 do not reach it"),
    ] {
        let all = found(&bad, check);
        assert!(all.len() == 1 && all[0].0 == "fail" && all[0].1.contains(part), "{check}: {all:?}");
    }
    drop(taken);
    Ok(())
}
