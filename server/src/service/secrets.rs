//! Secrets, had from where they are when a machine's config is made: files, the environment, Vault. They are kept in memory only,
//! and not for long; nothing here puts one into words.
mod session;
mod vault;

pub use vault::Vault;

use crate::{
    domain::profile::{Place, SecretUse, SecretValues},
    secret::{
        Secret,
        source::{self, Reason, Unavailable},
    },
};
use pilotlight_types::resource::{SecretName, SecretRef};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};

/// How long a machine's secrets may take altogether: Ignition waits 10 seconds for a response to begin.
const PATIENCE: Duration = Duration::from_secs(8);

/// Has secrets.
#[derive(Debug, Clone)]
pub struct Secrets {
    folders: Arc<[PathBuf]>,
    vault: Option<Vault>,
    failures: Arc<Mutex<Failures>>,
    // A file system that hangs keeps so many threads and no more: images are read by others of the same pool.
    readers: Arc<Semaphore>,
}

/// How many files are read at once.
const READERS: usize = 8;

/// How often a secret could not be had, by its source and the reason.
pub type Failures = BTreeMap<(&'static str, &'static str), u64>;

/// A secret that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("secret `{name}` of {from} cannot be had: {why}")]
pub struct NoSecret {
    /// Its name.
    pub name: SecretName,
    /// Who declares it.
    pub from: String,
    /// Why not.
    pub why: Unavailable,
}

impl Secrets {
    /// Secrets from files below these folders, from the environment, and from Vault.
    pub fn new(folders: Vec<PathBuf>, vault: Option<Vault>) -> Self {
        Self {
            folders: folders.into(),
            vault,
            failures: Arc::default(),
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// How often a secret could not be had since the daemon was started.
    pub fn failures(&self) -> Failures {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the configuration allows to read there.
    pub fn allows(&self, place: &Place) -> Result<(), Unavailable> {
        let refused = |why: String| Err(Unavailable::new(Reason::NotAllowed, why));
        match place {
            Place::File(path)
                if !self.folders.iter().any(|folder| std::path::Path::new(path).starts_with(folder)) =>
            {
                refused(format!("{path} is in none of the folders that `secrets.files` allows"))
            }
            Place::Vault { path, .. } => match &self.vault {
                None => refused("no Vault is configured: `vault.address` is not set".into()),
                Some(vault) if !vault.allows(path) => {
                    refused(format!("{path} is below none of the paths that `vault.paths` allows"))
                }
                Some(_) => Ok(()),
            },
            Place::File(_) | Place::Env(_) => Ok(()),
        }
    }

    /// The values of these secrets, or the first of them that cannot be had.
    pub async fn values(&self, wanted: &[(SecretUse, Place)]) -> Result<SecretValues, NoSecret> {
        let deadline = Instant::now() + PATIENCE;
        let mut values = Vec::with_capacity(wanted.len());
        for (secret, place) in wanted {
            let value = self.by(deadline, &secret.reference, place).await.map_err(|why| NoSecret {
                name: secret.name.clone(),
                from: secret.from.clone(),
                why,
            })?;
            values.push((secret.name.clone(), value.expose().clone()));
        }
        Ok(SecretValues::new(values))
    }

    /// The value of one secret.
    pub async fn one(&self, reference: &SecretRef, place: &Place) -> Result<Secret<String>, Unavailable> {
        self.by(Instant::now() + PATIENCE, reference, place).await
    }

    async fn by(
        &self,
        deadline: Instant,
        reference: &SecretRef,
        place: &Place,
    ) -> Result<Secret<String>, Unavailable> {
        let late =
            || Unavailable::new(Reason::Away, format!("{place} was not had in {} s", PATIENCE.as_secs()));
        let value = tokio::time::timeout_at(deadline, self.value(place)).await;
        value.unwrap_or_else(|_| Err(late())).inspect_err(|why| {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            *failures.entry((reference.source(), why.reason.as_str())).or_default() += 1;
        })
    }

    async fn value(&self, place: &Place) -> Result<Secret<String>, Unavailable> {
        self.allows(place)?;
        match place {
            Place::Env(name) => source::read_variable(name),
            Place::File(path) => {
                let away = || Unavailable::new(Reason::Away, format!("{path} was not read to its end"));
                let permit = self.readers.clone().acquire_owned().await.map_err(|_| away())?;
                let (folders, file) = (self.folders.clone(), path.clone());
                let read = move || {
                    let read = source::read_file_below(&folders, &file);
                    drop(permit);
                    read
                };
                tokio::task::spawn_blocking(read).await.map_err(|_| away())?
            }
            Place::Vault { path, key } => match &self.vault {
                Some(vault) => vault.read(path, key).await,
                None => Err(Unavailable::new(Reason::NotAllowed, "no Vault is configured")),
            },
        }
    }
}
