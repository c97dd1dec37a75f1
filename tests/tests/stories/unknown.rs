//! Machines that nobody declared, by what their subnet says of such.

use std::time::Duration;

use anyhow::Result;
use pilotlight_types::api::Machine;
use serde_json::json;

use crate::net::Net;
use crate::player::Player;
use crate::rig::{document, skipped, small_site, subnet};

const NAME: &str = "m-020000000601";
const MAC: &str = "02:00:00:00:06:01";
const SOON: Duration = Duration::from_secs(5);

/// The small site, its subnet's policy, and a machine that nobody declared.
async fn stage(network: &str, unknown: &str, discovery: bool) -> Result<(Net, Player)> {
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.push(subnet("rack", "10.77.0", unknown));
    if discovery {
        documents.push(document("Profile", "look", json!({"image": "small", "boot": "discovery"})));
    }
    let net = Net::start(network, &documents).await?;
    let player = Player::new(&net.rack, "machine", MAC, &net.rig.daemon.ca()?)?;
    Ok((net, player))
}

fn waits(script: &str) -> bool {
    script.starts_with("#!ipxe\n")
        && script.contains("sleep ")
        && script.contains("chain --replace --autofree http://10.77.0.1:8080/boot/ipxe?mac=02-00-00-00-06-01")
        && !script.contains("kernel")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_machine_waits_until_it_is_accepted() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (net, mut player) = stage("plholds", "discover", false).await?;
    let admin = &net.rig.admin;
    for _ in 0..3 {
        let script = player.script()?;
        assert!(waits(&script), "{script}");
    }
    let seen = admin.machine(NAME).await?;
    assert_eq!((seen.stage.as_str(), seen.spec.macs), ("discovered", vec![MAC.parse()?]));
    assert_eq!(admin.machines().await?.len(), 1, "it is recorded once");
    let events = admin.events(0).await?;
    let found = events.iter().filter(|event| event.kind == "machine.discovered").count();
    assert_eq!(found, 1);

    let explained = net.rig.cli_ok(&["explain", NAME])?;
    assert!(explained.contains("discovery"), "{explained}");
    let accepted: Machine = admin.post(&format!("/machines/{NAME}/accept"), &json!({})).await?;
    assert_eq!(accepted.stage, "provisioning", "its group gives it a profile");
    let script = player.script()?;
    assert!(script.contains("/kernel initrd=initramfs.img initrd=config.img"), "{script}");
    player.load(&script)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_machine_boots_the_discovery_profile_and_its_own_once_accepted() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (net, mut player) = stage("pldiscover", "discover", true).await?;
    let script = player.script()?;
    assert!(script.contains("boots profile look@1, image small"), "{script}");
    player.load(&script)?;
    assert_eq!(net.rig.admin.machine(NAME).await?.stage, "discovered", "to boot is not to be accepted");
    net.rig.admin.post::<Machine>(&format!("/machines/{NAME}/accept"), &json!({})).await?;
    let script = player.script()?;
    assert!(script.contains("boots profile worker@1, image small"), "{script}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_machine_is_accepted_where_the_subnet_says_so() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (net, mut player) = stage("placcept", "accept", false).await?;
    let script = player.script()?;
    assert!(script.contains("boots profile worker@1, image small"), "{script}");
    let machine = net.rig.admin.wait_for(NAME, "provisioning", SOON).await?;
    assert_eq!(machine.profile.map(|profile| profile.name).as_deref(), Some("worker"));
    assert_eq!(machine.boot.map(|boot| boot.address), Some(Some(player.address.into())));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_machine_is_recorded_and_gets_no_answer_where_the_subnet_ignores_such() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (net, mut player) = stage("plignore", "ignore", true).await?;
    net.silence(player.dhcp(), &[], "unknown_machine").await?;
    assert_eq!(net.rig.admin.machines().await?, [], "what only wants an address is no machine");
    net.silence(player.dhcp(), crate::dhcp::UEFI, "unknown_machine").await?;
    net.silence(player.dhcp(), crate::dhcp::IPXE, "unknown_machine").await?;
    let machine = net.rig.admin.machine(NAME).await?;
    assert_eq!((machine.stage.as_str(), machine.boot), ("discovered", None));
    // A person declares it under the name that it should have: it is the same machine from then on.
    net.rig.admin.delete(&format!("/machines/{NAME}"), None).await?;
    net.rig.admin.apply(&[document("Machine", "n1", json!({"macs": [MAC]}))]).await?;
    assert!(player.script()?.contains("n1 boots profile worker@1"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_on_hold_waits_and_a_retired_one_is_left_alone() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (net, mut player) = stage("plheld", "discover", false).await?;
    let admin = &net.rig.admin;
    admin.apply(&[document("Machine", "n1", json!({"macs": [MAC]}))]).await?;
    let reason = json!({"reason": "${net0/mac}; its fan || is `loud`"});
    admin.post::<Machine>("/machines/n1/hold", &reason).await?;
    let script = player.script()?;
    assert!(waits(&script), "{script}");
    assert!(!script.contains("${net0") && !script.contains('`'), "people's words are no commands: {script}");
    assert!(script.contains("its fan"), "{script}");
    admin.post::<Machine>("/machines/n1/release", &json!({})).await?;
    assert!(player.script()?.contains("n1 boots profile worker@1"));
    admin.post::<Machine>("/machines/n1/retire", &json!({})).await?;
    net.silence(player.dhcp(), crate::dhcp::UEFI, "retired").await?;
    Ok(())
}
