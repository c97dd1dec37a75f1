//! API tokens.
use crate::{
    http::{auth::Caller, problem::Failure},
    service::access::Access,
};
use axum::{Json, Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use pilotlight_types::api::{CreatedToken, NewToken};

pub(super) fn router(access: Access) -> Router {
    Router::new().route("/tokens", post(create)).with_state(access)
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
