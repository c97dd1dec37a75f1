//! Work that takes long: begun for somebody who does not wait on a connection, looked at until it ends, and for a while after.
use crate::clock::{Clock, random};
use pilotlight_types::{
    OperationId, Timestamp,
    api::{Operation, OperationState, Problem, Transfer},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

/// How many may go on at once.
const MOST_RUNNING: usize = 32;

/// How many that have ended are kept, to be looked at.
const MOST_ENDED: usize = 200;

/// What goes on, and what has ended lately. A daemon that stops ends them all, and forgets them: what was asked for can be asked for
/// again, and files that were fetched by then are there.
#[derive(Debug, Clone)]
pub struct Operations {
    all: Arc<Mutex<BTreeMap<OperationId, Known>>>,
    clock: Clock,
    /// Ends them all.
    stop: CancellationToken,
}

#[derive(Debug)]
struct Known {
    operation: Operation,
    progress: Progress,
}

/// How far something that takes long has come. Who does the work tells it; who asked for it looks, and may call it off.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    files: Mutex<Vec<Arc<Fetched>>>,
    called_off: CancellationToken,
    /// Whether it is too late to call it off.
    writes: Mutex<bool>,
}

/// How much of one file is there.
#[derive(Debug)]
pub struct Fetched {
    url: String,
    size: Option<u64>,
    bytes: AtomicU64,
}

/// It was called off before anything was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was called off")]
pub struct CalledOff;

/// Why an operation is not called off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GoesOn {
    /// There is none of that id.
    #[error("there is no operation {0}: it ended long ago, or the daemon was started again since")]
    Unknown(OperationId),
    /// It has ended.
    #[error("operation {0} has ended")]
    Ended(OperationId),
    /// It is being written down.
    #[error("everything is fetched, and operation {0} is being carried out: that cannot be stopped halfway")]
    TooLate(OperationId),
}

impl Progress {
    /// A file begins to come.
    pub fn fetches(&self, url: &str, size: Option<u64>) -> Arc<Fetched> {
        let file = Arc::new(Fetched { url: url.to_owned(), size, bytes: AtomicU64::new(0) });
        locked(&self.0.files).push(file.clone());
        file
    }

    /// Returns when it is called off.
    pub async fn called_off(&self) -> CalledOff {
        self.0.called_off.cancelled().await;
        CalledOff
    }

    /// From here on it is too late to call it off; unless it was.
    pub fn writes(&self) -> Result<(), CalledOff> {
        let mut writes = locked(&self.0.writes);
        if self.0.called_off.is_cancelled() {
            return Err(CalledOff);
        }
        *writes = true;
        Ok(())
    }

    /// Calls it off; says whether it was not too late for that.
    fn call_off(&self) -> bool {
        let writes = locked(&self.0.writes);
        if !*writes {
            self.0.called_off.cancel();
        }
        !*writes
    }

    fn transfers(&self) -> Vec<Transfer> {
        let transfer = |file: &Arc<Fetched>| Transfer {
            url: file.url.clone(),
            bytes: file.bytes.load(Ordering::Relaxed),
            size: file.size,
        };
        locked(&self.0.files).iter().map(transfer).collect()
    }
}

impl Fetched {
    /// So many bytes more are there.
    pub fn more(&self, bytes: usize) {
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or_default(), Ordering::Relaxed);
    }
}

impl Operations {
    /// None yet. They end with `stop`.
    pub fn new(clock: Clock, stop: CancellationToken) -> Self {
        Self { all: Arc::default(), clock, stop }
    }

    /// Begins one; none if too many go on already. Whoever carries it out says how it [ends](Self::end).
    pub fn begin(&self, what: String, by: String) -> Option<(Operation, Progress)> {
        let mut all = locked(&self.all);
        let running = |known: &&Known| known.operation.ended.is_none();
        if all.values().filter(running).count() >= MOST_RUNNING {
            return None;
        }
        let now = self.clock.now();
        let called_off = self.stop.child_token();
        let progress = Progress(Arc::new(Inner { called_off, ..Inner::default() }));
        let operation = Operation {
            id: OperationId::new(now, random()),
            what,
            by,
            state: OperationState::Running,
            started: now,
            ended: None,
            transfers: Vec::new(),
            result: None,
            problem: None,
        };
        all.insert(operation.id, Known { operation: operation.clone(), progress: progress.clone() });
        Some((operation, progress))
    }

