//! How much is written down of what anybody can bring about: a flood of refusals must not fill the disk, nor hide that it was one.
use pilotlight_types::Timestamp;
use std::time::Duration;

/// The time over which is counted.
const WINDOW: Duration = Duration::from_secs(60);

/// So many are written down in that time.
pub const MOST: u32 = 60;

/// Counts what is told.
#[derive(Debug, Default)]
pub struct Ration {
    since: Timestamp,
    told: u32,
    left_out: u64,
}

impl Ration {
    /// Whether one more is told of now; and then, how many were left out since the last one.
    pub fn take(&mut self, now: Timestamp) -> Option<u64> {
        // The clock may have been set back.
        if now >= self.since.plus(WINDOW) || now < self.since {
            (self.since, self.told) = (now, 0);
        }
        if self.told >= MOST {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn what_is_left_out_is_told_with_the_next() {
        let mut ration = Ration::default();
        let told = (0..1000).filter(|_| ration.take(at(0)).is_some()).count();
        assert_eq!(told, 60);
        assert_eq!(ration.take(at(59)), None);
        assert_eq!(ration.take(at(60)), Some(941));
        assert_eq!(ration.take(at(60)), Some(0), "once");
        assert_eq!(ration.take(at(-1)), Some(0), "the clock was set back");
    }
}
