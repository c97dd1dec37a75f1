//! What the caller may do.
use super::PREFIX;
use crate::{
    http::{
        auth::Caller,
        body::Sent,
        routes::{Operation, Permission, Routes},
    },
    service::scopes::Scopes,
};
use axum::{Json, extract::State};
use pilotlight_types::api::{MayI, MayIAnswer, Rights};

pub(super) fn routes() -> Routes<Scopes> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/me/rights")
                .takes_right(Permission::Anybody)
                .called("getMyRights", "What the caller may do: the rules of the role, and the token's scope")
                .answers::<Rights>(200, "the rights, as they are now"),
            mine,
        )
        .on(
            Operation::post("/me/can-i")
                .takes_right(Permission::Anybody)
                .called("checkMyRight", "Whether the caller may do something, and if not, why")
                .takes::<MayI>()
                .answers::<MayIAnswer>(200, "whether it would be let through"),
            can_i,
        )
}

async fn mine(Caller(actor): Caller) -> Json<Rights> {
    let rights = &actor.rights;
    Json(Rights {
        name: actor.name.clone(),
        role: rights.role().clone(),
        rules: rights.described(),
        scope: rights.scope().words().clone(),
    })
}

async fn can_i(
    State(scopes): State<Scopes>,
    Caller(actor): Caller,
    Sent(question): Sent<MayI>,
) -> Json<MayIAnswer> {
    let MayI { verb, kind, name } = question;
    let may = match name {
        Some(name) => scopes.permits(&actor.rights, verb, kind, &name),
        None => actor.rights.permits_some(verb, kind),
    };
    Json(MayIAnswer { allowed: may.is_ok(), why: may.err().map(|why| why.to_string()) })
}
