//! Chains of what a machine asks for: its script, the initrd with its one-time token, and with that its Ignition config, over TLS.
//! Each connection is kept, and each machine boots once, as its config is given once: what is measured is what the server makes,
//! and that it is durable, and no handshakes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::task::JoinSet;

use super::ground::{SERVER, Server};
use crate::rack::Namespace;
use crate::sim::{http, ignition};

/// What is asked, and by how many.
#[derive(Debug)]
pub struct Chains {
    /// What the server's certificate is checked with.
    pub ca: String,
    /// The machines, each of which boots once; of a server of files, none.
    pub macs: Vec<String>,
    /// How many chains at once.
    pub connections: usize,
    /// For how long at most.
    pub span: Duration,
}

/// One chain's answers.
#[derive(Debug, Default, Clone)]
pub struct Sample {
    /// The script.
    pub script: Vec<u8>,
    /// The initrd.
    pub initrd: Vec<u8>,
    /// The config.
    pub config: Vec<u8>,
}

/// How many chains were ended a second, and the server's processor microseconds for each; and one of them.
pub fn measure(network: &Namespace, server: &Server, chains: &Chains) -> Result<((f64, f64), Sample)> {
    network.inside(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run(server, chains))
    })?
}

async fn run(server: &Server, chains: &Chains) -> Result<((f64, f64), Sample)> {
    let client = http::tls(SERVER, &[chains.ca.clone().into_bytes()])?;
    let macs: Arc<Mutex<VecDeque<String>>> = Arc::new(Mutex::new(chains.macs.iter().cloned().collect()));
    let files = chains.macs.is_empty();
    let (before, began) = (server.time()?, Instant::now());
    let end = began + chains.span;
    let mut tasks = JoinSet::new();
    for _ in 0..chains.connections {
        let (client, macs) = (client.clone(), Arc::clone(&macs));
        tasks.spawn(async move {
            let (mut count, mut last) = (0_u32, Sample::default());
            while Instant::now() < end {
                let mac = macs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                last = match &mac {
                    Some(mac) => chain(&client, mac).await?,
                    None if files => of_files(&client).await?,
                    None => break,
                };
                count += 1;
            }
            anyhow::Ok((count, last))
        });
    }
    let (mut count, mut sample) = (0, Sample::default());
    while let Some(ended) = tasks.join_next().await {
        let (some, last) = ended??;
        count += some;
        if some > 0 {
            sample = last;
        }
    }
    let (taken, elapsed) = (server.time()?.saturating_sub(before), began.elapsed());
    ensure!(count > 0, "no chain was ended");
    let each = taken.as_secs_f64() * 1e6 / f64::from(count);
    Ok(((f64::from(count) / elapsed.as_secs_f64(), each), sample))
}

async fn chain(client: &Client, mac: &str) -> Result<Sample> {
    let script = get(client.get(format!("http://{SERVER}:8080/boot/ipxe?mac={mac}"))).await?;
    let text = String::from_utf8_lossy(&script);
    let at = text.find(":8080/boot/").with_context(|| format!("no boot in:\n{text}"))? + ":8080/boot/".len();
    let boot = text.get(at..at + 36).context("no boot's id")?;
    let initrd = get(client.get(format!("http://{SERVER}:8080/boot/{boot}/config.img"))).await?;
    let pointer = ignition::config_ign(&initrd)?;
    let target = pointer.pointer("/ignition/config/replace").context("config.ign replaces nothing")?;
    let mut request = client.get(target.get("source").and_then(Value::as_str).context("no config's URL")?);
    for header in target.get("httpHeaders").and_then(Value::as_array).into_iter().flatten() {
        if let [Some(name), Some(value)] =
            ["name", "value"].map(|key| header.get(key).and_then(Value::as_str))
        {
            request = request.header(name, value);
        }
    }
    let config = get(request).await?;
    Ok(Sample { script, initrd, config })
}

async fn of_files(client: &Client) -> Result<Sample> {
    Ok(Sample {
        script: get(client.get(format!("http://{SERVER}:8080/ipxe"))).await?,
        initrd: get(client.get(format!("http://{SERVER}:8080/config.img"))).await?,
        config: get(client.get(format!("https://{SERVER}:8443/ignition"))).await?,
    })
}

async fn get(request: RequestBuilder) -> Result<Vec<u8>> {
    Ok(request.send().await?.error_for_status()?.bytes().await?.to_vec())
}
