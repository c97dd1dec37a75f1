//! How many packets are taken of a client, and of those that nobody declared together, so that made-up ones do not keep us from real
//! machines.
use pilotlight_types::{Mac, Timestamp};
use std::{collections::HashMap, time::Duration};

/// The time over which packets are counted.
pub const WINDOW: Duration = Duration::from_secs(10);

/// So many packets of one client are taken in that time. A boot takes about ten.
pub const MOST_OF_ONE: u16 = 60;

/// So many packets of clients that nobody declared are taken in that time: a hall of several thousand machines, all new and all powered on
/// at once, stays below.
pub const MOST_OF_STRANGERS: u32 = 20_000;

/// Whether a packet is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Take,
    /// Its client sends too many.
    TooOften,
    /// Clients that nobody declared send too many, all together.
    Flood,
}

/// Counts packets. It remembers no more clients than there are declared machines and packets of others in a window.
#[derive(Debug, Default)]
pub struct Limiter {
    since: Timestamp,
    packets: HashMap<Mac, u16>,
    of_strangers: u32,
}

impl Limiter {
    /// Counts a packet, and says whether it is taken.
    pub fn take(&mut self, mac: Mac, declared: bool, now: Timestamp) -> Verdict {
        // The clock may have been set back.
        if now >= self.since.plus(WINDOW) || now < self.since {
            *self = Self { since: now, ..Self::default() };
        }
        if !declared {
            if self.of_strangers >= MOST_OF_STRANGERS {
                return Verdict::Flood;
            }
            self.of_strangers += 1;
        }
        let packets = self.packets.entry(mac).or_default();
        if *packets >= MOST_OF_ONE {
            return Verdict::TooOften;
        }
        *packets += 1;
        Verdict::Take
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(n: u32) -> Mac {
        let [a, b, c, d] = n.to_be_bytes();
        Mac::new([2, 0, a, b, c, d])
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    #[test]
    fn a_flood_of_strangers_ends_and_declared_machines_go_on() {
        let mut limiter = Limiter::default();
        let taken =
            (0..100_000).filter(|n| limiter.take(mac(*n), false, at(1_000_000)) == Verdict::Take).count();
        assert_eq!(taken, 20_000);
        assert!(limiter.packets.len() <= 20_000);
        assert_eq!(limiter.take(mac(1), false, at(1_000_001)), Verdict::Flood);
        for n in 0..10_000 {
            assert_eq!(limiter.take(mac(n), true, at(1_000_002)), Verdict::Take, "{n}");
        }
        assert_eq!(limiter.take(mac(1), false, at(1_010_001)), Verdict::Take, "in the next window");
    }

    #[test]
    fn one_client_may_not_send_for_all() {
        let mut limiter = Limiter::default();
        let verdicts: Vec<_> = (0..70).map(|n| limiter.take(mac(1), true, at(1_000_000 + n))).collect();
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Take).count(), 60);
        assert_eq!(verdicts.last(), Some(&Verdict::TooOften));
        assert_eq!(limiter.take(mac(2), true, at(1_000_100)), Verdict::Take);
        assert_eq!(limiter.take(mac(1), true, at(5)), Verdict::Take, "the clock was set back");
    }
}
