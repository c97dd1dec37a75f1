//! What metrics tell of BMCs, by what they speak and not by machine: there may be ten thousand.
use super::number;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::sync::atomic::AtomicU64;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AskedLabels {
    protocol: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProtocolLabels {
    protocol: &'static str,
}

/// How BMCs do.
#[derive(Debug, Clone, Default)]
pub struct BmcState {
    /// How often they were asked, by protocol and what came of it.
    pub asked: Vec<((&'static str, &'static str), u64)>,
    /// Microseconds that took altogether, by protocol.
    pub micros: Vec<(&'static str, u64)>,
    /// Those that are left alone for now.
    pub open: usize,
}

/// The same, as it is told.
#[derive(Debug, Clone, Default)]
pub(super) struct BmcMetrics {
    asked: Family<AskedLabels, Counter>,
    seconds: Family<ProtocolLabels, Counter<f64, AtomicU64>>,
    open: Gauge,
}

impl BmcMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "bmc_asked",
            "How often BMCs were asked for something, by protocol and outcome: ok, or the kind of failure",
            self.asked.clone(),
        );
        registry.register(
            "bmc_asked_seconds",
            "How long that took altogether, sessions and tries included, by protocol",
            self.seconds.clone(),
        );
        registry.register(
            "bmc_breakers_open",
            "BMCs that are left alone for now, since they failed too often",
            self.open.clone(),
        );
    }

    pub(super) fn set(&self, now: BmcState) {
        self.asked.clear();
        for ((protocol, outcome), count) in now.asked {
            self.asked.get_or_create(&AskedLabels { protocol, outcome }).inc_by(count);
        }
        self.seconds.clear();
        for (protocol, micros) in now.micros {
            let seconds = std::time::Duration::from_micros(micros).as_secs_f64();
            self.seconds.get_or_create(&ProtocolLabels { protocol }).inc_by(seconds);
        }
        self.open.set(number(now.open));
    }
}
