//! Boots that fell silent are failed boots, and say why.
use super::Reconcile;
use crate::{
    domain::{
        attempt::last_sign,
        deadlines::{Deadline, stretch},
    },
    service::{
        StoreError, boots::Boots, console::Console, deadlines::Deadlines, diagnoses::Diagnoses,
        journal::Journal, roster::Roster,
    },
};
use pilotlight_types::BootId;
use std::time::Duration;

/// Ends boots that have been silent for too long.
#[derive(Debug)]
pub struct Stalls {
    /// The boots.
    pub boots: Boots,
    /// Their machines.
    pub roster: Roster,
    /// What machines say.
    pub console: Console,
    /// The time.
    pub journal: Journal,
    /// How long a boot may be silent.
    pub deadlines: Deadlines,
    /// Why it is.
    pub diagnoses: Diagnoses,
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
        for open in self.boots.open() {
            let Some((id, boot)) = self.boots.newest(open.id) else { continue };
            let silent = now.since(last_sign(&boot));
            let Deadline { after, learned } = self.deadlines.of(id, stretch(&boot));
            if silent < after {
                continue;
            }
            let Some(machine) = self.roster.machine(id) else { continue };
            let diagnosis = self.diagnoses.of(&machine, Some(&boot)).await;
            let last =
                boot.furthest().map_or_else(|| "its first packet".to_owned(), |phase| phase.to_string());
            // Where it was learned, people are told what of.
            let usual = learned.map_or_else(String::new, |(boots, longest)| {
                format!(" (95 of 100 of {boots} boots like it are not for more than {} s)", longest.as_secs())
            });
            let mut why = format!(
                "nothing was seen for {} s after {last}{usual}: {}",
                silent.as_secs(),
                diagnosis.text
            );
            why.push_str(&self.last_words(boot.id).await);
            self.boots.fail(boot.id, why, diagnosis).await?;
        }
        Ok(())
    }
}
