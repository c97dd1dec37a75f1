//! Ignition's part: from `config.ign` in the boot's own initrd to the config, over TLS, and to the agent's binary and configuration.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::GzDecoder;
use pilotlight_types::agent::{AgentConfig, BINARY_PATH, CONFIG_PATH};
use reqwest::RequestBuilder;
use reqwest::header::ACCEPT;
use serde_json::Value;
use sha2::{Digest, Sha512};
use std::net::Ipv4Addr;
use tokio::time::sleep;

use super::http::{self, Failed};

/// What Ignition 2.14 says that it takes.
const ACCEPTED: &str = "application/vnd.coreos.ignition+json;version=3.3.0, */*;q=0.1";

/// What a config came to on the host, as far as a simulated one looks.
#[derive(Debug)]
pub(crate) struct Applied {
    /// Bytes of the config.
    pub bytes: u64,
    /// What the agent is to run with; none where the config brings no agent.
    pub agent: Option<AgentConfig>,
    /// The paths of all files.
    pub files: Vec<String>,
}

/// The `config.ign` of a gzipped cpio archive.
pub fn config_ign(initrd: &[u8]) -> Result<Value> {
    let mut archive = Vec::new();
    GzDecoder::new(initrd).read_to_end(&mut archive).context("the config's initrd is no gzip")?;
    let content = cpio_file(&archive, "config.ign")?.context("there is no config.ign in the initrd")?;
    serde_json::from_slice(content).context("config.ign is no JSON")
}

/// Fetches the config that `pointer` leads to, and everything that it needs.
pub(crate) async fn apply(own: Ipv4Addr, pointer: &Value) -> Result<Applied> {
    let authorities = pointer.pointer("/ignition/security/tls/certificateAuthorities");
    let cas: Vec<Vec<u8>> = items(authorities)
        .map(|ca| data(text(ca, "source")?))
        .collect::<Result<_>>()
        .context("the site CA")?;
    let client = http::tls(own, &cas)?;
    let target = pointer.pointer("/ignition/config/replace").context("config.ign replaces nothing")?;
    let body = persist(|| {
        let mut request = client.get(text(target, "source").unwrap_or_default()).header(ACCEPT, ACCEPTED);
        for header in items(target.get("httpHeaders")) {
            request = request.header(text(header, "name").unwrap_or(""), text(header, "value").unwrap_or(""));
        }
        request
    })
    .await
    .context("Ignition's config")?;
    // A config with secrets has no hash in the clear.
    if target.get("verification").is_some() {
        verify(target, || hex::encode(Sha512::digest(&body))).context("Ignition's config")?;
    }
    let configs = merged(&body)?;
    let mut applied = Applied { bytes: u64::try_from(body.len())?, agent: None, files: Vec::new() };
    for file in configs.iter().flat_map(|config| items(config.pointer("/storage/files"))) {
        let path = text(file, "path")?;
        applied.files.push(path.to_owned());
        let Some(contents) = file.get("contents") else { continue };
        if path == BINARY_PATH {
            applied.bytes += binary(own, contents).await.with_context(|| path.to_owned())?;
        } else if path == CONFIG_PATH {
            let config = serde_json::from_slice(&data(text(contents, "source")?)?);
            applied.agent = Some(config.with_context(|| format!("{path} is no agent's configuration"))?);
        }
    }
    Ok(applied)
}

/// A config, and those that it merges.
pub fn merged(body: &[u8]) -> Result<Vec<Value>> {
    let outer: Value = serde_json::from_slice(body).context("Ignition's config is no JSON")?;
    let mut configs = vec![outer.clone()];
    for merge in items(outer.pointer("/ignition/config/merge")) {
        let inner = data(text(merge, "source")?)?;
        configs.push(serde_json::from_slice(&inner).context("a merged config is no JSON")?);
    }
    Ok(configs)
}

/// The agent, as far as its hash.
async fn binary(own: Ipv4Addr, contents: &Value) -> Result<u64> {
    let url = text(contents, "source")?;
    let response = http::send(http::plain(own)?.get(url)).await?;
    let (bytes, hash) = http::swallow(response, true).await?;
    verify(contents, || hash.unwrap_or_default())?;
    Ok(bytes)
}

/// As Ignition: what may pass is asked for until it has passed, anything below 500 is final.
async fn persist(request: impl Fn() -> RequestBuilder) -> Result<Vec<u8>> {
    let mut wait = Duration::from_millis(200);
    loop {
        let failed = match http::send(request()).await {
            Ok(response) => match response.bytes().await {
                Ok(body) => return Ok(body.to_vec()),
                Err(error) => Failed::Passing(error.into()),
            },
            Err(failed) => failed,
        };
        match failed {
            Failed::Passing(error) => tracing::debug!("Ignition asks again: {error:#}"),
            Failed::Final(error) => return Err(error),
        }
        sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(5));
    }
}

fn verify(source: &Value, hash: impl FnOnce() -> String) -> Result<()> {
    let wanted = source.pointer("/verification/hash").and_then(Value::as_str).context("it has no hash")?;
    let found = format!("sha512-{}", hash());
    ensure!(wanted == found, "hash verification failed: {found} came, and {wanted} was promised");
    Ok(())
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("`{key}` is missing"))
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// What a data URL (RFC 2397) holds.
fn data(url: &str) -> Result<Vec<u8>> {
    let Some((kind, content)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(',')) else {
        bail!("a data URL was expected")
    };
    ensure!(kind.ends_with(";base64"), "a data URL in base64 was expected");
    BASE64.decode(content).context("a data URL that is no base64")
}

/// A file of a `newc` archive.
fn cpio_file<'a>(mut archive: &'a [u8], wanted: &str) -> Result<Option<&'a [u8]>> {
    loop {
        let header = archive.get(..110).context("the archive ends too soon")?;
        ensure!(header.starts_with(b"070701"), "no newc archive");
        let field = |number: usize| -> Result<usize> {
            let digits = header.get(6 + number * 8..14 + number * 8).unwrap_or_default();
            usize::from_str_radix(std::str::from_utf8(digits)?, 16).context("a field that is no number")
        };
        let (size, name_size) = (field(6)?, field(11)?);
        let name_end = 110 + name_size;
        let start = name_end.next_multiple_of(4);
        let name = archive.get(110..name_end).context("the archive ends in a name")?;
        let name = std::str::from_utf8(name)?.trim_end_matches('\0');
        let content = archive.get(start..start + size).context("the archive ends in a file")?;
        if name == "TRAILER!!!" {
            return Ok(None);
        }
        if name == wanted {
            return Ok(Some(content));
        }
        archive = archive.get((start + size).next_multiple_of(4)..).context("the archive has no end")?;
    }
}
