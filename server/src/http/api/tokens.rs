//! API tokens.
use super::PREFIX;
use crate::{
    http::{
        auth::Caller,
        body::Sent,
        problem::Failure,
        routes::{Operation, Permission, Routes},
    },
    service::access::Access,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use pilotlight_types::{
    api::{CreatedToken, List, NewToken, Token},
    resource::{RuleKind, Verb},
};

const fn to(verb: Verb) -> Permission {
    Permission::On(verb, RuleKind::Token)
}

pub(super) fn routes() -> Routes<Access> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/tokens")
                .takes_right(to(Verb::Get))
                .called("listTokens", "The tokens: what each may do, when it ends, when it was used last")
                .answers::<List<Token>>(200, "the tokens, by name"),
            list,
        )
        .on(
            Operation::post("/tokens")
                .takes_right(to(Verb::Write))
                .called("createToken", "Makes a token, which is shown this once")
                .says("Its rights must be within those of who makes it.")
                .takes::<NewToken>()
                .answers::<CreatedToken>(201, "the token")
                .refuses(&[409]),
            create,
        )
        .on(
            Operation::delete("/tokens/{name}")
                .takes_right(to(Verb::Delete))
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
    Sent(new): Sent<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Failure> {
    let token = access.create(new.clone(), &actor).await?;
    Ok((
        StatusCode::CREATED,
        Json(CreatedToken { name: new.name, role: new.role, token: token.expose().clone() }),
    ))
}
