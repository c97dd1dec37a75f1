//! What only one machine may have: its config, by a token that is good once, and its agent's own credential. And what happens when
//! the config never reaches it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use pilotlight_types::api::{Diagnosis, Event, Outcome, Phase};
use serde_json::{Value, json};

use crate::net::Net;
use crate::player::Player;
use crate::rig::{Rig, document, skipped, small_site, subnet};

const MAC: &str = "02:00:00:00:07:01";
const SOON: Duration = Duration::from_secs(5);

async fn stage(network: &str, patience: &str) -> Result<(Net, Player)> {
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.push(subnet("rack", "10.77.0", "discover"));
    documents.push(document("Machine", "n1", json!({"macs": [MAC]})));
    let net =
        Net::start_with(network, &documents, |builder| builder.with_agent().set("boot.patience", patience))
            .await?;
    let player = Player::new(&net.rack, "machine", MAC, &net.rig.daemon.ca()?)?;
    Ok((net, player))
}

async fn refusals(rig: &Rig) -> Result<Vec<Event>> {
    let events = rig.admin.events(0).await?;
    Ok(events.into_iter().filter(|event| event.kind == "token.refused").collect())
}

/// Whether a text is in the daemon's log, its data or its events, as it is or in base64's or hex's clothes.
pub async fn is_known(rig: &Rig, secret: &str) -> Result<Option<String>> {
    fn search(folder: &Path, secret: &[u8]) -> Result<Option<String>> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                if let Some(found) = search(&path, secret)? {
                    return Ok(Some(found));
                }
            } else if fs::read(&path)?.windows(secret.len()).any(|window| window == secret) {
                return Ok(Some(path.display().to_string()));
            }
        }
        Ok(None)
    }
    if rig.daemon.log().contains(secret) {
        return Ok(Some("the log".into()));
    }
    let events = serde_json::to_string(&rig.admin.events(0).await?)?;
    let boots = rig.admin.get::<Value>("/boots").await?.to_string();
    if events.contains(secret) || boots.contains(secret) {
        return Ok(Some("the API".into()));
    }
    search(rig.daemon.data_dir(), secret.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_time_token_is_good_once_for_its_machine_at_its_address() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (net, mut player) = stage("ploneuse", "10m").await?;
    let rig = &net.rig;
    let script = player.script()?;
    let base = player.load(&script)?;
    let first = player.pointer(&base)?;
    assert!(!script.contains(&first.token) && !first.url.contains(&first.token));
    assert!(first.url.starts_with("https://10.77.0.1:8443/"), "{}", first.url);

    // Another host on the same network has heard it, for it crossed the wire in the clear.
    let mut thief = Player::new(&net.rack, "thief", "02:00:00:00:07:99", &rig.daemon.ca()?)?;
    thief.power_on()?;
    let (status, _) = thief.get(&first.url, Some(&first.token))?;
    assert_eq!(status, 403, "at another address");
    let (status, _) = thief.get(&format!("{base}/config.img"), None)?;
    assert_eq!(status, 403, "nor does the thief get one of its own");
    let (status, _) = player.get(&first.url, Some("made-up"))?;
    assert_eq!(status, 403, "nobody guesses it");
    assert_eq!(player.get(&first.url, None)?.0, 401);
    assert_eq!(refusals(rig).await?.len(), 3);

    // A machine that fetches its initrd again gets another token: the one before is void.
    let second = player.pointer(&base)?;
    assert_ne!(second.token, first.token);
    assert_eq!(player.get(&first.url, Some(&first.token))?.0, 403, "the former one ends");

    // Nothing of that has used the new one up.
    let agent = player.ignition(&second)?;
    assert_eq!(player.get(&second.url, Some(&second.token))?.0, 403, "a second use");
    let told = refusals(rig).await?;
    let last = told.last().context("no event")?;
    assert_eq!((told.len(), last.object.as_str()), (5, "machine/n1"));
    assert_eq!(last.boot.map(|boot| boot.to_string()), Some(agent.boot.clone()), "with the boot's id");
    assert!(last.message.contains(&player.address.to_string()), "{}", last.message);
    assert_eq!(player.get(&format!("{base}/config.img"), None)?.0, 403, "a boot has its config once");
    assert_eq!(refusals(rig).await?.len(), 6);
    for secret in [&first.token, &second.token, &agent.token] {
        assert_eq!(is_known(rig, secret).await?, None, "the daemon keeps no secret that it handed out");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_speaks_for_its_own_boot_only() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (net, mut player) = stage("plagent", "10m").await?;
    let script = player.script()?;
    let base = player.load(&script)?;
    let agent = player.ignition(&player.pointer(&base)?)?;
    let facts = json!({"version": 1, "agent": "played"});
    assert_eq!(player.report(&agent, "facts", "made-up", &facts)?.0, 401);
    assert_eq!(
        player.report(&agent, "facts", &net.rig.daemon.token()?, &facts)?.0,
        401,
        "people are no agents"
    );
    assert_eq!(player.report(&agent, "facts", &agent.token, &json!({"version": 0}))?.0, 422);
    assert_eq!(player.report(&agent, "progress", &agent.token, &json!({"step": "dancing"}))?.0, 400);
    let stage = net.rig.admin.machine("n1").await?.stage;
    assert_eq!(stage, "provisioning", "none of that made it active");
    player.run(&agent)?;
    net.rig.admin.wait_for("n1", "active", SOON).await?;
    assert_eq!(player.report(&agent, "heartbeat", &agent.token, &json!({"uptime_seconds": 5}))?.0, 200);

    // It starts again: what an older boot's agent says is not taken any more.
    player.script()?;
    assert_eq!(player.report(&agent, "facts", &agent.token, &facts)?.0, 410);
    let viewer = net.rig.daemon.client_with(Some(&agent.token))?;
    let asked = viewer.request(reqwest::Method::GET, "/api/v1/machines", &[], None).await?;
    assert_eq!(asked.status, 401, "agents are no people");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_goes_on_over_kills_between_any_two_of_its_requests() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (mut net, mut player) = stage("plbetween", "10m").await?;
    let ack = player.power_on()?;
    net.rig.daemon.restart().await?;
    let (status, script) = player.get(&ack.file, None)?;
    assert_eq!(status, 200);
    let boot = net.rig.admin.machine("n1").await?.boot.context("no boot")?;
    net.rig.daemon.restart().await?;
    let base = player.load(&String::from_utf8(script)?)?;
    assert!(base.ends_with(&boot.id.to_string()), "{base}: the boot has one id all along");
    net.rig.daemon.restart().await?;
    let pointer = player.pointer(&base)?;
    net.rig.daemon.restart().await?;
    let agent = player.ignition(&pointer).context("the same config, byte for byte, after a restart")?;
    net.rig.daemon.restart().await?;
    assert_eq!(player.get(&pointer.url, Some(&pointer.token))?.0, 403, "a used token stays used");
    player.run(&agent)?;
    net.rig.daemon.restart().await?;
    let machine = net.rig.admin.machine("n1").await?;
    assert_eq!(machine.stage, "active", "what the agent was thanked for is not forgotten");
    let ended = machine.boot.context("no boot")?;
    assert_eq!((ended.id, ended.outcome), (boot.id, Some(Outcome::Active)));
    assert_eq!(player.report(&agent, "heartbeat", &agent.token, &json!({"uptime_seconds": 5}))?.0, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_keeps_its_profile_when_that_is_changed_half_way() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (net, mut player) = stage("plpinned", "10m").await?;
    let script = player.script()?;
    let base = player.load(&script)?;
    let pointer = player.pointer(&base)?;
    let other = "variant: fcos\nversion: 1.4.0\npasswd:\n  users:\n  - name: later\n";
    let changed = document("Profile", "worker", json!({"image": "small", "boot": "live", "butane": other}));
    net.rig.admin.apply(&[changed]).await?;
    let agent = player.ignition(&pointer)?;
    player.run(&agent)?;
    let machine = net.rig.admin.wait_for("n1", "active", SOON).await?;
    let profile = machine.profile.context("no profile")?;
    assert_eq!(
        (profile.desired, profile.running),
        (2, Some(1)),
        "the change waits for the next provisioning"
    );
    Ok(())
}

/// What programs are told of a machine that does not get on.
fn code(diagnosis: Option<&Diagnosis>) -> Option<&str> {
    diagnosis.map(|diagnosis| diagnosis.code.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_config_is_lost_has_failed_and_says_why_and_may_try_again() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (net, mut player) = stage("pllost", "10s").await?;
    let admin = &net.rig.admin;
    let script = player.script()?;
    player.load(&script)?;
    let failed = admin.wait_for("n1", "failed", Duration::from_secs(25)).await?;
    let why = failed.why.context("it does not say why")?;
    assert!(why.contains("config.ign"), "{why}");
    let boot = failed.boot.context("no boot")?;
    assert!(matches!(&boot.outcome, Some(Outcome::Failed { why }) if why.contains("config.ign")), "{boot:?}");
    assert_eq!(boot.furthest(), Some(Phase::Rootfs));
    assert_eq!(code(boot.diagnosis.as_ref()), Some("config-not-asked"));
    assert_eq!(code(failed.diagnosis.as_ref()), Some("config-not-asked"));
    let events = admin.events(0).await?;
    assert!(events.iter().any(|event| event.kind == "boot.failed" && event.boot == Some(boot.id)));

    let script = player.script()?;
    let again = admin.wait_for("n1", "provisioning", SOON).await?.boot.context("no boot")?;
    assert_ne!(again.id, boot.id);
    let base = player.load(&script)?;
    player.run(&player.ignition(&player.pointer(&base)?)?)?;
    let active = admin.wait_for("n1", "active", SOON).await?;
    assert_eq!(active.why, None);
    assert_eq!(admin.boots("n1").await?.iter().map(|boot| boot.id).collect::<Vec<_>>(), [again.id, boot.id]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_silence_of_a_machine_has_its_own_diagnosis() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let (net, mut player) = stage("plsilences", "10s").await?;
    player.offered()?;
    let failed = net.rig.admin.wait_for("n1", "failed", Duration::from_secs(25)).await?;
    assert!(failed.why.as_deref().is_some_and(|why| why.contains("did not take it")), "{:?}", failed.why);
    assert_eq!(code(failed.diagnosis.as_ref()), Some("offer-not-taken"));
    let script = player.script()?;
    assert!(script.contains("/kernel "), "{script}");
    net.rig.admin.wait_for("n1", "provisioning", SOON).await?;
    let failed = net.rig.admin.wait_for("n1", "failed", Duration::from_secs(25)).await?;
    assert!(
        failed.why.as_deref().is_some_and(|why| why.contains("did not fetch the kernel")),
        "{:?}",
        failed.why
    );
    assert_eq!(code(failed.diagnosis.as_ref()), Some("no-kernel"));
    Ok(())
}
