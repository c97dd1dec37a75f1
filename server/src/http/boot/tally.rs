//! What machines have taken of files that they fetch in many small ranges. A BMC's virtual media reads 32 KiB at a time: to
//! write down each would cost more than to send it.
use pilotlight_types::{BootId, api::Phase};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// After how many bytes a fetch is written down again.
pub(super) const NEWS: u64 = 8 << 20;

/// More fetches than this do not go on at once; those of the past are forgotten with the rest.
const MOST: usize = 16_384;

/// Bytes that are not written down yet, of each file that a boot fetches in ranges.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<HashMap<(BootId, Phase), u64>>>);

impl Tally {
    /// Whether this is the first range of that file.
    pub(super) fn begins(&self, boot: BootId, phase: Phase) -> bool {
        let mut pending = self.lock();
        if pending.len() >= MOST {
            pending.clear();
        }
        let known = pending.contains_key(&(boot, phase));
        pending.entry((boot, phase)).or_default();
        !known
    }

    /// Adds bytes, and gives what is to be written down now, if there is enough of it or `all` is to be.
    pub(super) fn add(&self, boot: BootId, phase: Phase, bytes: u64, all: bool) -> Option<u64> {
        let mut pending = self.lock();
        let sum = pending.entry((boot, phase)).or_default();
        *sum += bytes;
        (all || *sum >= NEWS).then(|| std::mem::take(sum))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(BootId, Phase), u64>> {
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
        assert!(tally.begins(boot, Phase::Rootfs) && !tally.begins(boot, Phase::Rootfs));
        assert!(tally.begins(boot, Phase::Kernel), "another file");
        let told: Vec<u64> =
            (0..600).filter_map(|_| tally.add(boot, Phase::Rootfs, 32 << 10, false)).collect();
        assert_eq!(told, [NEWS, NEWS], "256 of 32 KiB each time");
        let rest = 600 * (32 << 10) - 2 * NEWS;
        assert_eq!(tally.add(boot, Phase::Rootfs, 5, true), Some(rest + 5), "at the file's end");
        assert_eq!(tally.add(boot, Phase::Rootfs, 0, true), Some(0));
    }
}
