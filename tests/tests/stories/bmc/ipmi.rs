//! Over IPMI.

use anyhow::Result;
use pilotlight_tests::bmc::Simulator;
use pilotlight_types::api::{BmcLog, BmcStatus, Machine, MachinesAnswer};
use serde_json::json;

use super::{declare, events, password_is_nowhere, result_after, start, switch, switched};
use crate::rig::{Rig, refused, skipped};

const PASSWORD: &str = Simulator::ACCOUNT.1;

async fn with_simulator() -> Result<(Simulator, Rig, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let simulator = Simulator::start(folder.path())?;
    let rig = start(PASSWORD, json!({"type": "ipmi", "address": simulator.address()})).await?;
    Ok((simulator, rig, folder))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_switched_over_ipmi_and_ipmitool_agrees() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (simulator, rig, _folder) = with_simulator().await?;
    assert!(!simulator.is_on()?);
    switched(&rig, json!({"action": "on", "boot": "pxe"})).await?;
    assert!(simulator.is_on()?);
    assert_eq!(simulator.switched()?, ["set boot pxe", "set power 1"]);
    assert_eq!(rig.admin.machine("n1").await?.power, "on");
    switched(&rig, json!({"action": "cycle", "boot": "disk"})).await?;
    let told = simulator.switched()?;
    // What it boots from is said between the two, for some forget it while they are off.
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!((told[2].as_str(), told[4].as_str()), ("set power 0", "set power 1"), "{told:?}");
    assert!(told[3].starts_with("set boot "), "{told:?}");
    switched(&rig, json!({"action": "reset"})).await?;
    assert!(simulator.switched()?.last().is_some_and(|last| last.starts_with("set reset")));
    assert!(simulator.is_on()?);
    switched(&rig, json!({"action": "soft"})).await?;
    assert!(!simulator.is_on()?);
    switched(&rig, json!({"action": "on"})).await?;
    switched(&rig, json!({"action": "off"})).await?;
    assert!(!simulator.is_on()?);
    // A reset of a machine that is off says so.
    let failed = switch(&rig, json!({"action": "reset"})).await?.failed.unwrap_or_default();
    assert!(failed.contains("it is off"), "{failed}");
    let asked = events(&rig, "machine.power_asked").await?;
    assert_eq!(asked.len(), 7);
    assert_eq!(
        (asked[0].actor.as_str(), asked[0].message.as_str()),
        ("admin", "n1 is to be powered `on`, and to boot from pxe once")
    );
    assert_eq!(events(&rig, "machine.power_done").await?.len(), 6);
    assert_eq!(events(&rig, "machine.power_failed").await?.len(), 1);
    password_is_nowhere(&rig, PASSWORD).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bmc_logs_is_seen_and_becomes_part_of_the_timeline() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let simulator = Simulator::start(folder.path())?;
    // What was there before the daemon looked is history.
    simulator.log(8)?;
    let rig = start(PASSWORD, json!({"type": "ipmi", "address": simulator.address()})).await?;
    switched(&rig, json!({"action": "on"})).await?;
    rig.admin.wait_until("n1", "on", super::SOON, |machine| machine.power == "on").await?;
    let status: BmcStatus = rig.admin.get("/machines/n1/bmc").await?;
    assert!(status.answers && status.power == "on" && !status.breaker.open, "{status:?}");
    // The simulator has no suite 17, and 3 is all that is gone back to.
    assert_eq!(status.about.as_deref(), Some("IPMI 2.0, cipher suite 3"));
    let log: BmcLog = rig.admin.get("/machines/n1/bmc/log").await?;
    assert_eq!(log.items.len(), 1, "{log:?}");
    // Each time that a machine was switched, its log is looked at; what comes before the first look is history too.
    let deadline = tokio::time::Instant::now() + super::SOON;
    while events(&rig, "bmc.log").await?.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the log is not followed");
        simulator.log(0x0d)?;
        switched(&rig, json!({"action": "on"})).await?;
    }
    let told = events(&rig, "bmc.log").await?;
    assert!(told.iter().all(|event| event.message.contains("drive fault")), "{told:?}");
    let shown = rig.cli_ok(&["machine", "bmc", "n1", "--log"])?;
    assert!(shown.contains("power supply") && shown.contains("drive fault"), "{shown}");
    let shown = rig.cli_ok(&["machine", "bmc", "n1"])?;
    assert!(shown.contains("power    on"), "{shown}");
    rig.cli_ok(&["machine", "identify", "n1"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_is_left_behind() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (simulator, mut rig, _folder) = with_simulator().await?;
    for _ in 0..2 {
        for action in ["on", "off"] {
            switched(&rig, json!({"action": action})).await?;
        }
        rig.admin.get::<BmcStatus>("/machines/n1/bmc").await?;
        assert!(simulator.sessions()? <= 1, "one session is used again and again");
    }
    // Another password means another session.
    declare(&rig, json!({"type": "ipmi", "address": simulator.address(), "cipherSuite": 3})).await?;
    switched(&rig, json!({"action": "on"})).await?;
    assert!(simulator.sessions()? <= 1);
    assert!(rig.daemon.stop().await?.success());
    assert_eq!(simulator.sessions()?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_in_the_middle_of_a_cycle_goes_on_with_it() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (simulator, mut rig, _folder) = with_simulator().await?;
    switched(&rig, json!({"action": "on"})).await?;
    let before = simulator.switched()?.len();
    let asked: Machine =
        rig.admin.post("/machines/n1/power", &json!({"action": "cycle", "boot": "pxe"})).await?;
    let since = asked.power_wanted.map(|wanted| wanted.since).unwrap_or_default();
    let deadline = tokio::time::Instant::now() + super::SOON;
    while simulator.switched()?.len() == before {
        assert!(tokio::time::Instant::now() < deadline, "it is not switched off");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    rig.daemon.restart().await?;
    assert_eq!(result_after(&rig, since).await?.failed, None);
    assert!(simulator.is_on()?);
    // Off and on, and nothing else.
    let told: Vec<String> = simulator.switched()?.split_off(before);
    assert_eq!(told, ["set power 0", "set boot pxe", "set power 1"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_weaker_is_spoken_and_a_wrong_password_is_not_tried_again() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (simulator, rig, _folder) = with_simulator().await?;
    declare(&rig, json!({"type": "ipmi", "address": simulator.address(), "cipherSuite": 17})).await?;
    let failed = switch(&rig, json!({"action": "on"})).await?.failed.unwrap_or_default();
    assert!(failed.contains("none of the cipher suites 17"), "{failed}");
    assert!(!simulator.is_on()?);
    // What makes no sense is refused at once.
    for (request, words) in [
        (json!({"action": "on", "boot": "http"}), "no HTTP boot"),
        (json!({"action": "off", "boot": "pxe"}), "does not boot by `off`"),
    ] {
        let problem = refused(rig.admin.post::<Machine>("/machines/n1/power", &request).await);
        assert_eq!(problem.code, "not-switchable");
        assert!(problem.detail.contains(words), "{}", problem.detail);
    }
    std::fs::write(rig.folder.path().join("secrets/n1"), "another")?;
    declare(&rig, json!({"type": "ipmi", "address": simulator.address()})).await?;
    rig.admin.post::<Machine>("/machines/n1/power", &json!({"action": "on"})).await?;
    let problem = |machine: &Machine| {
        machine
            .power_wanted
            .as_ref()
            .and_then(|wanted| wanted.problem.as_ref())
            .is_some_and(|why| why.contains("password is wrong"))
    };
    rig.admin.wait_until("n1", "told of the password", super::SOON, problem).await?;
    let status: BmcStatus = rig.admin.get("/machines/n1/bmc").await?;
    assert!(status.breaker.open && !status.answers, "{status:?}");
    assert_eq!(events(&rig, "bmc.failing").await?.len(), 1);
    // The right one, declared anew: it goes on at once, with what was wanted.
    std::fs::write(rig.folder.path().join("secrets/n1"), PASSWORD)?;
    declare(&rig, json!({"type": "ipmi", "address": simulator.address(), "cipherSuite": 3})).await?;
    rig.admin
        .wait_until("n1", "on", super::SOON, |machine| {
            machine.power == "on" && machine.power_wanted.is_none()
        })
        .await?;
    assert!(simulator.is_on()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_switches_many_and_the_command_line_waits_for_one() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let (simulator, rig, _folder) = with_simulator().await?;
    let shown = rig.cli_ok(&["machine", "power", "on", "n1", "--boot", "pxe", "--wait"])?;
    assert!(shown.contains("`on` is done; power is on"), "{shown}");
    assert!(simulator.is_on()?);
    let request = json!({"action": "power", "selector": "rack=r1", "power": {"action": "off"}});
    let answer: MachinesAnswer = rig.admin.post("/machines/actions", &request).await?;
    assert!(answer.items.len() == 1 && answer.items[0].done, "{answer:?}");
    rig.admin.wait_until("n1", "off", super::SOON, |machine| machine.power == "off").await?;
    assert!(!simulator.is_on()?);
    let shown = rig.cli_ok(&["machine", "power", "on", "-l", "rack=r1", "--dry-run"])?;
    assert!(shown.contains("would be"), "{shown}");
    let wrong = rig.cli(&["machine", "power", "up", "n1"])?;
    assert_eq!(wrong.status.code(), Some(64));
    Ok(())
}
