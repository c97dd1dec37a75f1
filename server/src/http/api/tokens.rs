//! API tokens.
use super::PREFIX;
use crate::{
    http::{
        auth::Caller,
        problem::Failure,
        routes::{Operation, Routes},
    },
    service::access::Access,
};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use pilotlight_types::api::{CreatedToken, List, NewToken, Role, Token};

pub(super) fn routes() -> Routes<Access> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/tokens", Role::Admin)
                .called("listTokens", "The tokens: what each may do, when it ends, when it was used last")
                .answers::<List<Token>>(200, "the tokens, by name"),
            list,
        )
        .on(
            Operation::post("/tokens", Role::Admin)
                .called("createToken", "Makes a token, which is shown this once")
                .takes::<NewToken>()
                .answers::<CreatedToken>(201, "the token")
                .refuses(&[409]),
            create,
        )
        .on(
            Operation::delete("/tokens/{name}", Role::Admin)
                .called("deleteToken", "Ends a token at once")
                .says("The last token of an admin that does not end stays.")
                .answers_nothing(204, "it is over")
                .refuses(&[409]),
            revoke,
        )
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
