//! Boots: each attempt of each machine.
use super::Page;
use crate::{
    http::problem::Failure,
    service::{boots::Boots, console::Console, journal::Journal, views::Views},
};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::get,
};
use pilotlight_types::{
    BootId, Timestamp,
    api::{Boot, ConsoleLine, List},
};
use serde::Deserialize;

#[derive(Debug, Clone)]
struct BootsApi {
    boots: Boots,
    console: Console,
    views: Views,
    journal: Journal,
}

pub(super) fn router((boots, console): (Boots, Console), views: Views, journal: Journal) -> Router {
    Router::new()
        .route("/boots", get(list))
        .route("/boots/{id}", get(one))
        .route("/boots/{id}/console", get(said))
        .with_state(BootsApi { boots, console, views, journal })
}

#[derive(Debug, Deserialize)]
struct Which {
    machine: Option<String>,
    // Not flattened: that reads numbers as texts only.
    cursor: Option<String>,
    limit: Option<usize>,
}

async fn list(State(api): State<BootsApi>, Query(which): Query<Which>) -> Result<Json<List<Boot>>, Failure> {
    let machine = match which.machine {
        None => None,
        Some(name) => {
            let found = api
                .views
                .machine(&name)
                .ok_or_else(|| Failure::not_found(format!("there is no machine {name}")));
            Some(found?.id)
        }
    };
    let before = match &which.cursor {
        // Later than any boot that has begun, whatever the clocks of several daemons say.
        None => api.journal.now().plus(std::time::Duration::from_secs(86_400)),
        Some(cursor) => cursor
            .parse::<i64>()
            .map(Timestamp::from_micros)
            .map_err(|_| Failure::bad_request("`cursor` is not one that a list gave you"))?,
    };
    let limit = Page { selector: None, cursor: None, limit: which.limit }.limit();
    let items = api.boots.list(machine, before, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
    let next = items.last().filter(|_| items.len() >= limit).map(|last| last.started.micros().to_string());
    Ok(Json(List { items, next }))
}

async fn one(State(api): State<BootsApi>, Path(id): Path<BootId>) -> Result<Json<Boot>, Failure> {
    let boot = api.boots.get(id).await?;
    boot.map(Json).ok_or_else(|| Failure::not_found(format!("there is no boot {id}")))
}

#[derive(Debug, Deserialize)]
struct WhichLines {
    cursor: Option<i64>,
    limit: Option<usize>,
}

/// What the machine said in a boot, first things first.
async fn said(
    State(api): State<BootsApi>,
    Path(id): Path<BootId>,
    Query(which): Query<WhichLines>,
) -> Result<Json<List<ConsoleLine>>, Failure> {
    if api.boots.get(id).await?.is_none() {
        return Err(Failure::not_found(format!("there is no boot {id}")));
    }
    let limit = Page { selector: None, cursor: None, limit: which.limit }.limit();
    let after = which.cursor.unwrap_or_default();
    let items = api.console.lines(id, after, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
    let next = items.last().filter(|_| items.len() >= limit).map(|last| last.line.to_string());
    Ok(Json(List { items, next }))
}
