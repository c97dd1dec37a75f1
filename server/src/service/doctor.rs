//! Lets this host and its network be looked at by the daemon itself. What is looked at is `pilotlight doctor`'s affair: it is handed in.
use crate::clock::Clock;
use futures_util::future::BoxFuture;
use pilotlight_types::api::{Check, CheckStatus, Findings};
use std::{
    fmt,
    sync::{Arc, Mutex as Lock, PoisonError},
};
use tokio::sync::Mutex;

/// Looks at everything, and says what was found.
pub type Examine = dyn Fn() -> BoxFuture<'static, Vec<Check>> + Send + Sync;

/// Looks, and remembers what was found last.
#[derive(Clone)]
pub struct Doctor {
    clock: Clock,
    examine: Arc<Examine>,
    last: Arc<Lock<Findings>>,
    one_at_a_time: Arc<Mutex<()>>,
}

impl fmt::Debug for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doctor").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Doctor {
    /// Looks by this.
    pub fn new(clock: Clock, examine: Arc<Examine>) -> Self {
        Self { clock, examine, last: Arc::default(), one_at_a_time: Arc::default() }
    }

    /// What was found last; nothing, if nobody has looked since the daemon was started.
    pub fn last(&self) -> Findings {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks now. Whoever asks meanwhile waits for the same look: it takes seconds, and sends packets.
    pub async fn look(&self) -> Findings {
        let before = self.last().at;
        let _one = self.one_at_a_time.lock().await;
        let meanwhile = self.last();
        if meanwhile.at != before {
            return meanwhile;
        }
        let checks = (self.examine)().await;
        let good = checks.iter().all(|check| check.status != CheckStatus::Fail);
        let found = Findings { at: Some(self.clock.now()), good, checks };
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&found);
        found
    }
}
