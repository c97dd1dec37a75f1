//! API tokens.
use crate::{
    http::{auth::Caller, problem::Failure},
    service::access::Access,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, get},
};
use pilotlight_types::api::{CreatedToken, List, NewToken, Token};

pub(super) fn router(access: Access) -> Router {
    Router::new()
        .route("/tokens", get(list).post(create))
        .route("/tokens/{name}", delete(revoke))
        .with_state(access)
}

async fn list(State(access): State<Access>) -> Json<List<Token>> {
    Json(List { items: access.list(), next: None })
}

async fn revoke(
    State(access): State<Access>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    access.revoke(&name, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn create(
    State(access): State<Access>,
    Caller(actor): Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<CreatedToken>), Failure> {
    let new: NewToken = serde_json::from_slice(&body)
        .map_err(|e| Failure::bad_request(format!("`name` and `role` are expected: {e}")))?;
    let token = access.create(new.clone(), &actor).await?;
    Ok((
        StatusCode::CREATED,
        Json(CreatedToken { name: new.name, role: new.role, token: token.expose().clone() }),
    ))
}
