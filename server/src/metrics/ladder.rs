//! What metrics tell of machines that are to boot and do not.
use super::number;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StepLabels {
    step: &'static str,
}

/// How it goes on the ladder.
#[derive(Debug, Clone, Default)]
pub struct LadderState {
    /// Steps that were taken since the start.
    pub steps: Vec<(&'static str, u64)>,
    /// Machines with which something is tried.
    pub trying: usize,
    /// Machines with which nothing is left to try.
    pub ended: usize,
}

/// The same, as it is told.
#[derive(Debug, Clone, Default)]
pub(super) struct LadderMetrics {
    steps: Family<StepLabels, Counter>,
    trying: Gauge,
    ended: Gauge,
}

impl LadderMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "ladder_steps",
            "Steps that were taken with machines that did not boot, by step: restart, cycle, bmc-reset, http, hold",
            self.steps.clone(),
        );
        registry.register(
            "machines_on_ladder",
            "Machines that do not boot, with which something is tried",
            self.trying.clone(),
        );
        registry.register(
            "machines_off_ladder",
            "Machines that do not boot and are held, since nothing is left to try",
            self.ended.clone(),
        );
    }

    pub(super) fn set(&self, now: LadderState) {
        self.steps.clear();
        for (step, count) in now.steps {
            self.steps.get_or_create(&StepLabels { step }).inc_by(count);
        }
        self.trying.set(number(now.trying));
        self.ended.set(number(now.ended));
    }
}
