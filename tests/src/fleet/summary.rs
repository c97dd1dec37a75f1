//! What came of a hall, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::machine::{Outcome, Stage};

/// What came of a hall.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How many machines were powered on.
    pub machines: usize,
    /// How many gave up.
    pub lost: usize,
    /// Where they gave up, and the reason of one of them.
    pub lost_in: BTreeMap<Stage, (usize, String)>,
    /// Seconds from power-on until machines were done; of those that were not lost.
    pub done: Percentiles,
    /// Bytes of files that machines took.
    pub bytes: u64,
    /// Seconds that the link needs for those bytes.
    pub link_seconds: f64,
    /// Time to the last machine against that.
    pub ratio: f64,
    /// Seconds that each part of the way took.
    pub stages: BTreeMap<Stage, Percentiles>,
}

/// Seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Of the first.
    pub first: f64,
    /// Of the median.
    pub median: f64,
    /// 99 % had no more.
    pub p99: f64,
    /// Of the last.
    pub last: f64,
}

impl Summary {
    /// Sums a hall up that had a link of so many bits a second.
    pub fn of(outcomes: &[Outcome], link: u64) -> Self {
        let mut stages: BTreeMap<Stage, Vec<Duration>> = BTreeMap::new();
        let mut lost_in: BTreeMap<Stage, (usize, String)> = BTreeMap::new();
        let mut bytes = 0;
        for outcome in outcomes {
            for step in &outcome.steps {
                stages.entry(step.stage).or_default().push(step.took);
                bytes += step.bytes;
            }
            if let Some((stage, why)) = &outcome.lost {
                lost_in.entry(*stage).or_insert_with(|| (0, why.clone())).0 += 1;
            }
        }
        let done: Vec<_> = outcomes.iter().filter(|one| one.lost.is_none()).map(|one| one.at).collect();
        let done = Percentiles::of(done);
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let link_seconds = bytes as f64 * 8.0 / link.max(1) as f64;
        Self {
            machines: outcomes.len(),
            lost: lost_in.values().map(|(count, _)| count).sum(),
            lost_in,
            done,
            bytes,
            link_seconds,
            ratio: if link_seconds > 0.0 { done.last / link_seconds } else { 0.0 },
            stages: stages.into_iter().map(|(stage, took)| (stage, Percentiles::of(took))).collect(),
        }
    }
}

impl Summary {
    /// As a part of a row of a table: lost, first, median and last, what the link needs, the ratio.
    pub fn row(&self) -> String {
        let Self { lost, done, link_seconds, ratio, .. } = self;
        let Percentiles { first, median, last, .. } = done;
        format!("{lost} | {first:.1} | {median:.1} | {last:.1} | {link_seconds:.1} | {ratio:.2}")
    }
}

impl Percentiles {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let at = |percent: usize| {
            let index = (all.len() * percent).div_ceil(100).saturating_sub(1);
            all.get(index).map_or(0.0, Duration::as_secs_f64)
        };
        Self { first: at(0), median: at(50), p99: at(99), last: at(100) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "machines {}, lost {}", self.machines, self.lost)?;
        for (stage, (count, why)) in &self.lost_in {
            writeln!(f, "  {count} in {stage:?}, such as: {why}")?;
        }
        let Percentiles { first, median, p99, last } = self.done;
        writeln!(
            f,
            "done after: first {first:.1} s, median {median:.1} s, 99 % {p99:.1} s, last {last:.1} s"
        )?;
        let (bytes, link, ratio) = (self.bytes, self.link_seconds, self.ratio);
        writeln!(f, "{bytes} bytes, for which the link needs {link:.1} s: ratio {ratio:.3}")?;
        writeln!(f, "{:12} {:>8} {:>8} {:>8} {:>8}", "seconds", "first", "median", "99 %", "last")?;
        for (stage, Percentiles { first, median, p99, last }) in &self.stages {
            let name = format!("{stage:?}");
            writeln!(f, "{name:12} {first:8.2} {median:8.2} {p99:8.2} {last:8.2}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::Step;
    use super::*;

    #[test]
    fn a_hall_is_summed_up() {
        let one = |seconds: u64, lost: bool| Outcome {
            steps: vec![Step {
                stage: Stage::Rootfs,
                took: Duration::from_secs(seconds),
                bytes: 125_000_000,
            }],
            at: Duration::from_secs(seconds + 1),
            lost: lost.then(|| (Stage::Linux, "no answer".into())),
        };
        let all: Vec<_> = (1..=100).map(|seconds| one(seconds, seconds == 100)).collect();
        let summary = Summary::of(&all, 1_000_000_000);
        assert_eq!((summary.machines, summary.lost), (100, 1));
        assert_eq!(summary.lost_in[&Stage::Linux], (1, "no answer".into()));
        // The lost one's time does not count, but the link had its bytes to carry.
        assert_eq!(summary.done, Percentiles { first: 2.0, median: 51.0, p99: 100.0, last: 100.0 });
        assert_eq!((summary.bytes, summary.link_seconds, summary.ratio), (12_500_000_000, 100.0, 1.0));
        assert_eq!(summary.stages[&Stage::Rootfs].last, 100.0);
        assert_eq!(summary.row(), "1 | 2.0 | 51.0 | 100.0 | 100.0 | 1.00");
        let text = summary.to_string();
        assert!(text.contains("machines 100, lost 1\n  1 in Linux, such as: no answer\n"), "{text}");
    }
}
