//! Machines that are to boot and do not: what is tried with them, step by step, and that they are held in the end, with the right reason.

use std::time::Duration;

use anyhow::{Context, Result};
use pilotlight_tests::bmc::{Fault, Make, Redfish};
use pilotlight_tests::daemon::Builder;
use pilotlight_types::api::{AuditEntry, LadderAction, List, Machine};
use serde_json::json;

use super::{SOON, declare, events, switched};
use crate::rig::{Plan, Rig, skipped, small_site};

/// How long the whole ladder may take: a BMC that was not told before the kill is told again half a minute later.
const END: Duration = Duration::from_secs(300);

/// A daemon that waits for nobody, with `n1` armed, and its BMC.
async fn armed(change: impl FnOnce(Builder) -> Builder) -> Result<(Redfish, Rig)> {
    let bmc = Redfish::start(Make::Plain)?;
    let plan = Plan::new()?;
    let secrets = plan.folder.path().join("secrets");
    std::fs::create_dir(&secrets)?;
    std::fs::write(secrets.join("n1"), format!("{}\n", Redfish::ACCOUNT.1))?;
    let plan = plan.with(|builder| {
        let builder = builder
            .set("secrets.files", json!([secrets]))
            .set("boot.post", "3s")
            .set("ladder.pause", "2s")
            .set("ladder.at-once", 1);
        change(builder)
    });
    let rig = plan.start().await?;
    rig.admin.apply(&small_site(rig.folder.path())?).await?;
    let address = bmc.address();
    declare(&rig, json!({"type": "redfish", "address": address, "tls": {"fingerprint": bmc.fingerprint()}}))
        .await?;
    assert_eq!(rig.admin.machine("n1").await?.stage, "provisioning");
    Ok((bmc, rig))
}

fn tried(machine: &Machine) -> Vec<LadderAction> {
    machine
        .ladder
        .as_ref()
        .map(|ladder| ladder.tried.iter().map(|one| one.step).collect())
        .unwrap_or_default()
}

fn is_held(machine: &Machine) -> bool {
    machine.hold.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_never_boots_goes_up_the_ladder_through_kills_and_is_held() -> Result<()> {
    use LadderAction::{BmcReset, Cycle, Http, Restart};
    if skipped("bmc") {
        return Ok(());
    }
    let (bmc, mut rig) = armed(|builder| builder).await?;
    // Nobody asked it to boot yet: it is left alone.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(tried(&rig.admin.machine("n1").await?), []);
    switched(&rig, json!({"action": "on", "boot": "pxe"})).await?;

    // Killed as soon as a reset is written down, and again in the middle of a cycle.
    for steps in [2, 3] {
        let there = |machine: &Machine| tried(machine).len() >= steps;
        rig.admin.wait_until("n1", "on the ladder", SOON, there).await?;
        rig.daemon.kill()?;
        rig.daemon.restart().await?;
        rig.admin = rig.daemon.client()?;
    }
    let machine = rig.admin.wait_until("n1", "held", END, is_held).await?;
    assert_eq!(tried(&machine), [Restart, Restart, Cycle, BmcReset, Cycle, Http]);
    assert!(machine.ladder.as_ref().is_some_and(|ladder| ladder.ended.is_some()));
    let hold = machine.hold.as_ref().context("a hold")?;
    assert_eq!(hold.by, "pilotlight");
    assert!(
        hold.reason.starts_with("it does not boot after 6 steps of the ladder: no-packet: "),
        "{}",
        hold.reason
    );
    let diagnosis = machine.diagnosis.as_ref().context("a diagnosis")?;
    assert_eq!(diagnosis.code, "no-packet");
    assert!(
        diagnosis.evidence.iter().any(|one| one.link.as_deref() == Some("/api/v1/machines/n1/bmc")),
        "{diagnosis:?}"
    );

    // Nothing was done twice. Of a reset in whose middle the daemon was killed nobody knows, so it is not sent again.
    let resets = bmc.state().resets.clone();
    let boots = bmc.state().boots.clone();
    let count = |kind: &str| resets.iter().filter(|one| *one == kind).count();
    assert!((1..=2).contains(&count("ForceRestart")), "{resets:?}");
    assert_eq!((count("ForceOff"), count("On"), count("Manager")), (3, 4, 1), "{resets:?}");
    assert_eq!(resets[resets.len() - 5..], ["Manager", "ForceOff", "On", "ForceOff", "On"], "{resets:?}");
    assert_eq!(boots.last().map(String::as_str), Some("UefiHttp"), "{boots:?}");
    assert!(boots[..boots.len() - 1].iter().all(|from| from == "Pxe"), "{boots:?}");
    for (kind, times) in
        [("machine.ladder", 6), ("machine.ladder_end", 1), ("machine.held", 1), ("bmc.restarted", 1)]
    {
        assert_eq!(events(&rig, kind).await?.len(), times, "{kind}");
    }
    let audit: List<AuditEntry> = rig.admin.get("/audit").await?;
    assert_eq!(audit.items.iter().filter(|row| row.action == "climbed").count(), 7, "{audit:?}");
    let metrics = rig.admin.request(reqwest::Method::GET, "/metrics", &[], None).await?.text();
    assert!(metrics.contains("ladder_steps_total{step=\"hold\"} 1"), "{metrics}");
    assert!(metrics.contains("machines_off_ladder 1"), "{metrics}");
    let described = rig.cli_ok(&["describe", "machine", "n1"])?;
    assert!(described.contains("no-packet") && described.contains("bmc-reset"), "{described}");

    // Somebody looked after it: it is tried from the first step again.
    rig.cli_ok(&["machine", "release", "n1"])?;
    let again =
        rig.admin.wait_until("n1", "on the ladder again", SOON, |machine| !tried(machine).is_empty()).await?;
    assert_eq!(tried(&again), [Restart]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_bmc_forgets_the_boot_device_is_held_for_that() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (bmc, rig) = armed(|builder| builder.set("ladder.steps", json!(["cycle"]))).await?;
    bmc.state().fault = Some(Fault::ForgetsBoot);
    switched(&rig, json!({"action": "on", "boot": "pxe"})).await?;
    let machine = rig.admin.wait_until("n1", "held", SOON, is_held).await?;
    assert_eq!(tried(&machine), [LadderAction::Cycle]);
    assert_eq!(machine.diagnosis.map(|it| it.code).as_deref(), Some("boot-order-lost"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_wants_no_ladder_has_none() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (bmc, rig) = armed(|builder| builder.set("ladder.enabled", false)).await?;
    switched(&rig, json!({"action": "on", "boot": "pxe"})).await?;
    tokio::time::sleep(Duration::from_secs(12)).await;
    let machine = rig.admin.machine("n1").await?;
    assert_eq!((tried(&machine), machine.hold), (Vec::new(), None));
    assert_eq!(bmc.state().resets, ["On"]);
    Ok(())
}
