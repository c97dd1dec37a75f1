//! How boots usually go: the median of each phase, of boots that became active.
use pilotlight_types::{
    Timestamp,
    api::{Boot, Phase, PhaseMedian},
};

/// The median of how long the boots took, and of each of their phases, in milliseconds.
pub fn medians<'a>(boots: impl IntoIterator<Item = &'a Boot>) -> (Option<u64>, Vec<PhaseMedian>) {
    let boots: Vec<&Boot> = boots.into_iter().collect();
    let took = boots.iter().filter_map(|boot| Some(millis(boot.started, boot.ended?)));
    let phases = Phase::ALL.into_iter().filter_map(|phase| {
        let seen = || boots.iter().filter_map(|boot| Some((boot.started, boot.phase(phase)?)));
        let after = median(seen().map(|(first, record)| millis(first, record.started)))?;
        let took = seen().map(|(_, record)| millis(record.started, record.ended.unwrap_or(record.last)));
        Some(PhaseMedian { phase, after_ms: after, took_ms: median(took)? })
    });
    (median(took), phases.collect())
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

/// The upper one of the two in the middle, if they are an even number.
fn median(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attempt::{new, record};
    use pilotlight_types::{Mac, api::PhaseRecord};
    use std::time::Duration;

    /// A boot whose kernel is asked for after `wait` seconds, and takes as long as that again.
    fn boot(wait: u64) -> Boot {
        let first = Timestamp::from_micros(1_000_000);
        let id = "01940000-0000-7000-8000-000000000000".parse().unwrap();
        let mut boot = new(id, &"n1".parse().unwrap(), Mac::new([2, 0, 0, 0, 0, 1]), first);
        let at = |seconds| first.plus(Duration::from_secs(seconds));
        let (started, ended) = (at(wait), Some(at(2 * wait)));
        let kernel = PhaseRecord {
            phase: Phase::Kernel,
            started,
            last: started,
            ended,
            bytes: 1,
            requests: 1,
            detail: None,
        };
        record(&mut boot, kernel);
        boot.ended = Some(at(3 * wait));
        boot
    }

    #[test]
    fn one_slow_boot_does_not_move_what_is_usual() {
        let boots = [boot(2), boot(600), boot(1)];
        let (took, phases) = medians(&boots);
        assert_eq!(took, Some(6000));
        assert_eq!(phases, [PhaseMedian { phase: Phase::Kernel, after_ms: 2000, took_ms: 2000 }]);
    }

    #[test]
    fn of_no_boots_nothing_is_usual() {
        assert_eq!(medians([]), (None, Vec::new()));
    }
}
