//! What machines fetch and report over TLS: the Ignition config with its one-time token, then the agent with its own.
use super::{
    Peer,
    auth::token,
    problem::{Failure, unauthorized},
};
use crate::service::{agents::Agents, delivery::Delivery};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use pilotlight_types::{
    BootId,
    agent::{Heartbeat, Instructions, Progress},
    facts::Facts,
};
use serde::de::DeserializeOwned;

/// What the agent endpoints need.
#[derive(Debug, Clone)]
pub struct AgentApi {
    /// Configs.
    pub delivery: Delivery,
    /// Reports.
    pub agents: Agents,
}

pub(super) fn router(api: AgentApi) -> Router {
    Router::new()
        .route("/boots/{boot}/ignition", get(ignition))
        .route("/boots/{boot}/progress", post(progress))
        .route("/boots/{boot}/facts", post(facts))
        .route("/boots/{boot}/heartbeat", post(heartbeat))
        .layer(DefaultBodyLimit::max(Facts::MAX_JSON_BYTES))
        .with_state(api)
}

async fn ignition(
    State(api): State<AgentApi>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(boot): Path<BootId>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let token = bearer(&headers)?;
    let config = api.delivery.ignition(boot, &token, peer.remote.ip(), peer.local.ip()).await?;
    let headers =
        [(header::CONTENT_TYPE, "application/vnd.coreos.ignition+json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, config).into_response())
}

async fn progress(
    State(api): State<AgentApi>,
    Path(boot): Path<BootId>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Instructions>, Failure> {
    let progress: Progress = read(&body)?;
    Ok(Json(api.agents.progress(boot, &bearer(&headers)?, progress).await?))
}

async fn facts(
    State(api): State<AgentApi>,
    Path(boot): Path<BootId>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Instructions>, Failure> {
    let facts: Facts = read(&body)?;
    Ok(Json(api.agents.facts(boot, &bearer(&headers)?, facts).await?))
}

async fn heartbeat(
    State(api): State<AgentApi>,
    Path(boot): Path<BootId>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Instructions>, Failure> {
    let Heartbeat { .. } = read(&body)?;
    Ok(Json(api.agents.heartbeat(boot, &bearer(&headers)?).await?))
}

fn bearer(headers: &HeaderMap) -> Result<String, Failure> {
    token(headers).ok_or_else(|| unauthorized("send the boot's token as `Authorization: Bearer`"))
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|e| Failure::bad_request(format!("the body is not what is expected: {e}")))
}
