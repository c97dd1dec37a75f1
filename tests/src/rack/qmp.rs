//! QEMU's own control channel (QMP): reset and power buttons of a machine, and whatever else QEMU offers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

const ANSWER: Duration = Duration::from_secs(20);

/// Has QEMU execute one command, with arguments or [`Value::Null`], and gives back what it returns.
pub async fn execute(socket: &Path, command: &str, arguments: Value) -> Result<Value> {
    timeout(ANSWER, converse(socket, command, arguments))
        .await
        .with_context(|| format!("QEMU did not answer `{command}` within {} s", ANSWER.as_secs()))?
        .with_context(|| format!("QEMU's `{command}` by {}", socket.display()))
}

async fn converse(socket: &Path, command: &str, arguments: Value) -> Result<Value> {
    let stream = UnixStream::connect(socket).await.context("no connection: the machine may be off")?;
    let (from, mut to) = stream.into_split();
    let mut lines = BufReader::new(from).lines();
    lines.next_line().await?.context("no greeting")?;
    let mut answer = Value::Null;
    let mut request = json!({"execute": command});
    if !arguments.is_null() {
        request["arguments"] = arguments;
    }
    for request in [json!({"execute": "qmp_capabilities"}), request] {
        to.write_all(format!("{request}\n").as_bytes()).await?;
        answer = loop {
            let line = lines.next_line().await?.context("the connection ended")?;
            let message: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
            if let Some(error) = message.get("error") {
                bail!("refused: {error}");
            }
            // Events come in between.
            if let Some(value) = message.get("return") {
                break value.clone();
            }
        };
    }
    Ok(answer)
}
