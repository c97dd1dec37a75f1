//! How long a transfer waits for an ACK: what its own client's answers were measured to take (RFC 6298).
use std::time::Duration;

/// Before anything was measured, when nothing was asked.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Below this a client's own scheduling looks like a loss. What is measured of it makes it longer for most; a wait that was
/// too short costs a packet twice, and is not repeated: see [`Wait`].
pub(super) const SHORTEST_WAIT: Duration = Duration::from_millis(5);
/// On a link that is full to the last packet several in a row are lost, and firmware gives up after 16 seconds: it must be asked
/// often enough until then.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How long to wait for an ACK: RFC 6298, unless the client named a time.
pub(super) struct Wait {
    asked: Option<Duration>,
    smoothed: Option<(Duration, Duration)>,
    quickest: Option<Duration>,
    /// How often it is doubled: once by each timeout, and no more once something was measured (RFC 6298 section 5.7). The ACKs of
    /// a client that has become slower than the wait cannot be measured, since all that they answer was sent twice.
    doubled: u32,
}

impl Wait {
    /// Before anything was measured. `asked` is what the client named (RFC 2349).
    pub(super) fn new(asked: Option<Duration>) -> Self {
        Self { asked, smoothed: None, quickest: None, doubled: 0 }
    }

    /// An answer came so long after what it answers, which was sent once.
    pub(super) fn measured(&mut self, sample: Duration) {
        self.doubled = 0;
        self.quickest = Some(self.quickest.map_or(sample, |quickest| quickest.min(sample)));
        self.smoothed = Some(match self.smoothed {
            None => (sample, sample / 2),
            Some((mean, spread)) => ((mean * 7 + sample) / 8, (spread * 3 + mean.abs_diff(sample)) / 4),
        });
    }

    /// The client came on without a timeout, and nothing can be measured: on a wire that loses every tenth packet that is so
    /// for most windows.
    pub(super) fn was_enough(&mut self) {
        self.doubled = self.doubled.saturating_sub(1);
    }

    /// How soon a packet can be answered.
    pub(super) fn soonest(&self) -> Duration {
        self.quickest.unwrap_or_default() / 2
    }

    /// One more timeout.
    pub(super) fn was_too_short(&mut self) {
        self.doubled += 1;
    }

    /// How long from the last packet to the timeout.
    pub(super) fn now(&self) -> Duration {
        let first = match (self.asked, self.smoothed) {
            (Some(asked), _) => return asked,
            (None, None) => FIRST_WAIT,
            (None, Some((mean, spread))) => (mean + spread * 4).max(SHORTEST_WAIT),
        };
        first.saturating_mul(1 << self.doubled.min(11)).min(LONGEST_WAIT)
    }
}
