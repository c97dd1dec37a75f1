//! Machines: what is, and what operators ask of them. What is declared of them goes the way of every resource.
use super::{Page, next};
use crate::{
    http::{Peer, auth::Caller, problem::Failure},
    service::{
        explain::{Explain, Packets},
        machines::Machines,
        views::Views,
    },
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use pilotlight_types::{
    Mac,
    api::{Explanation, List, Machine, PacketExplanation, PacketQuestion},
};
use serde::Deserialize;
use uuid::Uuid;

#[derive(Debug, Clone)]
struct MachinesApi {
    views: Views,
    machines: Machines,
    explain: Explain,
    packets: Packets,
}

pub(super) fn router(views: Views, machines: Machines, (explain, packets): (Explain, Packets)) -> Router {
    Router::new()
        .route("/machines", get(list))
        .route("/machines/{name}/explain", get(explain_machine))
        .route("/machines/{name}/accept", post(accept))
        .route("/machines/{name}/provision", post(provision))
        .route("/machines/{name}/hold", post(hold))
        .route("/machines/{name}/release", post(release))
        .route("/machines/{name}/retire", post(retire))
        .route("/explain", get(explain_mac).post(explain_packet))
        .with_state(MachinesApi { views, machines, explain, packets })
}

async fn list(
    State(api): State<MachinesApi>,
    Query(page): Query<Page>,
) -> Result<Json<List<Machine>>, Failure> {
    let limit = page.limit();
    let items = api.views.machines(&page.selector()?, page.after()?.as_ref(), limit);
    Ok(Json(List { next: next(&items, limit, |machine| &machine.name), items }))
}

pub(super) fn shown(machine: &Machine) -> Result<Response, Failure> {
    let etag = HeaderValue::from_str(&format!("\"{}\"", machine.revision));
    let etag = etag.map_err(|e| Failure::unavailable(e.to_string()))?;
    Ok(([(header::ETAG, etag)], Json(machine)).into_response())
}

impl MachinesApi {
    fn show(&self, name: &str) -> Result<Response, Failure> {
        let machine = self
            .views
            .machine(name)
            .ok_or_else(|| Failure::not_found(format!("there is no machine {name}")))?;
        shown(&machine)
    }
}

async fn accept(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
) -> Result<Response, Failure> {
    api.machines.accept(&name, &actor).await?;
    api.show(&name)
}

async fn provision(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
) -> Result<Response, Failure> {
    api.machines.provision(&name, &actor).await?;
    api.show(&name)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldRequest {
    reason: String,
}

async fn hold(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
    Json(request): Json<HoldRequest>,
) -> Result<Response, Failure> {
    let reason = request.reason.trim();
    if reason.is_empty() || reason.len() > 500 || reason.contains(char::is_control) {
        return Err(Failure::bad_request("`reason`: up to 500 printable characters are expected"));
    }
    api.machines.hold(&name, Some(reason), &actor).await?;
    api.show(&name)
}

async fn release(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
) -> Result<Response, Failure> {
    api.machines.hold(&name, None, &actor).await?;
    api.show(&name)
}

async fn retire(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
) -> Result<Response, Failure> {
    api.machines.retire(&name, &actor).await?;
    api.show(&name)
}

async fn explain_machine(
    State(api): State<MachinesApi>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(name): Path<String>,
) -> Result<Json<Explanation>, Failure> {
    Ok(Json(api.explain.machine(&name, peer.local.ip())?))
}

#[derive(Debug, Deserialize)]
struct Which {
    mac: Option<Mac>,
    uuid: Option<Uuid>,
    serial: Option<String>,
}

async fn explain_mac(
    State(api): State<MachinesApi>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(which): Query<Which>,
) -> Result<Json<Explanation>, Failure> {
    let Which { mac, uuid, serial } = which;
    if mac.is_none() && uuid.is_none() && serial.is_none() {
        return Err(Failure::bad_request("one of `mac`, `uuid` and `serial` is expected"));
    }
    Ok(Json(api.explain.whoever(mac, (uuid, serial.as_deref()), peer.local.ip())?))
}

async fn explain_packet(
    State(api): State<MachinesApi>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    body: Bytes,
) -> Result<Json<PacketExplanation>, Failure> {
    let question: PacketQuestion =
        serde_json::from_slice(&body).map_err(|error| Failure::bad_request(error.to_string()))?;
    Ok(Json(api.packets.explain(&question, peer.local.ip())?))
}
