//! How long a boot may be silent: learned of boots that became active, for each stretch of a boot of its own.
use pilotlight_types::api::{Boot, Phase};
use std::time::Duration;

/// Where a boot is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stretch {
    /// From power on to the first packet: the firmware's own tests.
    Post,
    /// After a phase, up to the next one.
    After(Phase),
}

/// Between what and what a deadline is, whatever was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// No less: what a boot usually takes says little of a network that is busy.
    pub floor: Duration,
    /// No more; and what holds where nothing was learned.
    pub ceiling: Duration,
}

/// How long is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// After how long a silence has lasted too long.
    pub after: Duration,
    /// Of how many boots that was learned, and how long 95 of 100 of them were silent there at the most; none where nothing was.
    pub learned: Option<(usize, Duration)>,
}

/// How long boots of a class were silent.
#[derive(Debug, Clone, Default)]
pub struct Learned(Vec<(Stretch, Vec<Duration>)>);

/// Of fewer boots nothing is learned.
pub const LEAST: usize = 5;

/// A boot may take so many halves of what others took.
const HALVES: u32 = 3;

impl Learned {
    /// Learns of a boot that became active.
    pub fn learn(&mut self, boot: &Boot) {
        for (stretch, silent) in silences(boot) {
            match self.0.iter_mut().find(|(there, _)| *there == stretch) {
                Some((_, all)) => all.push(silent),
                None => self.0.push((stretch, vec![silent])),
            }
        }
    }

    /// To be asked: afterwards [`deadline`] is cheap.
    pub fn sort(&mut self) {
        self.0.iter_mut().for_each(|(_, all)| all.sort_unstable());
    }

    fn p95(&self, stretch: Stretch) -> Option<(usize, Duration)> {
        let (_, all) = self.0.iter().find(|(there, _)| *there == stretch)?;
        let at = (all.len() * 95).div_ceil(100).checked_sub(1)?;
        all.get(at).filter(|_| all.len() >= LEAST).map(|longest| (all.len(), *longest))
    }
}

/// How long a silence may last there, by the first of these classes that knows.
pub fn deadline<'a>(
    classes: impl IntoIterator<Item = &'a Learned>,
    stretch: Stretch,
    bounds: Bounds,
) -> Deadline {
    let learned = classes.into_iter().find_map(|class| class.p95(stretch));
    let wanted = learned.map_or(bounds.ceiling, |(_, longest)| longest.saturating_mul(HALVES) / 2);
    // A floor above the ceiling says nothing: the ceiling is a promise.
    Deadline { after: wanted.max(bounds.floor).min(bounds.ceiling), learned }
}

/// Where a boot is silent now.
pub fn stretch(boot: &Boot) -> Stretch {
    boot.furthest().map_or(Stretch::Post, Stretch::After)
}

/// How long a boot was silent before each phase that it reached.
fn silences(boot: &Boot) -> Vec<(Stretch, Duration)> {
    let mut phases: Vec<_> = boot.phases.iter().collect();
    phases.sort_by_key(|record| record.phase);
    let post = boot.powered.map(|on| (Stretch::Post, boot.started.since(on)));
    let pairs = phases.iter().zip(phases.iter().skip(1)).map(|(before, next)| {
        // Firmware, iPXE and kernel ask for an address one after the other: the last sign before the next phase counts.
        let seen =
            boot.phases.iter().flat_map(|record| [Some(record.started), Some(record.last), record.ended]);
        let last = seen.flatten().filter(|sign| *sign < next.started).max().unwrap_or(next.started);
        (Stretch::After(before.phase), next.started.since(last))
    });
    post.into_iter().chain(pairs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attempt::{new, record};
    use pilotlight_types::{Mac, Timestamp, api::PhaseRecord};
    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds { floor: Duration::from_secs(60), ceiling: Duration::from_secs(600) };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_760_000_000_000_000).plus(Duration::from_secs(seconds))
    }

    /// Switched on at 0, first packet at 30, script at 40, and the kernel so many seconds after that.
    fn boot(kernel: u64) -> Boot {
        let id = "01940000-0000-7000-8000-000000000000".parse().unwrap();
        let mut boot = new(id, &"n1".parse().unwrap(), Mac::new([2, 0, 0, 0, 0, 1]), at(30));
        boot.powered = Some(at(0));
        for (phase, started) in [(Phase::Dhcp, 30), (Phase::Script, 40), (Phase::Kernel, 40 + kernel)] {
            let started = at(started);
            record(
                &mut boot,
                PhaseRecord {
                    phase,
                    started,
                    last: started,
                    ended: Some(started),
                    bytes: 1,
                    requests: 1,
                    detail: None,
                },
            );
        }
        boot
    }

    fn learned(kernels: impl IntoIterator<Item = u64>) -> Learned {
        let mut learned = Learned::default();
        kernels.into_iter().for_each(|kernel| learned.learn(&boot(kernel)));
        learned.sort();
        learned
    }

    fn secs(deadline: Deadline) -> u64 {
        deadline.after.as_secs()
    }

    #[test]
    fn what_95_of_100_needed_and_half_as_much_again() {
        // One in twenty takes for ever, and does not move it.
        let class = learned((1..=19).map(|_| 100).chain([5000]));
        let after = deadline([&class], Stretch::After(Phase::Script), BOUNDS);
        assert_eq!((secs(after), after.learned), (150, Some((20, Duration::from_secs(100)))));
        assert_eq!(secs(deadline([&class], Stretch::Post, BOUNDS)), 60, "30 s of POST: the floor");
        assert_eq!(
            secs(deadline([&learned([500; 9])], Stretch::After(Phase::Script), BOUNDS)),
            600,
            "the ceiling"
        );
    }

    #[test]
    fn of_few_boots_nothing_is_learned_and_a_wider_class_is_asked() {
        let (few, many) = (learned([100; LEAST - 1]), learned([200; LEAST]));
        let stretch = Stretch::After(Phase::Script);
        assert_eq!(deadline([&few], stretch, BOUNDS), Deadline { after: BOUNDS.ceiling, learned: None });
        assert_eq!(secs(deadline([&few, &many], stretch, BOUNDS)), 300);
        assert_eq!(secs(deadline([&many], Stretch::After(Phase::Rootfs), BOUNDS)), 600);
    }

    #[test]
    fn what_was_heard_in_between_is_no_silence() {
        let mut heard = boot(100);
        // iPXE asks for its address again, 90 s after the script.
        let again = heard.phases.iter_mut().find(|record| record.phase == Phase::Dhcp).unwrap();
        again.last = at(130);
        assert_eq!(silences(&heard)[2], (Stretch::After(Phase::Script), Duration::from_secs(10)));
    }

    proptest! {
        #[test]
        fn a_deadline_is_within_its_bounds(
            kernels in prop::collection::vec(0..100_000_u64, 0..40), floor in 0..1000_u64, ceiling in 1..1000_u64,
        ) {
            let bounds = Bounds { floor: Duration::from_secs(floor), ceiling: Duration::from_secs(ceiling) };
            let class = learned(kernels);
            for stretch in Phase::ALL.map(Stretch::After).into_iter().chain([Stretch::Post]) {
                let after = deadline([&class], stretch, bounds).after;
                prop_assert!(after <= bounds.ceiling && after >= bounds.floor.min(bounds.ceiling));
            }
        }
    }
}
