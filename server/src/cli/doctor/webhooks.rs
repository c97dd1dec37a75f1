//! Whether webhooks are told, by what the daemon's metrics say: those need no token.
use super::Check;

const CHECK: &str = "webhooks";

/// A receiver that takes nothing for so long, in seconds, is worth a look.
const LONG: u64 = 900;

/// What the metrics say of webhooks; nothing, where there are none.
pub(super) fn judged(metrics: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    for (webhook, dead) in values(metrics, "pilotlight_webhook_deliveries", "state=\"dead\"") {
        if dead > 0 {
            checks.push(Check::warn(
                CHECK,
                format!("{dead} deliveries of webhook {webhook} were given up"),
                format!("pilotlight webhook deliveries {webhook} --state dead; pilotlight webhook replay {webhook} --dead"),
            ));
        }
    }
    for (webhook, seconds) in values(metrics, "pilotlight_webhook_oldest_pending_seconds", "") {
        if seconds > LONG {
            checks.push(Check::warn(
                CHECK,
                format!("a delivery of webhook {webhook} has waited for {} minutes", seconds / 60),
                format!(
                    "pilotlight webhook deliveries {webhook} --state pending says what its receiver answers"
                ),
            ));
        }
    }
    for (_, paused) in values(metrics, "pilotlight_webhooks_paused", "") {
        if paused > 0 {
            checks.push(Check::warn(
                CHECK,
                format!("{paused} webhooks are paused: nothing is sent to them"),
                "pilotlight webhook status NAME says why; pilotlight webhook resume NAME sends again",
            ));
        }
    }
    checks
}

/// The values of a metric: each with its webhook.
fn values<'a>(metrics: &'a str, name: &'a str, label: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
    metrics.lines().filter_map(move |line| {
        let (key, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        let own = key.is_empty() || key.starts_with('{');
        let webhook =
            key.split("webhook=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        (own && key.contains(label)).then_some((webhook, value.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_said() {
        let metrics = "# TYPE pilotlight_webhook_deliveries gauge\n\
            pilotlight_webhook_deliveries{webhook=\"chat\",state=\"dead\"} 3\n\
            pilotlight_webhook_deliveries{webhook=\"chat\",state=\"pending\"} 9\n\
            pilotlight_webhook_deliveries{webhook=\"ci\",state=\"dead\"} 0\n\
            pilotlight_webhook_oldest_pending_seconds{webhook=\"chat\"} 1800\n\
            pilotlight_webhook_oldest_pending_seconds{webhook=\"ci\"} 10\n\
            pilotlight_webhooks_paused 1\n# EOF\n";
        let seen: Vec<String> = judged(metrics).into_iter().map(|check| check.seen).collect();
        assert_eq!(
            seen,
            [
                "3 deliveries of webhook chat were given up",
                "a delivery of webhook chat has waited for 30 minutes",
                "1 webhooks are paused: nothing is sent to them",
            ]
        );
        assert!(judged("pilotlight_webhooks_paused 0\n# EOF\n").is_empty());
    }
}
