//! What machines say while they boot: taken in memory, and written down in batches behind the boot path's back.
use super::{boots::Boots, journal::Journal};
use crate::store::{ConsoleRow, Db, StoreError, Write};
use pilotlight_types::{
    BootId, Timestamp,
    api::{Boot, ConsoleLine, Outcome},
};
use std::{
    collections::{HashMap, VecDeque},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time};
use tokio_util::sync::CancellationToken;

/// How many of a boot's first lines are kept, and as many of its last.
pub const HALF: i64 = 1000;

/// How many lines may wait to be written.
const MOST_WAITING: usize = 20_000;
/// How many are written at once: the commit is shared with leases and scripts, which must not wait for it.
const BATCH: usize = 200;
/// How long lines wait for others to be written with.
const GATHER: Duration = Duration::from_millis(200);
/// After the database refused.
const PAUSE: Duration = Duration::from_secs(2);

/// Takes what machines say.
#[derive(Debug, Clone)]
pub struct Console {
    boots: Boots,
    journal: Journal,
    db: Db,
    waiting: Arc<Mutex<VecDeque<(BootId, Line)>>>,
    news: Arc<Notify>,
}

/// Something that a machine said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it came.
    pub at: Timestamp,
    /// 0 is an emergency, 7 for debugging.
    pub severity: Option<u8>,
    /// The program that said it.
    pub tag: Option<String>,
    /// What it said; printable, and of bounded length.
    pub text: String,
}

/// What came of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It will be written down.
    Kept,
    /// Nobody boots from that address.
    NoBoot,
    /// Too many wait to be written.
    Full,
}

impl Console {
    /// Takes lines to these boots.
    pub fn new(boots: Boots, journal: Journal, db: Db) -> Self {
        Self { boots, journal, db, waiting: Arc::default(), news: Arc::default() }
    }

    /// Takes a line that came from this address. Never waits.
    pub fn take(&self, from: Ipv4Addr, line: Line) -> Taken {
        let boot = self.boots.at(from).and_then(|id| self.boots.newest(id)).map(|(_, boot)| boot);
        let Some(boot) = boot.filter(|boot| listens(boot)) else { return Taken::NoBoot };
        let mut waiting = self.lock();
        if waiting.len() >= MOST_WAITING {
            return Taken::Full;
        }
        waiting.push_back((boot.id, line));
        self.news.notify_one();
        Taken::Kept
    }

    /// The lines of a boot after that one.
    pub async fn lines(&self, boot: BootId, after: i64, limit: i64) -> Result<Vec<ConsoleLine>, StoreError> {
        self.db.read().await?.console(boot, after, limit).await
    }

    /// A boot's last words.
    pub async fn end(&self, boot: BootId, lines: i64) -> Result<Vec<ConsoleLine>, StoreError> {
        self.db.read().await?.console_end(boot, lines).await
    }

    /// Writes down what is taken, until it is stopped and everything is written.
    pub async fn run(self, stop: CancellationToken) {
        let mut numbers = HashMap::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.news.notified() => {}
            }
            stop.run_until_cancelled(time::sleep(GATHER)).await;
            while let Err(error) = self.write(&mut numbers).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what machines say cannot be written down now"
                );
                if stop.run_until_cancelled(time::sleep(PAUSE)).await.is_none() {
                    return;
                }
            }
        }
        if let Err(error) = self.write(&mut numbers).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what machines said last is lost");
        }
    }

    /// Writes everything that waits. `numbers` has the number of the last line of each boot that is written to. What could not
    /// be written waits again.
    async fn write(&self, numbers: &mut HashMap<BootId, i64>) -> Result<(), StoreError> {
        loop {
            let batch: Vec<(BootId, Line)> = {
                let mut waiting = self.lock();
                let count = waiting.len().min(BATCH);
                waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                break;
            }
            if let Err(error) = self.write_batch(&batch, numbers).await {
                // Written or not: the numbers are read again.
                numbers.clear();
                let mut waiting = self.lock();
                batch.into_iter().rev().for_each(|line| waiting.push_front(line));
                return Err(error);
            }
        }
        numbers.retain(|boot, _| self.boots.newest(*boot).is_some());
        Ok(())
    }

    async fn write_batch(
        &self,
        batch: &[(BootId, Line)],
        numbers: &mut HashMap<BootId, i64>,
    ) -> Result<(), StoreError> {
        let mut writes = Vec::with_capacity(batch.len());
        for (boot, Line { at, severity, tag, text }) in batch {
            let number = match numbers.get(boot) {
                Some(last) => last + 1,
                // Not since this daemon was started.
                None => self.db.read().await?.console_len(*boot).await? + 1,
            };
            numbers.insert(*boot, number);
            let line = ConsoleLine {
                line: number,
                at: *at,
                severity: *severity,
                tag: tag.clone(),
                text: text.clone(),
            };
            writes.push(Write::Console(Box::new(ConsoleRow { boot: *boot, slot: slot(number), line })));
        }
        self.journal.commit(writes).await
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(BootId, Line)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether lines still belong to the boot: it goes on, or failed, and this may be why. What runs afterwards has a log of its own.
fn listens(boot: &Boot) -> bool {
    matches!(boot.outcome, None | Some(Outcome::Failed { .. }))
}

/// Where a line is kept: after the first [`HALF`], the places of the second half are used over and over.
fn slot(number: i64) -> i64 {
    if number <= HALF { number } else { HALF + 1 + (number - HALF - 1) % HALF }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_lines_have_places_of_their_own() {
        let (first, last) = (1..=HALF, (HALF * 7 + 301)..=(HALF * 8 + 300));
        let slots: std::collections::BTreeSet<i64> = first.chain(last).map(slot).collect();
        assert_eq!(slots, (1..=2 * HALF).collect());
    }
}
