//! Machines that are switched by their BMCs: over IPMI by OpenIPMI's simulator, with `ipmitool` as the second opinion; over Redfish by
//! sushy-tools' emulator, and by a service of our own that has the faults of the field.

mod faults;
mod ipmi;
mod ladder;
mod sushy;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use pilotlight_types::api::{Event, Machine, PowerResult};
use serde_json::{Value, json};

use crate::rig::{Plan, Rig, document};

/// How long anything may take here.
const SOON: Duration = Duration::from_secs(120);

/// A daemon with one machine, `n1`, that has this BMC; its password is in a file.
async fn start(password: &str, bmc: Value) -> Result<Rig> {
    let plan = Plan::new()?;
    let secrets = plan.folder.path().join("secrets");
    fs::create_dir(&secrets)?;
    fs::write(secrets.join("n1"), format!("{password}\n"))?;
    let rig = plan.with(|builder| builder.set("secrets.files", json!([secrets]))).start().await?;
    declare(&rig, bmc).await?;
    Ok(rig)
}

/// Declares `n1` with this BMC. Where its password is depends on its name.
async fn declare(rig: &Rig, mut bmc: Value) -> Result<()> {
    let file = rig.folder.path().join("secrets/{{ machine.name }}");
    bmc["username"] = json!("admin");
    bmc["password"] = json!({"file": file});
    let mut machine = document("Machine", "n1", json!({"macs": ["52:54:00:00:00:01"], "bmc": bmc}));
    machine["labels"] = json!({"rack": "r1"});
    rig.admin.apply(&[machine]).await?;
    Ok(())
}

/// Asks for something of the machine's power, and waits for what comes of it.
async fn switch(rig: &Rig, request: Value) -> Result<PowerResult> {
    let asked: Machine = rig.admin.post("/machines/n1/power", &request).await?;
    let since = asked.power_wanted.context("nothing is wanted")?.since;
    result_after(rig, since).await
}

/// What comes of what was asked then.
async fn result_after(rig: &Rig, since: pilotlight_types::Timestamp) -> Result<PowerResult> {
    let ended = |machine: &Machine| {
        machine.power_wanted.is_none()
            && machine.power_result.as_ref().is_some_and(|result| result.at >= since)
    };
    let done = rig.admin.wait_until("n1", "done with its power", SOON, ended).await?;
    done.power_result.context("no result")
}

/// The same, when it must succeed.
async fn switched(rig: &Rig, request: Value) -> Result<()> {
    let result = switch(rig, request.clone()).await?;
    assert_eq!(result.failed, None, "{request}");
    Ok(())
}

/// Events of this kind of the machine, oldest first.
async fn events(rig: &Rig, kind: &str) -> Result<Vec<Event>> {
    let mut events = rig.admin.events(0).await?;
    events.retain(|event| event.kind == kind && event.object == "machine/n1");
    Ok(events)
}

/// The password is neither in the log nor in the database, nor in anything that the API shows.
async fn password_is_nowhere(rig: &Rig, password: &str) -> Result<()> {
    assert!(!rig.daemon.log().contains(password), "it is in the log");
    for shown in ["/machines/n1", "/machines/n1/bmc", "/events"] {
        let text = rig.admin.get::<Value>(shown).await?.to_string();
        assert!(!text.contains(password), "{shown} shows it");
    }
    fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { files(&path, found)? } else { found.push(path) }
        }
        Ok(())
    }
    let mut found = Vec::new();
    files(rig.daemon.data_dir(), &mut found)?;
    for file in found {
        let bytes = fs::read(&file).unwrap_or_default();
        let there = bytes.windows(password.len()).any(|window| window == password.as_bytes());
        assert!(!there, "it is in {}", file.display());
    }
    Ok(())
}
