//! The last plans, so that whoever expects one can be told what is different now.
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many plans are remembered.
const MOST: usize = 32;
/// How many lines of one.
const MOST_FACTS: usize = 20_000;
/// How many differences are told.
const TOLD: usize = 20;

/// Plans by their hashes, oldest first.
type Plans = VecDeque<(String, Vec<String>)>;

/// The last plans, by their hashes.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembered(Arc<Mutex<Plans>>);

impl Remembered {
    /// Remembers one more, in the place of the oldest.
    pub(super) fn keep(&self, hash: String, facts: Vec<String>) {
        let mut plans = self.lock();
        plans.retain(|(known, _)| *known != hash);
        if facts.len() <= MOST_FACTS {
            plans.push_back((hash, facts));
        }
        if plans.len() > MOST {
            plans.pop_front();
        }
    }

    /// What is different now from the plan of that hash, in words.
    pub(super) fn differs(&self, hash: &str, now: &[String]) -> String {
        let plans = self.lock();
        let Some((_, then)) = plans.iter().find(|(known, _)| known == hash) else {
            return "That plan is not remembered here: make a new one, and look at it".to_owned();
        };
        let (then, now): (BTreeSet<&String>, BTreeSet<&String>) =
            (then.iter().collect(), now.iter().collect());
        let only_then = then.difference(&now).map(|fact| format!("planned, and not any more: {fact}"));
        let only_now = now.difference(&then).map(|fact| format!("not planned: {fact}"));
        let all: Vec<String> = only_then.chain(only_now).collect();
        let mut told = all.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
        if all.len() > TOLD {
            told.push_str(&format!("; and {} more", all.len() - TOLD));
        }
        told
    }

    fn lock(&self) -> MutexGuard<'_, Plans> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_of_plans_that_are_remembered() {
        let plans = Remembered::default();
        let facts = |all: &[&str]| all.iter().map(|fact| (*fact).to_owned()).collect::<Vec<_>>();
        plans.keep("one".into(), facts(&["a", "b"]));
        assert_eq!(plans.differs("one", &facts(&["b", "c"])), "planned, and not any more: a; not planned: c");
        for number in 0..MOST {
            plans.keep(number.to_string(), Vec::new());
        }
        assert!(plans.differs("one", &[]).contains("not remembered"));
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert!(plans.differs("0", &many).ends_with("; and 80 more"));
    }
}
