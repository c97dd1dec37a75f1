//! What machines have taken of files that they fetch in many small ranges. A BMC's virtual media reads 32 KiB at a time: to
//! write down each would cost more than to send it.
use pilotlight_types::{BootId, api::Phase};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// After how many bytes a fetch is written down again, if as much time has passed.
pub(super) const NEWS: u64 = 8 << 20;

/// After what time at the earliest. A hall at 10 Gbit/s would otherwise have the database commit 150 times a second, only to
/// say that it goes on.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// More fetches than this do not go on at once; those of the past are forgotten with the rest.
const MOST: usize = 16_384;

/// Bytes that are not written down yet, of each file that a boot fetches in ranges.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<HashMap<(BootId, Phase), Pending>>>);

#[derive(Debug)]
struct Pending {
    bytes: u64,
    /// Since when.
    since: Instant,
}

impl Tally {
    /// Whether this is the first range of that file.
    pub(super) fn begins(&self, boot: BootId, phase: Phase, now: Instant) -> bool {
        let mut pending = self.lock();
        if pending.len() >= MOST {
            pending.clear();
        }
        let known = pending.contains_key(&(boot, phase));
        pending.entry((boot, phase)).or_insert(Pending { bytes: 0, since: now });
        !known
    }

    /// Adds bytes, and gives what is to be written down now, if there is enough of it or `all` is to be.
    pub(super) fn add(&self, boot: BootId, phase: Phase, bytes: u64, all: bool, now: Instant) -> Option<u64> {
        let mut pending = self.lock();
        let pending = pending.entry((boot, phase)).or_insert(Pending { bytes: 0, since: now });
        pending.bytes += bytes;
        let due = pending.bytes >= NEWS && now.saturating_duration_since(pending.since) >= PAUSE;
        (all || due).then(|| std::mem::replace(pending, Pending { bytes: 0, since: now }).bytes)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(BootId, Phase), Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_ranges_are_written_down_together_and_none_is_lost() {
        let (tally, boot): (_, BootId) =
            (Tally::default(), "00000000-0000-0000-0000-000000000000".parse().unwrap());
        let now = Instant::now();
        let rootfs = |bytes, all, now| tally.add(boot, Phase::Rootfs, bytes, all, now);
        assert!(tally.begins(boot, Phase::Rootfs, now) && !tally.begins(boot, Phase::Rootfs, now), "once");
        assert!(tally.begins(boot, Phase::Kernel, now), "another file");
        // A hundred a second.
        let told: Vec<u64> =
            (0..600).filter_map(|n| rootfs(32 << 10, false, now + Duration::from_millis(10 * n))).collect();
        assert_eq!(told, [NEWS, NEWS], "256 of 32 KiB each time");
        let rest = 600 * (32 << 10) - 2 * NEWS;
        assert_eq!(rootfs(5, true, now), Some(rest + 5), "at the file's end");
        assert_eq!(rootfs(0, true, now), Some(0));
        assert_eq!(
            rootfs(5 * NEWS, false, now + PAUSE / 2),
            None,
            "a fast link is no reason to write more often"
        );
        assert_eq!(rootfs(1, false, now + PAUSE), Some(5 * NEWS + 1));
    }
}
