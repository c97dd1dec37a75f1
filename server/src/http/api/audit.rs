//! The audit log: who changed what, and whether all of it is still there as it was written.
use super::PREFIX;
use crate::{
    http::{
        problem::Failure,
        routes::{Operation, Routes},
    },
    service::audit::{Audit, AuditFilter},
};
use axum::{
    Json,
    extract::{Query, State},
};
use pilotlight_types::{
    Timestamp,
    api::{AuditCheck, AuditEntry, List, Role},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn routes() -> Routes<Audit> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/audit", Role::Admin)
                .called("listAudit", "Who changed what, when, from where, by which request")
                .says("The newest first; with `after` the oldest first.")
                .asks::<Which>()
                .answers::<List<AuditEntry>>(200, "a page of rows"),
            list,
        )
        .on(
            Operation::get("/audit/verify", Role::Admin)
                .called("verifyAudit", "Whether the log is whole, and where it is broken first")
                .says("Each row holds a hash over itself and the hash of the row before it.")
                .answers::<AuditCheck>(200, "what was found"),
            verify,
        )
}

/// How many rows a page has at the most.
const PAGE: i64 = 1000;

#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// Those of this token, or of `pilotlight` itself.
    actor: Option<String>,
    /// Those of one object: `profile/worker`.
    object: Option<String>,
    /// Those from this time on.
    since: Option<Timestamp>,
    /// Those before this time.
    until: Option<Timestamp>,
    /// Those after this row, oldest first; 0 for all.
    after: Option<i64>,
    /// The `next` of the page before.
    cursor: Option<i64>,
    /// How many at the most, from 1 to 1000, which it is without it.
    limit: Option<u32>,
}

async fn list(
    State(audit): State<Audit>,
    Query(which): Query<Which>,
) -> Result<Json<List<AuditEntry>>, Failure> {
    let Which { actor, object, since, until, after, cursor, limit } = which;
    let filter = AuditFilter { actor, object, since, until };
    let limit = limit.map_or(PAGE, i64::from).clamp(1, PAGE);
    let place = match after {
        Some(after) => (i64::MAX, Some(cursor.unwrap_or(after))),
        None => (cursor.unwrap_or(i64::MAX), None),
    };
    let items = audit.list(&filter, place, limit).await?;
    let full = i64::try_from(items.len()).is_ok_and(|len| len >= limit);
    let next = items.last().filter(|_| full).map(|last| last.seq.to_string());
    Ok(Json(List { items, next }))
}

async fn verify(State(audit): State<Audit>) -> Result<Json<AuditCheck>, Failure> {
    Ok(Json(audit.verify().await?))
}
