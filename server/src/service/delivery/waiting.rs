//! Machines whose config waits for a secret. Ignition asks again after a 503, for ever: the machine is held, and nothing of its boot
//! is lost.
use super::{Delivery, Denied, TOKEN_LIFE};
use crate::{
    domain::machine::Machine,
    service::{boots::Seen, configs::Draft, journal::Actor, machines::object},
    store::Write,
};
use bytes::Bytes;
use pilotlight_types::{
    BootId, Timestamp,
    api::{Boot, Phase},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How often the one-time token of a machine that waits is made to last.
const KEEP_EVERY: Duration = Duration::from_secs(900);

/// The boots that wait for a secret, and what for.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<HashMap<BootId, Wait>>>);

#[derive(Debug)]
struct Wait {
    since: Timestamp,
    kept: Timestamp,
    why: String,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<BootId, Wait>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a boot waits; says whether that is news, and whether its token is to be made to last.
    fn note(&self, boot: BootId, why: &str, now: Timestamp) -> (bool, bool) {
        let mut all = self.lock();
        let Some(wait) = all.get_mut(&boot) else {
            all.insert(boot, Wait { since: now, kept: now, why: why.to_owned() });
            return (true, true);
        };
        let news = wait.why != why;
        let keep = now.since(wait.kept) >= KEEP_EVERY;
        if news {
            why.clone_into(&mut wait.why);
        }
        if keep {
            wait.kept = now;
        }
        (news, keep)
    }
}

impl Delivery {
    /// What the newest boot of a machine waits for, if its config waits for a secret.
    pub fn waits(&self, boot: BootId) -> Option<String> {
        self.waiting.lock().get(&boot).map(|wait| wait.why.clone())
    }

    /// How many boots wait for a secret.
    pub fn waiting(&self) -> usize {
        let open = |boot: &BootId| self.boots.newest(*boot).is_some_and(|(_, boot)| boot.ended.is_none());
        // Two locks, one after the other: boots are looked at by others who come here next.
        let all: Vec<BootId> = self.waiting.lock().keys().copied().collect();
        let (open, over): (Vec<BootId>, Vec<BootId>) = all.into_iter().partition(open);
        let mut waiting = self.waiting.lock();
        over.iter().for_each(|boot| drop(waiting.remove(boot)));
        open.len()
    }

    /// The config with its secrets; or the machine waits, which is told to everybody but with no value.
    pub(super) async fn with_secrets(
        &self,
        machine: &Machine,
        boot: &Boot,
        draft: &Draft,
        token_hash: &str,
    ) -> Result<Bytes, Denied> {
        let made = match self.secrets.values(draft.secrets()).await {
            Ok(values) => draft.filled(values).map_err(|error| error.to_string()),
            Err(missing) => Err(missing.to_string()),
        };
        match made {
            Ok(config) => {
                let waited = self.waiting.lock().remove(&boot.id);
                if let Some(Wait { since, .. }) = waited {
                    let waited = self.journal.now().since(since).as_secs_f32();
                    let message =
                        format!("{} has the secrets of its config, {waited:.1} s late", machine.name);
                    let told = self.journal.event(
                        "secret.found",
                        &object(&machine.name),
                        &Actor::machine(),
                        Some(boot.id),
                        message,
                    );
                    self.journal.later(vec![told]);
                }
                Ok(config.to_string().into())
            }
            Err(why) => {
                let now = self.journal.now();
                let (news, keep) = self.waiting.note(boot.id, &why, now);
                let mut writes = Vec::new();
                if keep {
                    writes.push(Write::KeepBootToken(token_hash.to_owned(), now.plus(TOKEN_LIFE)));
                }
                if news {
                    let message = format!("{} waits for its config: {why}", machine.name);
                    writes.push(self.told("secret.missing", machine, boot.id, message));
                }
                // The phase comes first: events name the boot, which may be written with it.
                self.boots.saw(boot.id, Seen::begun(Phase::Ignition, format!("waits: {why}")));
                if !writes.is_empty() {
                    self.journal.commit(writes).await?;
                }
                Err(Denied::NotNow(why))
            }
        }
    }
}
