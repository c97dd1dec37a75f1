//! The config and its one-time token: for one boot of one machine at one address, once.
use crate::rig::{MAC1, OURS, Rig, ip, on_both};
use flate2::read::GzDecoder;
use pilotlight::service::delivery::Denied;
use pilotlight_types::BootId;
use sha2::{Digest, Sha512};
use std::io::Read;

on_both!(
    a_token_is_good_once_for_its_boot_and_its_address,
    a_newer_initrd_ends_the_token_of_the_older,
    a_token_ends_after_an_hour,
    a_daemon_that_was_restarted_hands_out_the_same_config,
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

async fn fetch(rig: &Rig, boot: BootId, token: &str, from: &str) -> Result<Vec<u8>, Denied> {
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
