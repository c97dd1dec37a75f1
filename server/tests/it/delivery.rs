//! The config and its one-time token: for one boot of one machine at one address, once.
use crate::rig::{MAC1, OURS, Rig, ip, on_both, operator};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use pilotlight::service::delivery::Denied;
use pilotlight_types::BootId;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use std::io::Read;

on_both!(
    a_token_is_good_once_for_its_boot_and_its_address,
    a_newer_initrd_ends_the_token_of_the_older,
    a_token_ends_after_an_hour,
    a_daemon_that_was_restarted_hands_out_the_same_config,
    kernel_arguments_are_filled_in_for_the_machine,
    a_config_reaches_an_older_image_in_the_spec_that_it_takes,
    what_a_machine_got_is_told_after_everything_has_changed,
    what_machines_got_is_kept_of_their_newest_boots,
);

const FROM: [u8; 4] = [10, 77, 0, 100];

/// What is in the initrd of a boot: the token, and the hash that the config must have.
async fn pointer(rig: &Rig, boot: BootId) -> (String, String) {
    let initrd = rig.delivery.config_initrd(boot, FROM.into(), OURS.into()).await.unwrap();
    let mut archive = Vec::new();
    GzDecoder::new(initrd.as_ref()).read_to_end(&mut archive).unwrap();
    let text = String::from_utf8_lossy(&archive).into_owned();
    let after = |mark: &str| {
        let rest = text.split_once(mark).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    };
    (after("Bearer "), after("sha512-"))
}

/// The token in the initrd of a boot whose config has secrets: the hash is not told.
pub async fn pointer_without_hash(rig: &Rig, boot: BootId) -> String {
    let initrd = rig.delivery.config_initrd(boot, FROM.into(), OURS.into()).await.unwrap();
    let mut archive = Vec::new();
    GzDecoder::new(initrd.as_ref()).read_to_end(&mut archive).unwrap();
    let text = String::from_utf8_lossy(&archive).into_owned();
    assert!(!text.contains("sha512-"), "a hash in the clear would let secrets be guessed");
    text.split_once("Bearer ").unwrap().1.split('"').next().unwrap().to_owned()
}

pub async fn fetch(rig: &Rig, boot: BootId, token: &str, from: &str) -> Result<Vec<u8>, Denied> {
    rig.delivery.ignition(boot, token, ip(from), OURS.into()).await.map(|config| config.to_vec())
}

async fn a_token_is_good_once_for_its_boot_and_its_address(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let (token, hash) = pointer(&rig, boot).await;
    assert!(
        matches!(fetch(&rig, boot, &token, "10.77.0.101").await, Err(Denied::Refused(_))),
        "another address"
    );
    assert!(
        matches!(fetch(&rig, boot, "another", "10.77.0.100").await, Err(Denied::Refused(_))),
        "another token"
    );
    let config = fetch(&rig, boot, &token, "10.77.0.100").await.unwrap();
    assert_eq!(hex::encode(Sha512::digest(&config)), hash, "it is what the pointer promised");
    assert!(
        matches!(fetch(&rig, boot, &token, "10.77.0.100").await, Err(Denied::Refused(_))),
        "a second time"
    );
    let refusals = rig.kinds().await.iter().filter(|kind| *kind == "token.refused").count();
    assert_eq!(refusals, 3, "each refusal is an event");
}

async fn a_newer_initrd_ends_the_token_of_the_older(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let (older, _) = pointer(&rig, boot).await;
    let (newer, _) = pointer(&rig, boot).await;
    assert!(matches!(fetch(&rig, boot, &older, "10.77.0.100").await, Err(Denied::Refused(_))));
    assert!(fetch(&rig, boot, &newer, "10.77.0.100").await.is_ok());
}

async fn a_token_ends_after_an_hour(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let (token, _) = pointer(&rig, boot).await;
    rig.advance(3601);
    assert!(matches!(fetch(&rig, boot, &token, "10.77.0.100").await, Err(Denied::Refused(_))));
}

async fn a_daemon_that_was_restarted_hands_out_the_same_config(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let (token, hash) = pointer(&rig, boot).await;
    let rig = rig.restarted().await;
    let config = fetch(&rig, boot, &token, "10.77.0.100").await.unwrap();
    assert_eq!(hex::encode(Sha512::digest(&config)), hash);
}