    /// One has ended, so. The oldest of many is forgotten.
    pub fn end(&self, id: OperationId, result: Result<Value, Problem>) {
        let mut all = locked(&self.all);
        if let Some(Known { operation, .. }) = all.get_mut(&id) {
            operation.ended = Some(self.clock.now());
            match result {
                Ok(result) => (operation.state, operation.result) = (OperationState::Succeeded, Some(result)),
                Err(problem) => {
                    (operation.state, operation.problem) = (OperationState::Failed, Some(problem));
                }
            }
        }
        let mut ended: Vec<(Timestamp, OperationId)> =
            all.iter().filter_map(|(id, known)| Some((known.operation.ended?, *id))).collect();
        ended.sort();
        for (_, id) in ended.iter().rev().skip(MOST_ENDED) {
            all.remove(id);
        }
    }

    /// All of them, newest first.
    pub fn list(&self) -> Vec<Operation> {
        locked(&self.all).values().rev().map(Known::shown).collect()
    }

    /// One.
    pub fn get(&self, id: OperationId) -> Option<Operation> {
        locked(&self.all).get(&id).map(Known::shown)
    }

    /// Calls one off that fetches. It ends a moment later, and has changed nothing.
    pub fn call_off(&self, id: OperationId) -> Result<(), GoesOn> {
        let all = locked(&self.all);
        let known = all.get(&id).ok_or(GoesOn::Unknown(id))?;
        match known.operation.state {
            OperationState::Running if known.progress.call_off() => Ok(()),
            OperationState::Running => Err(GoesOn::TooLate(id)),
            OperationState::Succeeded | OperationState::Failed => Err(GoesOn::Ended(id)),
        }
    }
}

impl Known {
    fn shown(&self) -> Operation {
        Operation { transfers: self.progress.transfers(), ..self.operation.clone() }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::atomic::AtomicI64;

    fn operations() -> (Operations, Arc<AtomicI64>) {
        let clock = Arc::new(AtomicI64::new(1_760_000_000_000_000));
        (Operations::new(Clock::Manual(clock.clone()), CancellationToken::new()), clock)
    }

    #[test]
    fn what_is_fetched_is_seen_and_what_came_of_it() {
        let (operations, _) = operations();
        let (operation, progress) = operations.begin("put image/os".into(), "ada".into()).unwrap();
        let file = progress.fetches("https://mirror/kernel", Some(10));
        file.more(4);
        let seen = operations.get(operation.id).unwrap();
        assert_eq!(
            (seen.state, seen.transfers[0].bytes, seen.transfers[0].size),
            (OperationState::Running, 4, Some(10))
        );
        operations.end(operation.id, Ok(json!({"name": "os"})));
        let seen = operations.get(operation.id).unwrap();
        assert_eq!((seen.state, seen.result), (OperationState::Succeeded, Some(json!({"name": "os"}))));
        assert_eq!(operations.call_off(operation.id), Err(GoesOn::Ended(operation.id)));
    }

    #[test]
    fn it_is_called_off_before_it_writes_and_not_after() {
        let (operations, _) = operations();
        let (one, progress) = operations.begin("one".into(), "ada".into()).unwrap();
        assert_eq!(operations.call_off(one.id), Ok(()));
        assert_eq!(progress.writes(), Err(CalledOff));
        let (two, progress) = operations.begin("two".into(), "ada".into()).unwrap();
        assert_eq!(progress.writes(), Ok(()));
        assert_eq!(operations.call_off(two.id), Err(GoesOn::TooLate(two.id)));
        operations.stop.cancel();
        let (three, progress) = operations.begin("three".into(), "ada".into()).unwrap();
        assert_eq!(progress.writes(), Err(CalledOff), "the daemon stops");
        operations.end(three.id, Ok(json!(null)));
    }

    #[test]
    fn neither_what_goes_on_nor_what_has_ended_grows_without_end() {
        let (operations, clock) = operations();
        let running: Vec<_> = std::iter::from_fn(|| operations.begin("x".into(), "ada".into())).collect();
        assert_eq!(running.len(), MOST_RUNNING);
        for (one, _) in running {
            operations.end(one.id, Ok(json!(null)));
        }
        let mut last = None;
        for _ in 0..MOST_ENDED {
            clock.fetch_add(1_000_000, Ordering::Relaxed);
            let (one, _) = operations.begin("y".into(), "ada".into()).unwrap();
            operations.end(one.id, Ok(json!(null)));
            last = Some(one.id);
        }
        let kept = operations.list();
        assert_eq!(kept.len(), MOST_ENDED);
        assert!(kept.iter().all(|one| one.what == "y"));
        assert_eq!(kept.first().map(|one| one.id), last);
    }
}
