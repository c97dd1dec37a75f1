//! What was seen of a boot, as those who saw it say it.
use pilotlight_types::{
    Timestamp,
    api::{Phase, PhaseRecord},
};

/// Something that was seen of a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// In which phase.
    pub phase: Phase,
    /// What it was.
    pub detail: Option<String>,
    /// Bytes that were handed over.
    pub bytes: u64,
    /// Whether this is one more request of the machine, or news of one that was counted.
    pub request: bool,
    /// Whether the phase has what it needs.
    pub done: bool,
}

impl Seen {
    /// A request, answered at once.
    pub fn answered(phase: Phase, detail: impl Into<String>, bytes: u64) -> Self {
        Self { phase, detail: Some(detail.into()), bytes, request: true, done: true }
    }

    /// A request whose answer goes on.
    pub fn begun(phase: Phase, detail: impl Into<String>) -> Self {
        Self { phase, detail: Some(detail.into()), bytes: 0, request: true, done: false }
    }

    /// The end of an answer: whole, or cut short.
    pub const fn served(phase: Phase, bytes: u64, whole: bool) -> Self {
        Self { phase, detail: None, bytes, request: false, done: whole }
    }
}

impl Seen {
    pub(super) fn record(&self, now: Timestamp) -> PhaseRecord {
        PhaseRecord {
            phase: self.phase,
            started: now,
            last: now,
            ended: self.done.then_some(now),
            bytes: self.bytes,
            requests: u32::from(self.request),
            detail: self.detail.clone(),
        }
    }
}
