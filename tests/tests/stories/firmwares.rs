//! Whole machines of other makes and places: UEFI that boots by HTTP, UEFI with iPXE in the card, two cards, behind a relay, and
//! beside another DHCP server. Each ends `active`.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use pilotlight_tests::rack::{Firmware, Machine, Namespace, accel};
use pilotlight_types::api::{self, Phase};
use serde_json::{Value, json};

use crate::boot::{patience, site, start};
use crate::net::Net;
use crate::proxy::{Dnsmasq, OTHER, proxied};
use crate::rig::{document, skipped, subnet};

/// A machine with a NIC, declared by what is in `spec`.
fn declared(name: &str, spec: Value) -> Value {
    document("Machine", name, spec)
}

async fn active(
    net: &Net,
    name: &str,
    machine: &Machine,
    within: Duration,
) -> Result<(api::Machine, api::Boot)> {
    let found =
        net.rig.admin.wait_for(name, "active", within).await.with_context(|| machine.console().tail(30))?;
    let boot = found.boot.clone().context("there is no boot")?;
    Ok((found, boot))
}

fn told(boot: &api::Boot, phase: Phase) -> Option<&str> {
    boot.phase(phase)?.detail.as_deref()
}

#[tokio::test]
async fn machines_of_every_make_of_firmware_become_active() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let accel = accel::choose()?.accel;
    let macs = ["52:54:00:77:01:01", "52:54:00:77:01:02", "52:54:00:77:01:03", "52:54:00:77:01:13"];
    let mut documents = site(&[])?;
    documents.extend([
        declared("http", json!({"macs": [macs[0]]})),
        declared("rom", json!({"macs": [macs[1]]})),
        // The inventory knows its other card only as its second.
        declared("two", json!({"macs": [macs[3], macs[2]]})),
    ]);
    let net = start("itmakes", &documents, |builder| builder).await?;
    let build = |name: &str, firmware, mac: &str| {
        Ok::<_, anyhow::Error>(Machine::builder(name, accel, firmware, mac.parse()?).memory_mib(768))
    };
    let folder = net.rig.folder.path();
    let mut http = build("http", Firmware::UefiHttp, macs[0])?.build(&net.rack, folder)?;
    let mut rom = build("rom", Firmware::UefiIpxeRom, macs[1])?.build(&net.rack, folder)?;
    let mut two = build("two", Firmware::Bios, macs[2])?.nic(macs[3].parse()?).build(&net.rack, folder)?;
    for machine in [&mut http, &mut rom, &mut two] {
        machine.power_on()?;
    }
    let within = patience(accel) * 2;

    let (_, boot) = active(&net, "two", &two, within).await?;
    assert_eq!(boot.mac, macs[2].parse()?, "it boots from the first card");
    let (found, _) = active(&net, "two", &two, within).await?;
    let facts = found.facts.context("there are no facts")?;
    let booted: Vec<String> =
        facts.nics.iter().filter(|nic| nic.booted).map(|nic| nic.mac.to_string()).collect();
    assert_eq!(booted, [macs[2]], "and its system knows from which");
    assert!(facts.nics.iter().any(|nic| nic.mac.to_string() == macs[3]));

    let (_, boot) = active(&net, "rom", &rom, within).await?;
    assert_eq!(told(&boot, Phase::BootProgram), None, "the iPXE in the card is good enough");

    let (_, boot) = active(&net, "http", &http, within).await?;
    assert_eq!(told(&boot, Phase::BootProgram), Some("snponly.efi"));
    let log = net.rig.daemon.log();
    assert!(!log.contains("TFTP: snponly.efi"), "not by TFTP");
    Ok(())
}

#[tokio::test]
async fn a_machine_behind_a_relay_becomes_active() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let accel = accel::choose()?.accel;
    let mac = "52:54:00:77:02:01";
    let mut documents = site(&[])?;
    documents.extend([subnet("far", "10.78.0", "ignore"), declared("far1", json!({"macs": [mac]}))]);
    let net = start("itrelay", &documents, |builder| builder).await?;
    let far = Namespace::create("itrelayfar", None)?;
    let relay = net.rack.relay("relay", "10.77.0.2/24".parse()?, &far, "10.78.0.1/24".parse()?)?;
    let mut agent = relay
        .command("dhcrelay")
        .args(["-4", "-d", "-a", "-m", "append", "-iu", "eth0", "-id", "eth1", "10.77.0.1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("dhcrelay cannot be started: apt-get install isc-dhcp-relay")?;
    let mut machine = Machine::builder("far1", accel, Firmware::Uefi, mac.parse()?)
        .memory_mib(768)
        .build(&far, net.rig.folder.path())?;
    machine.power_on()?;
    let reached = active(&net, "far1", &machine, patience(accel) * 2).await;
    machine.power_off()?;
    agent.kill()?;
    agent.wait()?;
    let (_, boot) = reached?;
    let far = |address: std::net::IpAddr| address.to_string().starts_with("10.78.0.");
    assert!(boot.address.is_some_and(far), "{:?}", boot.address);
    assert_eq!(told(&boot, Phase::BootProgram), Some("snponly.efi"));
    Ok(())
}

#[tokio::test]
async fn machines_whose_addresses_are_another_servers_become_active() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let accel = accel::choose()?.accel;
    let macs = ["52:54:00:77:03:01", "52:54:00:77:03:02"];
    let mut documents = site(&[])?;
    documents[0] = proxied();
    documents
        .extend([declared("ovmf", json!({"macs": [macs[0]]})), declared("rom", json!({"macs": [macs[1]]}))]);
    let net = start("itproxy", &documents, |builder| builder).await?;
    let folder = net.rig.folder.path();
    let other = net.rack.host("dnsmasq", Some(format!("{OTHER}/24").parse()?))?;
    let _dnsmasq = Dnsmasq::start(other.command("dnsmasq"), "eth0", folder)?;
    let build = |name: &str, firmware, mac: &str| {
        let machine = Machine::builder(name, accel, firmware, mac.parse()?).memory_mib(768);
        machine.build(&net.rack, folder)
    };
    let mut ovmf = build("ovmf", Firmware::Uefi, macs[0])?;
    let mut rom = build("rom", Firmware::Bios, macs[1])?;
    for machine in [&mut ovmf, &mut rom] {
        machine.power_on()?;
    }
    let (_, boot) = active(&net, "rom", &rom, patience(accel) * 2).await?;
    assert_eq!(told(&boot, Phase::BootProgram), None);
    let (_, boot) = active(&net, "ovmf", &ovmf, patience(accel) * 2).await?;
    assert_eq!(told(&boot, Phase::BootProgram), Some("snponly.efi"));
    // The addresses are the other's: we leased none.
    let leases = net.counted("pilotlight_leases_held{subnet=\"rack\"}").await?;
    assert_eq!(leases, 0);
    Ok(())
}
