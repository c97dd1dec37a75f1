//! Boots that fell silent are failed boots, and say why.
use super::Reconcile;
use crate::{
    domain::attempt::{diagnosis, last_sign},
    service::{StoreError, boots::Boots, console::Console, journal::Journal},
};
use pilotlight_types::{BootId, api::Outcome};
use std::time::Duration;

/// Ends boots that have been silent for too long.
#[derive(Debug)]
pub struct Stalls {
    /// The boots.
    pub boots: Boots,
    /// What machines say.
    pub console: Console,
    /// The time.
    pub journal: Journal,
    /// How long a boot may be silent.
    pub patience: Duration,
}

/// How many of a boot's last lines are part of the reason that it failed, and how much of each.
const LAST_WORDS: (i64, usize) = (3, 160);

impl Stalls {
    /// What the machine said last, as the end of a reason. The reason does without if that cannot be read.
    async fn last_words(&self, boot: BootId) -> String {
        let (lines, longest) = LAST_WORDS;
        let last = self.console.end(boot, lines).await.unwrap_or_default();
        let quoted: Vec<String> = last
            .iter()
            .map(|line| format!("`{}`", line.to_string().chars().take(longest).collect::<String>()))
            .collect();
        if quoted.is_empty() { String::new() } else { format!("; it said last: {}", quoted.join(", ")) }
    }
}

impl Reconcile for Stalls {
    const NAME: &'static str = "stalls";
    const DOES: &'static str = "ends boots that have been silent for too long";
    const PERIOD: Duration = Duration::from_secs(2);
    type Error = StoreError;

    async fn pass(&mut self) -> Result<(), StoreError> {
        let now = self.journal.now();
        for boot in self.boots.open() {
            let silent = now.since(last_sign(&boot));
            if silent >= self.patience {
                let last =
                    boot.furthest().map_or_else(|| "its first packet".to_owned(), |phase| phase.to_string());
                let mut why =
                    format!("nothing was seen for {} s after {last}: {}", silent.as_secs(), diagnosis(&boot));
                why.push_str(&self.last_words(boot.id).await);
                self.boots.end(boot.id, Outcome::Failed { why }).await?;
            }
        }
        Ok(())
    }
}
