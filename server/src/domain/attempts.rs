//! Guessing is made slow: who fails often waits, longer each time.
use pilotlight_types::Timestamp;
use std::{collections::HashMap, net::IpAddr, time::Duration};

/// How many failures are remembered.
const MOST: usize = 10_000;

/// A failure is forgotten after this long without another one.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// What is guessed, and from where. Each counts for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// One user from one address.
    Both(String, IpAddr),
    /// One address, whatever user.
    From(IpAddr),
    /// One user, from everywhere.
    User(String),
}

impl Key {
    /// How many failures are free, and the longest wait after those. That of a user from everywhere is short: it is what strangers can
    /// keep somebody else waiting by.
    const fn allows(&self) -> (u32, Duration) {
        match self {
            Self::Both(..) => (3, Duration::from_secs(900)),
            Self::From(_) => (20, Duration::from_secs(900)),
            Self::User(_) => (30, Duration::from_secs(30)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    count: u32,
    last: Timestamp,
}

/// Who failed to sign in, and how often.
#[derive(Debug, Default)]
pub struct Attempts {
    failed: HashMap<Key, Failed>,
}

impl Attempts {
    /// Begins an attempt, which counts as failed until [`Attempts::succeeded`] says otherwise, so that many at once are many. Or says how
    /// long to wait: nothing is tried then, and nothing is counted.
    pub fn begin(&mut self, user: &str, from: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        let keys = keys(user, from);
        let wait = keys.iter().map(|key| self.wait(key, now)).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        for key in keys {
            self.make_room(now);
            let failed = self.failed.entry(key).or_insert(Failed { count: 0, last: now });
            let count = if now.since(failed.last) >= FORGOTTEN { 0 } else { failed.count };
            *failed = Failed { count: count.saturating_add(1), last: now };
        }
        Ok(())
    }

    /// The attempt that was begun was good. What others failed at from there, or with that user, stays.
    pub fn succeeded(&mut self, user: &str, from: Option<IpAddr>) {
        for key in keys(user, from) {
            if matches!(key, Key::Both(..)) {
                self.failed.remove(&key);
            } else if let Some(failed) = self.failed.get_mut(&key) {
                failed.count = failed.count.saturating_sub(1);
            }
        }
    }

    fn wait(&self, key: &Key, now: Timestamp) -> Duration {
        let Some(failed) = self.failed.get(key) else { return Duration::ZERO };
        let (free, longest) = key.allows();
        let passed = now.since(failed.last);
        if passed >= FORGOTTEN || failed.count < free {
            return Duration::ZERO;
        }
        let seconds = 1_u64.checked_shl(failed.count - free).unwrap_or(u64::MAX);
        Duration::from_secs(seconds).min(longest).saturating_sub(passed)
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.failed.len() < MOST {
            return;
        }
        self.failed.retain(|_, failed| now.since(failed.last) < FORGOTTEN);
        if self.failed.len() < MOST {
            return;
        }
        // A tenth at once: a flood does not make each attempt look at all of them.
        let mut times: Vec<Timestamp> = self.failed.values().map(|failed| failed.last).collect();
        let (_, newest_to_go, _) = times.select_nth_unstable(MOST / 10);
        let newest_to_go = *newest_to_go;
        let mut left = MOST / 10;
        self.failed.retain(|_, failed| {
            let goes = left > 0 && failed.last <= newest_to_go;
            left -= usize::from(goes);
            !goes
        });
    }
}

fn keys(user: &str, from: Option<IpAddr>) -> Vec<Key> {
    // No user has a longer name.
    let user: String = user.chars().take(64).collect();
    let Some(from) = from.map(network) else { return vec![Key::User(user)] };
    vec![Key::Both(user.clone(), from), Key::From(from), Key::User(user)]
}

/// Whoever has one address of an IPv6 network has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_760_000_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn from(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_wait_doubles_and_others_do_not_wait() {
        let mut attempts = Attempts::default();
        let here = from("10.0.0.1");
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..14 {
            if let Err(wait) = attempts.begin("alice", here, at(now)) {
                waits.push(wait.as_secs());
                now += wait.as_secs();
                assert_eq!(
                    attempts.begin("alice", here, at(now)),
                    Ok(()),
                    "the wait is over when it says so"
                );
            }
        }
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 64, 128]);
        assert_eq!(attempts.begin("alice", from("10.0.0.2"), at(now)), Ok(()), "alice herself is elsewhere");
        assert_eq!(attempts.begin("bob", here, at(now)), Ok(()));
        assert_eq!(attempts.begin("alice", here, at(now + 4000)), Ok(()), "an hour later it is forgotten");
    }

    #[test]
    fn an_address_that_tries_many_users_waits() {
        let mut attempts = Attempts::default();
        for user in 0..20 {
            assert_eq!(attempts.begin(&format!("u{user}"), from("2001:db8::1"), at(0)), Ok(()));
        }
        assert!(attempts.begin("u20", from("2001:db8::2"), at(0)).is_err(), "the same /64");
        assert!(attempts.begin("u20", from("2001:db8:0:1::1"), at(0)).is_ok());
    }

    #[test]
    fn strangers_keep_nobody_waiting_for_long() {
        let mut attempts = Attempts::default();
        let mut worst = Duration::ZERO;
        for stranger in 0..1000_u32 {
            let address = Some(IpAddr::V4((0x0a00_0000 + stranger).into()));
            // They come as fast as they can.
            worst = worst
                .max(attempts.begin("alice", address, at(u64::from(stranger))).err().unwrap_or_default());
        }
        assert!((29..=30).contains(&worst.as_secs()), "{worst:?}");
    }

    #[test]
    fn who_succeeds_begins_anew() {
        let mut attempts = Attempts::default();
        for _ in 0..5 {
            for _ in 0..3 {
                assert_eq!(
                    attempts.begin("alice", from("10.0.0.1"), at(0)),
                    Ok(()),
                    "two failures and a success"
                );
            }
            attempts.succeeded("alice", from("10.0.0.1"));
        }
    }

    proptest! {
        #[test]
        fn memory_is_bounded(users in proptest::collection::vec("[a-z]{1,8}", 1..200), n in 0_u32..20_000) {
            let mut attempts = Attempts::default();
            for (index, user) in users.iter().enumerate() {
                let address = IpAddr::V4((n.wrapping_mul(7).wrapping_add(u32::try_from(index).unwrap())).into());
                let _ = attempts.begin(user, Some(address), at(0));
            }
            prop_assert!(attempts.failed.len() <= 3 * users.len());
        }
    }

    #[test]
    fn a_flood_of_names_and_addresses_forgets_the_oldest() {
        let mut attempts = Attempts::default();
        for n in 0..12_000_u32 {
            let _ = attempts.begin(&format!("u{n}"), Some(IpAddr::V4(n.into())), at(u64::from(n / 100)));
        }
        assert!(attempts.failed.len() <= MOST, "{}", attempts.failed.len());
    }
}
