//! Machines that are declared by their serial number alone: what firmware, iPXE and the agent say of themselves makes them known.

use std::time::Duration;

use anyhow::{Context, Result};
use pilotlight_tests::daemon::Builder;
use pilotlight_tests::rack::{Firmware, Machine, Smbios, accel};
use pilotlight_types::api::Phase;
use serde_json::json;

use crate::boot::{patience, site, start};
use crate::net::Net;
use crate::player::Player;
use crate::rig::{document, skipped, small_site, subnet};

const MAC: &str = "02:00:00:00:0d:01";
const SEEN: &str = "m-020000000d01";

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_known_by_the_serial_number_that_its_ipxe_tells() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.push(subnet("rack", "10.77.0", "discover"));
    documents.push(document("Machine", "n1", json!({"serial": "VMware-56 4d 1c+2f"})));
    let net = Net::start_with("plserial", &documents, Builder::with_agent).await?;
    let admin = &net.rig.admin;
    let mut player = Player::new(&net.rack, "machine", MAC, &net.rig.daemon.ca()?)?;

    // Boards that say nothing are no machine of ours, however many of them there are.
    for junk in ["", "To Be Filled By O.E.M.", "0"] {
        player.serial = junk.into();
        let script = player.script()?;
        assert!(script.contains(&format!("{SEEN} waits")), "{junk}: {script}");
    }
    player.serial = "VMware-56 4d 1c+2f".into();
    let script = player.script()?;
    assert!(script.contains("n1 boots profile worker@1"), "{script}");
    let base = player.load(&script)?;
    let agent = player.ignition(&player.pointer(&base)?)?;
    player.run(&agent)?;
    let found = admin.wait_for("n1", "active", Duration::from_secs(5)).await?;
    assert_eq!((found.spec.macs, found.learned_macs), (vec![], vec![MAC.parse()?]));
    let phases: Vec<Phase> = found.boot.context("a boot")?.phases.iter().map(|record| record.phase).collect();
    assert_eq!(phases.first(), Some(&Phase::Dhcp), "its boot began with its first packet: {phases:?}");
    assert_eq!(admin.machines().await?.len(), 1, "what was seen is the machine that was declared");
    let events = admin.events(0).await?;
    let kinds: Vec<&str> =
        events.iter().filter(|e| e.object == "machine/n1").map(|e| e.kind.as_str()).collect();
    assert!(kinds.contains(&"machine.adopted") && kinds.contains(&"machine.learned"), "{kinds:?}");

    // Now DHCP knows it as well; and it is explained by what.
    assert_eq!(player.power_on()?.text(12)?, "n1");
    let explained = net.rig.cli_ok(&["explain", "--serial", "vmware-56 4D 1C+2F"])?;
    assert!(explained.contains("it is n1 by its serial number"), "{explained}");
    let explained = net.rig.cli_ok(&["explain", "n1"])?;
    assert!(explained.contains("it is n1 by a MAC that n1 booted from before"), "{explained}");

    // Its NIC in another machine: the MAC does not make that one n1.
    player.serial = "OTHER".into();
    let script = player.script()?;
    assert!(script.contains(&format!("{SEEN} waits")), "{script}");

    // A board that says to be two machines: the MAC counts, and both are told of it.
    admin.apply(&[document("Machine", "n2", json!({"macs": ["02:00:00:00:0d:02"]}))]).await?;
    let mut other = Player::new(&net.rack, "other", "02:00:00:00:0d:02", &net.rig.daemon.ca()?)?;
    other.serial = "VMware-56 4d 1c+2f".into();
    assert!(other.script()?.contains("n2 boots profile worker@1"));
    let conflict = "it says serial VMware-56 4d 1c+2f, which is machine n1's";
    assert_eq!(admin.machine("n2").await?.conflicts, [conflict]);
    let events = admin.events(0).await?;
    let told: Vec<&str> =
        events.iter().filter(|e| e.kind == "machine.conflict").map(|e| e.object.as_str()).collect();
    assert_eq!(told, ["machine/n2", "machine/n1"]);
    assert!(
        net.rig.cli_ok(&["explain", "n2"])?.contains(&format!("{conflict}: it is taken for n2 all the same"))
    );
    Ok(())
}

/// Two machines of which nothing is declared but the serial number; one has an address that is reserved for it.
#[tokio::test]
async fn machines_declared_by_their_serial_numbers_become_active() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let accel = accel::choose()?.accel;
    let mut documents = site(&[])?;
    documents.push(subnet("rack", "10.77.0", "discover"));
    documents.remove(0);
    documents.extend([
        document("Machine", "first", json!({"serial": "WICK 1/7"})),
        document("Machine", "second", json!({"serial": "WICK-2", "ip": "10.77.0.20"})),
    ]);
    let net = start("itserial", &documents, |builder| builder).await?;
    let build = |name: &str, mac: &str, serial: &str, firmware| -> Result<Machine> {
        let smbios = Smbios {
            vendor: "Lamplight Systems".into(),
            product: "Wick 310".into(),
            serial: serial.into(),
            uuid: "03000200-0400-0500-0006-000700080009".parse()?,
        };
        Machine::builder(name, accel, firmware, mac.parse()?)
            .memory_mib(768)
            .smbios(smbios)
            .build(&net.rack, net.rig.folder.path())
    };
    let mut first = build("first", "52:54:00:77:0d:01", "WICK 1/7", Firmware::Bios)?;
    let mut second = build("second", "52:54:00:77:0d:02", "WICK-2", Firmware::Uefi)?;
    first.power_on()?;
    second.power_on()?;
    let within = patience(accel) * 2;
    for (name, machine, address) in [("first", &first, None), ("second", &second, Some("10.77.0.20"))] {
        let found = net.rig.admin.wait_for(name, "active", within).await;
        let found = found.with_context(|| machine.console().tail(40))?;
        let boot = found.boot.context("a boot")?;
        assert_eq!((found.spec.macs, found.learned_macs), (vec![], vec![boot.mac]));
        if let Some(address) = address {
            assert_eq!(boot.address, Some(address.parse()?), "it asked again for its own address");
        }
        assert_eq!(boot.phases.first().map(|record| record.phase), Some(Phase::Dhcp));
    }
    assert_eq!(net.rig.admin.machines().await?.len(), 2);
    Ok(())
}
