//! How a BMC does: what failed lately, and whether it is left alone for now.
use crate::bmc::BmcError;
use pilotlight_types::{
    Timestamp,
    api::{BmcFailure, Breaker},
    resource::BmcSpec,
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// So many failures in a row, and it is left alone.
const MANY: u32 = 5;
/// For so long at first; it doubles with each further failure, up to this.
const PAUSE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));
/// A password or a certificate that is not right is not right a moment later either, and tries lock accounts.
const WRONG: Duration = Duration::from_secs(300);
/// How many failures are kept.
const KEPT: usize = 10;

/// How one BMC does.
#[derive(Debug, Default)]
pub(super) struct Health {
    of: Option<BmcSpec>,
    failures: u32,
    until: Option<Instant>,
    errors: VecDeque<BmcFailure>,
}

/// What changed by something that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// It is left alone from now on, for so long.
    Opened(Duration),
    /// It is not any more.
    Closed,
}

impl Health {
    /// What failed with other credentials says nothing of these.
    pub(super) fn is_of(&mut self, spec: &BmcSpec) {
        // Several machines may share a BMC.
        let account = BmcSpec { system: None, ..spec.clone() };
        if self.of.as_ref() != Some(&account) {
            (self.failures, self.until) = (0, None);
            self.of = Some(account);
        }
    }

    /// How long it is left alone, if it is.
    pub(super) fn closed_for(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    pub(super) fn judge(&mut self, error: Option<&BmcError>, now: Instant, at: Timestamp) -> Change {
        let Some(error) = error else {
            self.failures = 0;
            return if self.until.take().is_some() { Change::Closed } else { Change::None };
        };
        if self.errors.len() >= KEPT {
            self.errors.pop_front();
        }
        self.errors.push_back(BmcFailure { at, kind: error.kind().to_owned(), detail: error.to_string() });
        if !error.is_of_bmc() {
            return Change::None;
        }
        self.failures = self.failures.saturating_add(1);
        let pause = match error {
            BmcError::Auth(_) | BmcError::Tls(_) => WRONG,
            _ if self.failures >= MANY => {
                PAUSE.1.min(PAUSE.0.saturating_mul(2_u32.saturating_pow((self.failures - MANY).min(8))))
            }
            _ => return Change::None,
        };
        let told = self.until.is_some();
        self.until = Some(now + pause);
        // Once is enough, until it does as it is asked again.
        if told { Change::None } else { Change::Opened(pause) }
    }

    pub(super) fn breaker(&self, now: Instant, at: Timestamp) -> Breaker {
        let left = self.closed_for(now);
        Breaker { open: left.is_some(), until: left.map(|left| at.plus(left)), failures: self.failures }
    }

    pub(super) fn errors(&self) -> Vec<BmcFailure> {
        self.errors.iter().cloned().collect()
    }
}

/// How often BMCs were asked and how long it took, by what they speak.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// By protocol and what came of it: `ok`, or the kind of failure.
    pub asked: BTreeMap<(&'static str, &'static str), u64>,
    /// Microseconds altogether, by protocol.
    pub micros: BTreeMap<&'static str, u64>,
}

impl Counts {
    pub(super) fn count(&mut self, protocol: &'static str, outcome: &'static str, took: Duration) {
        *self.asked.entry((protocol, outcome)).or_default() += 1;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let sum = self.micros.entry(protocol).or_default();
        *sum = sum.saturating_add(micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> BmcError {
        BmcError::Away("nothing".to_owned())
    }

    #[test]
    fn a_bmc_that_fails_again_and_again_is_left_alone_for_longer_and_longer() {
        let (mut health, now) = (Health::default(), Instant::now());
        for _ in 1..MANY {
            assert_eq!(health.judge(Some(&away()), now, Timestamp::default()), Change::None);
            assert_eq!(health.closed_for(now), None);
        }
        assert_eq!(health.judge(Some(&away()), now, Timestamp::default()), Change::Opened(PAUSE.0));
        for _ in 0..20 {
            assert_eq!(health.judge(Some(&away()), now, Timestamp::default()), Change::None);
        }
        assert_eq!(health.closed_for(now), Some(PAUSE.1));
        assert_eq!(health.errors().len(), KEPT);
        assert_eq!(health.judge(None, now, Timestamp::default()), Change::Closed);
        assert_eq!(health.closed_for(now), None);
    }

    #[test]
    fn a_wrong_password_is_not_tried_until_the_account_is_locked() {
        let (mut health, now) = (Health::default(), Instant::now());
        let wrong = BmcError::Auth("no".to_owned());
        assert_eq!(health.judge(Some(&wrong), now, Timestamp::default()), Change::Opened(WRONG));
    }

    #[test]
    fn what_a_bmc_refuses_does_not_count_against_it() {
        let (mut health, now) = (Health::default(), Instant::now());
        for _ in 0..20 {
            let refused = BmcError::Unsupported("no such boot device".to_owned());
            assert_eq!(health.judge(Some(&refused), now, Timestamp::default()), Change::None);
        }
        assert_eq!(health.closed_for(now), None);
    }
}
