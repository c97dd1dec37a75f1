//! Webhooks: which events one is told of, what is sent, and when it is sent again.
mod body;
mod reach;
mod signature;

pub use body::{TEST, body};
pub use reach::{Reach, Target, target};
pub use signature::{Key, KeyError, signatures};

use super::profile::{Context, Place, place};
use pilotlight_types::{
    Timestamp,
    resource::{EventPattern, SecretRef},
};
use std::{collections::BTreeMap, time::Duration};

/// Whether one of the patterns takes this kind of event.
pub fn takes(patterns: &[EventPattern], kind: &str) -> bool {
    patterns.iter().any(|pattern| is_like(pattern.as_str(), kind))
}

/// Whether a text is like a pattern in which `*` stands for any text. It takes as many steps as the two are long together, or, with
/// every further `*`, as the text is long.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        // The first place will do: what is left over is longest then.
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// Where a webhook's secret is. No machine is meant, so the text of the reference is no template here.
pub fn place_of(reference: &SecretRef) -> Result<Place, String> {
    if reference.text().contains("{{") || reference.text().contains("{%") {
        return Err("a webhook is for no machine: its references are no templates".to_owned());
    }
    place(reference, &Context::example(BTreeMap::new()))
}

/// When what failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// After the first failure.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How long it is tried at all.
    pub give_up: Duration,
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// It did not; where it said when to come again, that long from now.
    Failed(Option<Duration>),
    /// It wants nothing any more (410).
    Gone,
}

/// What is done after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is delivered.
    Done,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up.
    Dead,
    /// The webhook is paused; what was tried waits.
    Pause,
}

impl Manner {
    /// What is done after the try with this number, from 1, of a delivery that is given up at `expires`. `chance` is any number: tries
    /// that failed together are not made together again.
    pub fn next(
        &self,
        outcome: Outcome,
        tries: u32,
        now: Timestamp,
        expires: Timestamp,
        chance: u16,
    ) -> Next {
        match outcome {
            Outcome::Delivered => Next::Done,
            Outcome::Gone => Next::Pause,
            Outcome::Failed(_) if now >= expires => Next::Dead,
            Outcome::Failed(after) => {
                let wait = self.pause(tries, chance).max(after.unwrap_or_default());
                // The last try is at the very end.
                Next::Again(now.plus(wait).min(expires))
            }
        }
    }

    /// How long to wait after the try with this number: twice as long each time, give or take a quarter.
    fn pause(&self, tries: u32, chance: u16) -> Duration {
        let doubled =
            self.first.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX));
        let part = 0.75 + 0.5 * f64::from(chance) / f64::from(u16::MAX);
        doubled.min(self.longest).mul_f64(part)
    }

    /// How a receiver is spared that failed so often in a row, whatever it was sent: how many tries go on at once, and how long nothing
    /// is sent to it after a failure.
    pub fn spare(&self, failures: u32) -> (usize, Duration) {
        match failures.checked_sub(FEW) {
            None => (AT_ONCE, Duration::ZERO),
            Some(more) => (1, self.pause(more + 1, u16::MAX / 2).min(SPARED)),
        }
    }
}

/// How many deliveries of one webhook are under way at once.
pub const AT_ONCE: usize = 4;
/// So many failures in a row may be those of single events; with more, it is the receiver.
pub const FEW: u32 = 8;
/// A receiver that fails is asked at least this often whether it still does.
const SPARED: Duration = Duration::from_secs(60);

/// When `Retry-After` says to come again: seconds, or a date (RFC 9110 section 10.2.3).
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // So many digits that it is no number means very long.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))));
    }
    Timestamp::of_http(text).map(|date| date.since(now))
}

/// A text with each of these secrets masked, no longer than `most` bytes, without control characters.
pub fn masked(text: &str, secrets: &[String], most: usize) -> String {
    let mut longest: Vec<&String> = secrets.iter().filter(|secret| !secret.is_empty()).collect();
    // One may be part of another.
    longest.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut text = text.to_owned();
    for secret in longest {
        text = text.replace(secret.as_str(), "<secret>");
    }
    // What was read may end within one.
    if let Some(end) = secrets.iter().filter_map(|secret| begun(&text, secret)).min() {
        text.truncate(end);
    }
    let plain = |c: char| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c };
    let mut cut: String = text.chars().map(plain).collect();
    if let Some(end) = (0..=most).rev().find(|end| cut.is_char_boundary(*end)) {
        cut.truncate(end);
    }
    cut
}

/// Where a text ends with the beginning of a secret.
fn begun(text: &str, secret: &str) -> Option<usize> {
    let starts = secret.char_indices().map(|(at, _)| at).rev().filter(|length| *length >= FEWEST);
    let parts = starts.filter_map(|length| secret.get(..length));
    parts.filter_map(|part| text.strip_suffix(part)).map(str::len).next()
}

/// So many bytes of a secret's beginning say nothing of it.
const FEWEST: usize = 4;

#[cfg(test)]
mod tests;
