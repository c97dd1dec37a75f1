//! Work that takes long, on the command line.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pilotlight_types::api::{List, Operation, OperationState, Resource};
use serde_json::{Value, json};

use super::Begin;
use crate::rig::document;

/// A mirror that takes connections and says nothing, as one behind a firewall does.
pub async fn an_apply_shows_how_far_it_is_and_is_called_off_by_ctrl_c(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    let mirror = TcpListener::bind("127.0.0.1:0")?;
    let kernel = json!({"url": format!("http://{}/vmlinuz", mirror.local_addr()?), "sha256": "0".repeat(64)});
    let spec =
        json!({"os": "generic", "arch": "x86_64", "version": "1", "kernel": kernel, "initrd": [kernel]});
    let file = rig.folder.path().join("image.yaml");
    std::fs::write(&file, document("Image", "far", spec).to_string())?;

    let file = file.display().to_string();
    let apply =
        rig.command(&["apply", "-f", &file])?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let operation = loop {
        let goes_on: List<Operation> = rig.admin.get("/operations").await?;
        if let Some(operation) = goes_on.items.into_iter().next() {
            break operation;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((operation.state, operation.what.as_str()), (OperationState::Running, "apply 1 document"));
    let listed = rig.cli_ok(&["operation", "list"])?;
    assert!(listed.contains(&operation.id.to_string()) && listed.contains("running"), "{listed}");

    // It has its answer, and looks how far it has come, once it has asked for that.
    tokio::time::sleep(Duration::from_secs(1)).await;
    kill(Pid::from_raw(apply.id().try_into()?), Signal::SIGINT)?;
    let ended = tokio::task::spawn_blocking(move || apply.wait_with_output()).await??;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code().context("it was killed")?, 1, "{said}");
    assert!(said.contains("called off; nothing was changed"), "{said}");

    let over = loop {
        let one: Operation = rig.admin.get(&format!("/operations/{}", operation.id)).await?;
        if one.state != OperationState::Running {
            break one;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(over.problem.map(|problem| problem.code).as_deref(), Some("called-off"));
    assert!(rig.admin.get::<List<Resource<Value>>>("/images").await?.items.is_empty());
    Ok(())
}
