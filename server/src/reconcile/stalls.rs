//! Boots that fell silent are failed boots, and say why.
use super::Reconcile;
use crate::{
    domain::attempt::{diagnosis, last_sign},
    service::{StoreError, boots::Boots, journal::Journal},
};
use pilotlight_types::api::Outcome;
use std::time::Duration;

/// Ends boots that have been silent for too long.
#[derive(Debug)]
pub struct Stalls {
    /// The boots.
    pub boots: Boots,
    /// The time.
    pub journal: Journal,
    /// How long a boot may be silent.
    pub patience: Duration,
}

impl Reconcile for Stalls {
    const NAME: &'static str = "stalls";
    const PERIOD: Duration = Duration::from_secs(2);
    type Error = StoreError;

    async fn pass(&mut self) -> Result<(), StoreError> {
        let now = self.journal.now();
        for boot in self.boots.open() {
            let silent = now.since(last_sign(&boot));
            if silent >= self.patience {
                let last =
                    boot.furthest().map_or_else(|| "its first packet".to_owned(), |phase| phase.to_string());
                let why =
                    format!("nothing was seen for {} s after {last}: {}", silent.as_secs(), diagnosis(&boot));
                self.boots.end(boot.id, Outcome::Failed { why }).await?;
            }
        }
        Ok(())
    }
}
