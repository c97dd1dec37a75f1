//! Whether the daemon lives, whether it can serve, and how it does.
use super::problem::Failure;
use crate::{
    metrics::{BmcState, LadderState, Metrics, PacingState, State as MetricsState, WebhooksState},
    service::{
        boots::Boots, delivery::Delivery, history::History, inbox::Inbox, journal::Journal,
        ladder::LadderCounts, power::Power, secrets::Secrets, sightings::Sightings, views::Views,
        webhooks::Webhooks,
    },
};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// What the health endpoints need.
#[derive(Debug, Clone)]
pub struct Health {
    /// The database.
    pub history: History,
    /// The metrics.
    pub metrics: Metrics,
    /// Machines and leases.
    pub views: Views,
    /// What waits.
    pub inbox: Inbox,
    /// Boots.
    pub boots: Boots,
    /// Configs, some of which wait.
    pub delivery: Delivery,
    /// Secrets of configs.
    pub secrets: Secrets,
    /// Switches machines.
    pub power: Power,
    /// Steps that were taken with machines that did not boot.
    pub ladder: LadderCounts,
    /// What webhooks are told.
    pub webhooks: Webhooks,
    /// Other DHCP servers.
    pub sightings: Sightings,
    /// The time.
    pub journal: Journal,
    /// Set when every socket answers.
    pub serving: Arc<AtomicBool>,
}

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Health>) -> Response {
    let serving = health.serving.load(Ordering::Acquire);
    let database =
        tokio::time::timeout(PATIENCE, health.history.ping()).await.is_ok_and(|answer| answer.is_ok());
    let status = if serving && database { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"sockets": serving, "database": database}))).into_response()
}

async fn metrics(State(health): State<Health>) -> Result<Response, Failure> {
    let headers = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Ok((headers, text(&health)?).into_response())
}

/// The metrics, as Prometheus reads them.
pub(super) fn text(health: &Health) -> Result<String, Failure> {
    let paced = health.boots.pacing().shown(health.journal.now());
    let pacing = paced.into_iter().map(|paced| PacingState {
        subnet: paced.subnet.to_string(),
        loading: paced.loading,
        waiting: paced.waiting,
        held: paced.held,
        rate: paced.rate,
        link: paced.link.bytes(),
    });
    let webhooks = health.webhooks.state();
    let (trying, ended) = health.views.on_ladder();
    let (bmc, open) = health.power.bmcs().state();
    let now = MetricsState {
        bmc: BmcState {
            asked: bmc.asked.into_iter().collect(),
            micros: bmc.micros.into_iter().collect(),
            open,
        },
        ladder: LadderState { steps: health.ladder.get(), trying, ended },
        webhooks: WebhooksState {
            tries: webhooks.tries,
            deliveries: webhooks.deliveries,
            oldest: webhooks.oldest,
            paused: webhooks.paused,
        },
        pacing: pacing.collect(),
        inbox: health.inbox.counts().into_iter().map(|(state, count)| (state.name(), count)).collect(),
        overdue: health.views.overdue(health.journal.now()),
        machines: health.views.stages(),
        drifted: health.views.drifted(),
        leases: health.views.leases(health.journal.now()),
        leases6: health.views.leases6(health.journal.now()),
        boots: health.boots.open().len(),
        secret_failures: health.secrets.failures().into_iter().collect(),
        secrets_waiting: health.delivery.waiting(),
        foreign_servers: health.sightings.foreign_servers(),
    };
    health.metrics.encode(now).map_err(|e| Failure::unavailable(e.to_string()))
}

/// People who come to the port in the clear are sent to the other one.
pub(super) fn redirect(uri: &Uri, headers: &HeaderMap, https_port: u16) -> Redirect {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    Redirect::temporary(&format!("https://{name}:{https_port}{}", uri.path()))
}