/// The rig's documents, with a part of one of them set.
fn documents_with(rig: &Rig, name: &str, field: &str, value: Value) -> Vec<Value> {
    let mut documents = rig.documents();
    let one = documents.iter_mut().find(|document| document["name"] == name).unwrap();
    one["spec"][field] = value;
    documents
}

async fn kernel_arguments_are_filled_in_for_the_machine(rig: Rig) {
    let args = json!([
        "console=ttyS0",
        "zone={{ vars.zone }}",
        "by={{ subnet.name }}.{{ site.name }}",
        "{% if machine.facts is defined %}known{% endif %}"
    ]);
    rig.apply(&documents_with(&rig, "worker", "kernelArgs", args)).await;
    let (_, script) = rig.script(MAC1, FROM).await;
    assert!(script.contains(" console=ttyS0 zone=a by=rack-a.dc1 ||"), "{script}");

    // What was right for the example is not for this machine: it waits, and is told why.
    let args = json!(["x={% if machine.name == 'n1' %}a b{% endif %}"]);
    rig.apply(&documents_with(&rig, "worker", "kernelArgs", args)).await;
    rig.machines.provision("n1", &operator()).await.unwrap();
    let (boot, script) = rig.script(MAC1, FROM).await;
    assert!(!script.contains("kernel ${base}") && script.contains("sleep"), "{script}");
    assert!(rig.boot(boot).outcome.is_none());
}

async fn a_config_reaches_an_older_image_in_the_spec_that_it_takes(rig: Rig) {
    rig.apply(&documents_with(&rig, "os", "ignition", json!("3.3.0"))).await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let (token, _) = pointer(&rig, boot).await;
    let config: Value =
        serde_json::from_slice(&fetch(&rig, boot, &token, "10.77.0.100").await.unwrap()).unwrap();
    let first = config["ignition"]["config"]["merge"][0]["source"].as_str().unwrap();
    let first = STANDARD.decode(first.split_once("base64,").unwrap().1).unwrap();
    let first: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(first["ignition"]["version"], "3.3.0", "it was written as 3.4.0");
}

async fn what_a_machine_got_is_told_after_everything_has_changed(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, script) = rig.script(MAC1, FROM).await;
    let before = rig.boots.served(boot).await.unwrap();
    assert_eq!((before.script.as_ref(), before.ignition.is_none()), (Some(&script), true));
    assert!(before.kernel_args.contains(&"console=ttyS0".to_owned()), "{before:?}");
    let (token, _) = pointer(&rig, boot).await;
    let config: Value =
        serde_json::from_slice(&fetch(&rig, boot, &token, "10.77.0.100").await.unwrap()).unwrap();
    let mut all = rig.documents();
    all[2]["spec"]["kernelArgs"] = json!(["quiet"]);
    all[4]["spec"]["variables"]["zone"] = json!("z");
    rig.apply(&all).await;
    let rig = rig.restarted().await;
    let after = rig.boots.served(boot).await.unwrap();
    assert_eq!(after.script, Some(script));
    assert_eq!(after.kernel_args, before.kernel_args);
    assert_eq!(after.ignition, Some(pilotlight::domain::delivery::masked(&config)));
    let shown = after.ignition.unwrap().to_string();
    assert!(shown.contains("n1%20a") && shown.contains("masked: the agent's configuration"), "{shown}");
}

async fn what_machines_got_is_kept_of_their_newest_boots(rig: Rig) {
    let rig = rig.with_documents().await;
    let mut boots = Vec::new();
    for _ in 0..pilotlight::store::BOOTS_KEPT + 2 {
        let (boot, _) = rig.script(MAC1, FROM).await;
        boots.push(boot);
        // Its firmware asks again: it was switched off and on.
        rig.boots.end(boot, pilotlight_types::api::Outcome::LocalDisk).await.unwrap();
        rig.advance(1);
    }
    assert_eq!(boots.iter().collect::<std::collections::HashSet<_>>().len(), boots.len());
    for (number, boot) in boots.iter().enumerate() {
        let kept = rig.boots.served(*boot).await.unwrap().script.is_some();
        assert_eq!(kept, number >= 2, "boot {number}");
    }
}
