//! What was said a moment ago, so that it is not said again with each packet.
use pilotlight_types::Timestamp;
use std::{collections::HashMap, hash::Hash, time::Duration};

/// Things that were seen within a while; a bounded number of them.
#[derive(Debug)]
pub struct Recent<T> {
    seen: HashMap<T, Timestamp>,
    period: Duration,
    most: usize,
}

impl<T: Eq + Hash> Recent<T> {
    /// Remembers `most` things, each for `period` after it was seen last.
    pub fn new(period: Duration, most: usize) -> Self {
        Self { seen: HashMap::new(), period, most }
    }

    /// Notes that a thing was seen; says whether that is news. What does not fit is no news: there are enough already.
    pub fn is_news(&mut self, thing: T, now: Timestamp) -> bool {
        if let Some(last) = self.seen.get_mut(&thing) {
            let news = *last < now && now.since(*last) >= self.period;
            *last = now;
            return news;
        }
        if self.seen.len() >= self.most {
            self.forget(now);
        }
        let fits = self.seen.len() < self.most;
        if fits {
            self.seen.insert(thing, now);
        }
        fits
    }

    /// How many things were seen within the period.
    pub fn count(&mut self, now: Timestamp) -> usize {
        self.forget(now);
        self.seen.len()
    }

    /// What was seen within the period, and when last; the latest first.
    pub fn seen(&mut self, now: Timestamp) -> Vec<(&T, Timestamp)> {
        self.forget(now);
        let mut all: Vec<_> = self.seen.iter().map(|(thing, last)| (thing, *last)).collect();
        all.sort_by_key(|(_, last)| std::cmp::Reverse(*last));
        all
    }

    fn forget(&mut self, now: Timestamp) {
        let period = self.period;
        self.seen.retain(|_, last| now.since(*last) < period);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_thing_is_news_once_until_it_was_not_seen_for_a_period() {
        let mut recent = Recent::new(Duration::from_secs(60), 10);
        assert!(recent.is_news("a", at(0)));
        assert!(!recent.is_news("a", at(50)));
        assert!(!recent.is_news("a", at(100)), "it was there all the time");
        assert_eq!(recent.count(at(110)), 1);
        assert_eq!(recent.seen(at(110)), [(&"a", at(100))]);
        assert!(recent.is_news("a", at(160)));
        assert_eq!(recent.count(at(300)), 0);
    }

    #[test]
    fn there_are_only_so_many_news() {
        let mut recent = Recent::new(Duration::from_secs(60), 100);
        let news = (0..10_000).filter(|n| recent.is_news(*n, at(1))).count();
        assert_eq!((news, recent.count(at(2))), (100, 100));
        assert!(recent.is_news(10_001, at(61)), "and then there is room again");
    }
}
