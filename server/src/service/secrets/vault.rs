//! Vault's key-value store, version 2, over its HTTP API (developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2).
//!
//! A path is read once for all who ask at the same moment, and what came of it is kept for a while: a hall of machines that wants
//! one secret asks Vault once. A failure is kept for two seconds, so that who waits does not keep Vault down.
use super::session::{Answer, Session, Vaults};
use crate::secret::{
    Secret,
    source::{self, Reason, Unavailable},
    vault::VaultAccess,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

/// How many requests Vault gets from us at once.
const AT_ONCE: usize = 8;
/// How long a failure is taken to hold.
const FAILED_FOR: Duration = Duration::from_secs(2);
/// How long a path may take, tries and sign-in and all.
const PATIENCE: Duration = Duration::from_secs(6);
/// How often one request is tried when Vault fails in passing.
const TRIES: u32 = 3;
/// How many paths are kept before those that are too old go.
const MANY: usize = 1024;

/// A Vault.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    api: Vaults,
    session: Session,
    paths: Mutex<HashMap<String, Slot>>,
    permits: Semaphore,
}

/// What is known of a path. Who has it locked is asking Vault for it.
type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// What is at a path, and its lease, where it has one.
type Found = (Secret<Map<String, Value>>, Option<Duration>);

struct Kept {
    until: Instant,
    found: Result<Secret<Map<String, Value>>, Unavailable>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.0.api.access.address)
    }
}

impl Vault {
    /// The Vault that this leads to, asked by this client, which must not follow redirects by itself.
    pub fn new(access: VaultAccess, http: reqwest::Client) -> Self {
        let session = Session::new(access.login.clone());
        let (api, paths) = (Vaults { access, http }, Mutex::default());
        Self(Arc::new(Inner { api, session, paths, permits: Semaphore::new(AT_ONCE) }))
    }

    /// Whether a secret at this path may be read.
    pub fn allows(&self, path: &str) -> bool {
        self.0.api.access.allows(path)
    }

    /// The value of a key at a path.
    pub async fn read(&self, path: &str, key: &str) -> Result<Secret<String>, Unavailable> {
        let slot = self.slot(path);
        let mut kept = slot.lock().await;
        if kept.as_ref().is_none_or(|kept| kept.until <= Instant::now()) {
            let late = || {
                Unavailable::new(Reason::Away, format!("Vault did not answer in {} s", PATIENCE.as_secs()))
            };
            let found =
                tokio::time::timeout(PATIENCE, self.fetch(path)).await.unwrap_or_else(|_| Err(late()));
            let keep = self.0.api.access.keep;
            let (found, keep) = match found {
                Ok((found, lease)) => (Ok(found), lease.map_or(keep, |lease| lease.min(keep))),
                Err(why) => (Err(why), FAILED_FOR),
            };
            *kept = Some(Kept { until: Instant::now() + keep, found });
        }
        let Some(Kept { found, .. }) = kept.as_ref() else {
            return Err(Unavailable::new(Reason::Away, "Vault was not asked"));
        };
        let map = found.as_ref().map_err(Clone::clone)?.expose();
        let what = format!("{path}#{key} in Vault");
        match map.get(key) {
            None | Some(Value::Null) => {
                Err(Unavailable::new(Reason::Missing, format!("there is no key `{key}` at {path} in Vault")))
            }
            Some(Value::String(text)) => source::checked(&what, text),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => source::checked(&what, &value.to_string()),
            Some(Value::Array(_) | Value::Object(_)) => Err(Unavailable::new(
                Reason::Unusable,
                format!("{what} is a list or a map, and a text is expected"),
            )),
        }
    }

    /// Keeps our token alive until the daemon stops.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.0.session.keep_alive(&self.0.api)).await;
    }

    fn slot(&self, path: &str) -> Slot {
        let mut paths = self.0.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if paths.len() >= MANY && !paths.contains_key(path) {
            let now = Instant::now();
            // Those that are locked are being asked for.
            paths.retain(|_, slot| {
                slot.try_lock().map_or(true, |kept| kept.as_ref().is_some_and(|kept| kept.until > now))
            });
        }
        paths.entry(path.to_owned()).or_default().clone()
    }

    /// What is at a path now, and its lease, where it has one.
    async fn fetch(&self, path: &str) -> Result<Found, Unavailable> {
        let away = |_| Unavailable::new(Reason::Away, "the daemon is stopping");
        let _permit = self.0.permits.acquire().await.map_err(away)?;
        let (mut tries, mut renewed) = (1, false);
        loop {
            let token = self.0.session.token(&self.0.api).await?;
            match self.0.api.get(path, &token).await {
                Ok(answer) => return found(path, &answer),
                Err(Answer::Denied) if !renewed && self.0.session.is_lost(&self.0.api, &token).await => {
                    renewed = true
                }
                Err(Answer::Denied) => {
                    let why = format!("Vault does not let us read {path}: its policy denies it");
                    return Err(Unavailable::new(Reason::Denied, why));
                }
                Err(Answer::Nothing(body)) => return Err(nothing(path, &body)),
                Err(Answer::Passing(_)) if tries < TRIES => {
                    tokio::time::sleep(Duration::from_millis(100 << tries)).await;
                    tries += 1;
                }
                Err(Answer::Passing(why) | Answer::Final(why)) => return Err(why),
            }
        }
    }
}

/// The answer to a read, as far as it matters.
#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    lease_duration: u64,
    data: Versioned,
}

#[derive(Deserialize)]
struct Versioned {
    data: Option<Map<String, Value>>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    deletion_time: String,
    #[serde(default)]
    destroyed: bool,
}

fn found(path: &str, body: &Secret<Vec<u8>>) -> Result<Found, Unavailable> {
    // What serde says of a body may hold parts of it.
    let odd = |_| {
        let why = format!("Vault's answer for {path} is not one of the key-value store, version 2");
        Unavailable::new(Reason::Unusable, why)
    };
    let read: Read = serde_json::from_slice(body.expose()).map_err(odd)?;
    let lease = (read.lease_duration > 0).then(|| Duration::from_secs(read.lease_duration));
    match read.data.data {
        Some(map) => Ok((Secret::new(map), lease)),
        None => Err(nothing(path, body)),
    }
}

/// Why there is nothing at a path: it never was there, or its newest version was deleted.
fn nothing(path: &str, body: &Secret<Vec<u8>>) -> Unavailable {
    let metadata =
        serde_json::from_slice::<Read>(body.expose()).map(|read| read.data.metadata).unwrap_or_default();
    let why = if metadata.destroyed {
        format!("the newest version of {path} in Vault was destroyed")
    } else if !metadata.deletion_time.is_empty() {
        format!("the newest version of {path} in Vault was deleted")
    } else {
        format!("there is nothing at {path} in Vault")
    };
    Unavailable::new(Reason::Missing, why)
}
