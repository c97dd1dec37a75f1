//! What `pilotlight login` keeps: a token for each server, in a file that only its owner can read.
use anyhow::{Context, Result};
use pilotlight_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    io::Write,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::PathBuf,
};

/// What was got by signing in at one server. It has no Debug: there is a token in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Credential {
    /// The token.
    pub(super) token: String,
    /// Who it speaks for.
    pub(super) holder: String,
    /// When it ends.
    pub(super) until: Timestamp,
}

type All = BTreeMap<String, Credential>;

/// The file: below XDG_CONFIG_HOME, or else in the home.
fn file() -> Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    Ok(config
        .context("HOME is not set: there is nowhere to keep a token")?
        .join("pilotlight")
        .join("credentials"))
}

fn read() -> Result<All> {
    let path = file()?;
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(All::new()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let mode = fs::metadata(&path).map(|about| about.permissions().mode()).unwrap_or_default();
    if mode & 0o077 != 0 {
        anyhow::bail!("{} can be read by others: chmod 600 {0}, and sign in again", path.display());
    }
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not what `pilotlight login` wrote", path.display()))
}

fn write(all: &All) -> Result<()> {
    let path = file()?;
    let folder = path.parent().context("the file is in a folder")?;
    let failed = || format!("{} cannot be written", path.display());
    DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(failed)?;
    // Whole or not at all, and 0600 from the beginning.
    let mut new = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    writeln!(new, "{}", serde_json::to_string_pretty(all)?).with_context(failed)?;
    new.persist(&path).with_context(failed)?;
    Ok(())
}

/// A server's URL, as it is kept.
fn key(url: &str) -> String {
    url.trim_end_matches('/').to_ascii_lowercase()
}

/// What is kept for a server. Services may have no home, and nothing is kept for them.
pub(super) fn find(url: &str) -> Result<Option<Credential>> {
    if file().is_err() {
        return Ok(None);
    }
    Ok(read()?.remove(&key(url)))
}

/// Keeps this for a server, in the place of what was.
pub(super) fn keep(url: &str, credential: Credential) -> Result<()> {
    // What cannot be read is replaced.
    let mut all = read().unwrap_or_default();
    all.insert(key(url), credential);
    write(&all)
}

/// Forgets what is kept for a server.
pub(super) fn forget(url: &str) -> Result<()> {
    let mut all = read()?;
    if all.remove(&key(url)).is_some() {
        write(&all)?;
    }
    Ok(())
}
