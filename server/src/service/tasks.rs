//! What the daemon does again and again, and how it went the last time.
use crate::clock::Clock;
use pilotlight_types::{Timestamp, api::Task};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Everything that is done again and again.
#[derive(Debug, Clone)]
pub struct Tasks {
    clock: Clock,
    all: Arc<Mutex<BTreeMap<&'static str, Task>>>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Passes {
    name: &'static str,
    tasks: Tasks,
}

impl Tasks {
    /// Nothing yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, all: Arc::default() }
    }

    /// One more, which runs at least so often.
    pub fn register(&self, name: &'static str, does: &'static str, every: Duration) -> Passes {
        let task = Task {
            name: name.to_owned(),
            does: does.to_owned(),
            every: every.as_secs(),
            passes: 0,
            failed: 0,
            last: None,
            millis: None,
            error: None,
        };
        self.lock().insert(name, task);
        Passes { name, tasks: self.clone() }
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Task> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Task>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passes {
    /// When a pass begins.
    pub fn begin(&self) -> Timestamp {
        self.tasks.clock.now()
    }

    /// It ended: well, or with this error.
    pub fn ended(&self, began: Timestamp, error: Option<String>) {
        let took = self.tasks.clock.now().since(began);
        let mut all = self.tasks.lock();
        let Some(task) = all.get_mut(self.name) else { return };
        task.passes += 1;
        task.failed += u64::from(error.is_some());
        task.last = Some(began);
        task.millis = Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        task.error = error;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn the_last_pass_is_remembered_with_what_went_wrong() {
        let clock = Arc::new(AtomicI64::new(1_000_000));
        let tasks = Tasks::new(Clock::Manual(clock.clone()));
        let passes = tasks.register("stalls", "ends silent boots", Duration::from_secs(2));
        assert_eq!(tasks.all()[0].last, None, "none has begun");
        let began = passes.begin();
        clock.fetch_add(7_000, Ordering::SeqCst);
        passes.ended(began, Some("the database is away".into()));
        let after = tasks.all();
        let task = &after[0];
        assert_eq!((task.passes, task.failed, task.millis, task.last), (1, 1, Some(7), Some(began)));
        passes.ended(passes.begin(), None);
        let after = tasks.all();
        assert_eq!((after[0].passes, after[0].failed, after[0].error.as_deref()), (2, 1, None));
    }
}
