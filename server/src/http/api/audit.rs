//! The audit log: who changed what, and whether all of it is still there as it was written.
use super::{PREFIX, pages::fill, selector};
use crate::{
    http::{
        problem::Failure,
        routes::{Operation, Permission, Routes},
    },
    service::{
        audit::{Audit, AuditFilter},
        scopes::Scopes,
    },
};
use axum::{
    Json,
    extract::{Query, State},
};
use pilotlight_types::{
    Timestamp,
    api::{AuditCheck, AuditEntry, List},
    resource::{RuleKind, Verb},
};
use schemars::JsonSchema;
use serde::Deserialize;

const SEE: Permission = Permission::On(Verb::Get, RuleKind::Audit);

#[derive(Debug, Clone)]
pub(super) struct AuditApi {
    pub(super) audit: Audit,
    pub(super) scopes: Scopes,
}

pub(super) fn routes() -> Routes<AuditApi> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/audit")
                .takes_right(SEE)
                .called("listAudit", "Who changed what, when, from where, by which request")
                .says("The newest first; with `after` the oldest first.")
                .asks::<Which>()
                .answers::<List<AuditEntry>>(200, "a page of rows"),
            list,
        )
        .on(
            Operation::get("/audit/verify")
                .takes_right(SEE)
                .called("verifyAudit", "Whether the log is whole, and where it is broken first")
                .says("Each row holds a hash over itself and the hash of the row before it.")
                .answers::<AuditCheck>(200, "what was found"),
            verify,
        )
}

/// How many rows a page has at the most.
const PAGE: usize = 1000;

#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// Those of this token, or of `pilotlight` itself.
    actor: Option<String>,
    /// Those of one object: `profile/worker`.
    object: Option<String>,
    /// Those of objects with these labels now, as in lists of them.
    selector: Option<String>,
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
    State(api): State<AuditApi>,
    Query(which): Query<Which>,
) -> Result<Json<List<AuditEntry>>, Failure> {
    let Which { actor, object, selector: text, since, until, after, cursor, limit } = which;
    let filter = AuditFilter { actor, object, since, until };
    let limit = usize::try_from(limit.unwrap_or(u32::MAX)).unwrap_or(PAGE).clamp(1, PAGE);
    let selector = selector(text.as_deref())?;
    let meant = |row: &AuditEntry| api.scopes.selects(&selector, &row.object);
    let (audit, filter) = (&api.audit, &filter);
    let (items, next) = match after {
        Some(after) => {
            let read = |place, rows| audit.list(filter, (i64::MAX, Some(place)), rows);
            fill(limit, cursor.unwrap_or(after), read, |row| row.seq, meant).await?
        }
        None => {
            let read = |place, rows| audit.list(filter, (place, None), rows);
            fill(limit, cursor.unwrap_or(i64::MAX), read, |row| row.seq, meant).await?
        }
    };
    Ok(Json(List { items, next: next.map(|next| next.to_string()) }))
}

async fn verify(State(api): State<AuditApi>) -> Result<Json<AuditCheck>, Failure> {
    Ok(Json(api.audit.verify().await?))
}
