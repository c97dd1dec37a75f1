//! Passwords are hashed a few at a time, on threads of their own: guessing takes neither the memory nor the processor that machines boot by.
use super::UserError;
use crate::secret::{
    Secret,
    password::{self, BadPassword},
};
use std::sync::Arc;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

/// How many are hashed at once: 38 MiB.
const AT_ONCE: usize = 2;

/// How many wait for that, at the most. Who comes after them is told to come again.
const WAITING: usize = 64;

/// Hashes passwords.
#[derive(Debug, Clone)]
pub(super) struct Hashing {
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { working: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Hashing {
    pub(super) async fn hash(&self, password: Secret<String>) -> Result<String, UserError> {
        self.work(move || password::hash(&password)).await?.map_err(UserError::from)
    }

    /// Whether the password is that of the hash; never, without one, and that takes as long.
    pub(super) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, UserError> {
        // Work for nothing: no user has such a one.
        let password = Secret::new(if password.len() > password::LONGEST { String::new() } else { password });
        self.work(move || password::verify(&password, hash.as_deref().unwrap_or(password::NOBODYS))).await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, UserError> {
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| UserError::Busy)?;
        let working: OwnedSemaphorePermit =
            self.working.clone().acquire_owned().await.map_err(|_| UserError::Busy)?;
        let done = spawn_blocking(move || {
            // A caller who goes away does not make room: the thread works on.
            let _places = (waiting, working);
            work()
        });
        done.await.map_err(|_| UserError::Password(BadPassword::Hash))
    }
}
