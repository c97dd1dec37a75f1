//! How many lines one address may send: a burst, and so many a second from then on.
use pilotlight_types::Timestamp;
use std::{collections::HashMap, net::Ipv4Addr, time::Duration};

/// At once: what a kernel says while it boots is some 1,500 lines in a few seconds.
const BURST: f64 = 3000.0;
/// A second, in the long run.
const A_SECOND: f64 = 200.0;
/// The most addresses that are kept account of; a flood from more of them is one sender's.
const MOST: usize = 16_384;
/// How often the whole table is looked through at the most: a flood must not be able to ask for it with each packet.
const LOOK: Duration = Duration::from_secs(1);

/// The account of each address.
#[derive(Debug, Default)]
pub(super) struct Rates {
    of: HashMap<Ipv4Addr, Account>,
    strangers: Account,
    looked: Timestamp,
}

/// How many lines are left, and when that was.
#[derive(Debug, Clone, Copy)]
struct Account {
    left: f64,
    at: Timestamp,
}

impl Default for Account {
    fn default() -> Self {
        Self { left: BURST, at: Timestamp::default() }
    }
}

impl Account {
    fn refilled(self, now: Timestamp) -> Self {
        let left = self.left + now.since(self.at).as_secs_f64() * A_SECOND;
        Self { left: left.min(BURST), at: now }
    }
}

impl Rates {
    /// Whether one more line may come from this address now.
    pub(super) fn allow(&mut self, from: Ipv4Addr, now: Timestamp) -> bool {
        let full = self.of.len() >= MOST && !self.of.contains_key(&from);
        if full && now.since(self.looked) >= LOOK {
            self.looked = now;
            // Whoever has been silent for long enough is as good as new.
            self.of.retain(|_, account| account.refilled(now).left < BURST);
        }
        let account = if self.of.len() >= MOST && !self.of.contains_key(&from) {
            &mut self.strangers
        } else {
            self.of.entry(from).or_default()
        };
        *account = account.refilled(now);
        let allowed = account.left >= 1.0;
        if allowed {
            account.left -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_a_burst_and_then_its_share_and_takes_from_nobody() {
        let (mut rates, start) = (Rates::default(), Timestamp::from_micros(1_760_000_000_000_000));
        let (loud, quiet) = (Ipv4Addr::new(10, 77, 0, 100), Ipv4Addr::new(10, 77, 0, 101));
        let taken = (0..10_000).filter(|_| rates.allow(loud, start)).count();
        assert_eq!(taken, 3000);
        assert!(rates.allow(quiet, start));
        let later = start.plus(Duration::from_secs(2));
        assert_eq!((0..10_000).filter(|_| rates.allow(loud, later)).count(), 400);
    }

    #[test]
    fn addresses_without_end_take_no_memory_without_end() {
        let (mut rates, now) = (Rates::default(), Timestamp::from_micros(1_760_000_000_000_000));
        let taken = (0..100_000_u32).filter(|n| rates.allow(Ipv4Addr::from_bits(*n), now)).count();
        assert_eq!((taken, rates.of.len()), (MOST + 3000, MOST));
        let later = now.plus(Duration::from_secs(60));
        assert!(rates.allow(Ipv4Addr::new(10, 0, 0, 1), later), "those who fell silent are forgotten");
        assert!(rates.of.len() < 10);
    }
}
