//! What metrics tell of webhooks. They are few, and declared by name: each has its own value.
use super::number;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TryLabels {
    webhook: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DeliveryLabels {
    webhook: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WebhookLabels {
    webhook: String,
}

/// How webhooks do.
#[derive(Debug, Clone, Default)]
pub struct WebhooksState {
    /// What came of tries since the start, by webhook and outcome.
    pub tries: Vec<((String, &'static str), u64)>,
    /// Deliveries that are pending or dead, by webhook and state.
    pub deliveries: Vec<(String, &'static str, u64)>,
    /// How long the oldest one has been pending, in seconds, by webhook.
    pub oldest: Vec<(String, u64)>,
    /// Webhooks that are paused.
    pub paused: usize,
}

/// The same, as it is told.
#[derive(Debug, Clone, Default)]
pub(super) struct WebhookMetrics {
    pub(super) tries: Family<TryLabels, Counter>,
    pub(super) deliveries: Family<DeliveryLabels, Gauge>,
    pub(super) oldest: Family<WebhookLabels, Gauge>,
    pub(super) paused: Gauge,
}

impl WebhookMetrics {
    pub(super) fn set(&self, now: WebhooksState) {
        let bounded = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.tries.clear();
        for ((webhook, outcome), count) in now.tries {
            self.tries.get_or_create(&TryLabels { webhook, outcome }).inc_by(count);
        }
        self.deliveries.clear();
        for (webhook, state, count) in now.deliveries {
            self.deliveries.get_or_create(&DeliveryLabels { webhook, state }).set(bounded(count));
        }
        self.oldest.clear();
        for (webhook, seconds) in now.oldest {
            self.oldest.get_or_create(&WebhookLabels { webhook }).set(bounded(seconds));
        }
        self.paused.set(number(now.paused));
    }
}
