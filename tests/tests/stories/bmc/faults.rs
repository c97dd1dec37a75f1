//! Over Redfish, with a service of our own: sessions, certificates, makers, and all that goes wrong.

use std::time::Duration;

use anyhow::Result;
use pilotlight_tests::bmc::{Fault, Make, Redfish};
use pilotlight_types::api::{BmcLog, BmcStatus, Machine};
use serde_json::{Value, json};

use super::{declare, events, password_is_nowhere, start, switch, switched};
use crate::rig::{Rig, skipped};

const PASSWORD: &str = Redfish::ACCOUNT.1;

fn pinned(bmc: &Redfish) -> Value {
    json!({"type": "redfish", "address": bmc.address(), "tls": {"fingerprint": bmc.fingerprint()}})
}

async fn with(make: Make) -> Result<(Redfish, Rig)> {
    let bmc = Redfish::start(make)?;
    let rig = start(PASSWORD, pinned(&bmc)).await?;
    Ok((bmc, rig))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_does_everything_and_is_deleted_at_the_end() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (bmc, mut rig) = with(Make::Plain).await?;
    for (request, boots) in [
        (json!({"action": "on", "boot": "http"}), vec!["UefiHttp"]),
        (json!({"action": "cycle", "boot": "pxe"}), vec!["UefiHttp", "Pxe"]),
        (json!({"action": "reset", "boot": "disk"}), vec!["UefiHttp", "Pxe", "Hdd"]),
        (json!({"action": "cycle"}), vec!["UefiHttp", "Pxe", "Hdd", "Hdd"]),
        (json!({"action": "soft"}), vec!["UefiHttp", "Pxe", "Hdd", "Hdd"]),
    ] {
        switched(&rig, request.clone()).await?;
        assert_eq!(bmc.state().boots, boots, "{request}");
    }
    assert_eq!(
        bmc.state().resets,
        ["On", "ForceOff", "On", "ForceRestart", "ForceOff", "On", "GracefulShutdown"]
    );
    let status: BmcStatus = rig.admin.get("/machines/n1/bmc").await?;
    assert_eq!(status.about.as_deref(), Some("Redfish 1.9.0, by a session"));
    let sensors: Vec<_> =
        status.sensors.iter().map(|s| (s.name.as_str(), s.value, s.health.as_str())).collect();
    assert_eq!(sensors, [("Inlet", Some(23.5), "ok"), ("CPU1", Some(101.0), "critical")]);
    rig.cli_ok(&["machine", "identify", "n1"])?;
    assert!(bmc.state().lit);
    bmc.state().log.push(("Critical".to_owned(), "PSU 1 lost its input".to_owned()));
    let log: BmcLog = rig.admin.get("/machines/n1/bmc/log").await?;
    assert_eq!(
        (log.items[0].message.as_str(), log.items[0].severity.as_str()),
        ("PSU 1 lost its input", "critical")
    );
    assert_eq!(bmc.state().most_sessions, 1);
    let metrics = rig.admin.request(reqwest::Method::GET, "/metrics", &[], None).await?.text();
    assert!(metrics.contains("bmc_asked_total{protocol=\"redfish\",outcome=\"ok\"}"), "{metrics}");
    assert!(rig.daemon.stop().await?.success());
    assert!(bmc.state().sessions.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn makers_differ_and_every_one_boots_from_where_it_is_told() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    for make in [Make::Ami, Make::Hpe, Make::Basic] {
        let (bmc, rig) = with(make).await?;
        switched(&rig, json!({"action": "on", "boot": "pxe"})).await?;
        assert_eq!(bmc.state().boots, ["Pxe"], "{make:?}");
        assert!(events(&rig, "bmc.boot_device").await?.is_empty(), "{make:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_waited_for() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (bmc, rig) = with(Make::Plain).await?;
    for (fault, action) in [
        (Fault::HalfJson(2), "on"),
        (Fault::DropsSessions(1), "cycle"),
        (Fault::InPost(2), "cycle"),
        (Fault::Unavailable(2), "off"),
        (Fault::Slow(Duration::from_millis(300)), "on"),
    ] {
        bmc.state().fault = Some(fault);
        let boot = if action == "off" { Value::Null } else { json!("pxe") };
        switched(&rig, json!({"action": action, "boot": boot})).await?;
        bmc.state().fault = None;
    }
    let boots = bmc.state().boots.clone();
    assert!(boots.len() >= 4 && boots.iter().all(|from| from == "Pxe"), "{boots:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bmc_that_forgets_the_boot_device_is_told_of_and_the_machine_is_switched_all_the_same() -> Result<()>
{
    if skipped("bmc") {
        return Ok(());
    }
    let (bmc, rig) = with(Make::Plain).await?;
    bmc.state().fault = Some(Fault::ForgetsBoot);
    switched(&rig, json!({"action": "on", "boot": "pxe"})).await?;
    assert!(bmc.state().on);
    let told = events(&rig, "bmc.boot_device").await?;
    assert!(told.len() == 1 && told[0].message.contains("may boot from elsewhere"), "{told:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bmc_that_knows_no_password_is_asked_once_and_left_alone() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let bmc = Redfish::start(Make::Plain)?;
    bmc.state().fault = Some(Fault::Unauthorized);
    let rig = start(PASSWORD, pinned(&bmc)).await?;
    rig.admin.post::<Machine>("/machines/n1/power", &json!({"action": "on"})).await?;
    let told =
        |machine: &Machine| machine.power_wanted.as_ref().is_some_and(|wanted| wanted.problem.is_some());
    rig.admin.wait_until("n1", "told of it", super::SOON, told).await?;
    for _ in 0..5 {
        let status: BmcStatus = rig.admin.get("/machines/n1/bmc").await?;
        assert!(status.breaker.open, "{status:?}");
    }
    assert_eq!(bmc.state().refused(), 1, "each further try brings the account nearer to being locked");
    password_is_nowhere(&rig, PASSWORD).await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_than_the_pinned_one_gets_no_password() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (bmc, rig) = with(Make::Plain).await?;
    let other = Redfish::start(Make::Plain)?;
    let mut wrong = pinned(&bmc);
    wrong["tls"] = json!({"fingerprint": other.fingerprint()});
    // Neither another one's fingerprint, nor another authority, nor Mozilla's list.
    for tls in [json!({"fingerprint": other.fingerprint()}), json!({"ca": other.certificate()}), Value::Null]
    {
        let opened = bmc.state().opened;
        wrong["tls"] = tls.clone();
        declare(&rig, wrong.clone()).await?;
        let status: BmcStatus = rig.admin.get("/machines/n1/bmc").await?;
        assert!(!status.answers, "{tls}");
        let problem = status.errors.last().map(|error| error.detail.clone()).unwrap_or_default();
        assert!(problem.contains("certificate is not the right one"), "{tls}: {problem}");
        assert_eq!(bmc.state().opened, opened, "{tls}");
    }
    for tls in [json!({"ca": bmc.certificate()}), json!({"insecure": true})] {
        wrong["tls"] = tls.clone();
        declare(&rig, wrong.clone()).await?;
        let status: BmcStatus = rig.admin.get("/machines/n1/bmc").await?;
        assert!(status.answers, "{tls}: {status:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bmc_that_lies_about_power_is_given_up_with_words() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (bmc, rig) = with(Make::Plain).await?;
    bmc.state().fault = Some(Fault::LiesAboutPower);
    let asked: Machine = rig.admin.post("/machines/n1/power", &json!({"action": "on"})).await?;
    assert_eq!(asked.power, "unknown");
    let told = |machine: &Machine| machine.power_wanted.as_ref().is_some_and(|wanted| wanted.tries > 1);
    let machine = rig.admin.wait_until("n1", "told again", super::SOON, told).await?;
    assert_eq!(
        machine.power, "off",
        "what it says of the machine is believed, and not what it says of the command"
    );
    // Somebody wants something else: that holds from now on.
    bmc.state().fault = None;
    let result = switch(&rig, json!({"action": "off"})).await?;
    assert_eq!((result.failed, bmc.state().on), (None, false));
    let asked = events(&rig, "machine.power_asked").await?;
    assert!(asked[1].message.contains("`on` is not wanted any more"), "{asked:?}");
    Ok(())
}
