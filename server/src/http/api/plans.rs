//! Many resources at once: what would come of it, and doing it. Resources as they were.
use crate::{
    http::{auth::Caller, problem::Failure},
    service::{
        changes::{Changes, Options},
        revisions::Revisions,
    },
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    routing::{get, post},
};
use pilotlight_types::{
    api::{Applied, List, Plan, Revision},
    resource::{Kind, Name},
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone)]
struct PlansApi {
    changes: Changes,
    revisions: Revisions,
}

/// How many documents one `apply` may have.
const MOST_DOCUMENTS: usize = 10_000;

/// How long a message may be, in characters.
const LONGEST_MESSAGE: usize = 1000;

pub(super) fn router(changes: Changes, revisions: Revisions) -> Router {
    Router::new()
        .route("/plan", post(plan))
        .route("/apply", post(apply))
        .route("/{kind}/{name}/revisions", get(list))
        .route("/{kind}/{name}/revisions/{revision}", get(one))
        .with_state(PlansApi { changes, revisions })
}

/// How a change is asked for: what `?…` takes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    source: Option<String>,
    #[serde(default)]
    prune: bool,
    message: Option<String>,
    expect_plan: Option<String>,
    allow_machines: Option<usize>,
}

impl Asked {
    /// The same, understood. `expected` is the revision that the caller knows.
    pub(super) fn options(self, expected: Option<i64>) -> Result<Options, Failure> {
        let Self { source, prune, message, expect_plan, allow_machines } = self;
        let source: Option<Name> = source
            .map(|source| source.parse())
            .transpose()
            .map_err(|error| Failure::bad_request(format!("`source`: {error}")))?;
        let printable = |text: &&String| {
            text.chars().count() <= LONGEST_MESSAGE && !text.contains(|c: char| c.is_control() && c != '\n')
        };
        if message.as_ref().is_some_and(|message| !printable(&message)) {
            let wanted = format!("`message`: up to {LONGEST_MESSAGE} printable characters are expected");
            return Err(Failure::bad_request(wanted));
        }
        Ok(Options { source, prune, message, expected, expect_plan, allow_machines })
    }
}

async fn plan(
    State(api): State<PlansApi>,
    Query(asked): Query<Asked>,
    body: Bytes,
) -> Result<Json<Plan>, Failure> {
    Ok(Json(api.changes.plan(&documents(&body)?, &asked.options(None)?).await?))
}

async fn apply(
    State(api): State<PlansApi>,
    Query(asked): Query<Asked>,
    Caller(actor): Caller,
    body: Bytes,
) -> Result<Json<Applied>, Failure> {
    Ok(Json(api.changes.apply_with(&documents(&body)?, &asked.options(None)?, &actor).await?))
}

fn documents(body: &Bytes) -> Result<Vec<Value>, Failure> {
    let documents: Vec<Value> = serde_json::from_slice(body)
        .map_err(|e| Failure::bad_request(format!("a JSON list of documents is expected: {e}")))?;
    if documents.len() > MOST_DOCUMENTS {
        return Err(Failure::bad_request(format!("at most {MOST_DOCUMENTS} documents are taken at once")));
    }
    Ok(documents)
}

/// How revisions are listed.
#[derive(Debug, Deserialize)]
struct Page {
    cursor: Option<i64>,
    limit: Option<i64>,
}

async fn list(
    State(api): State<PlansApi>,
    Path((kind, name)): Path<(String, String)>,
    Query(page): Query<Page>,
) -> Result<Json<List<Revision>>, Failure> {
    let (kind, name) = resource(&kind, &name)?;
    let limit = page.limit.unwrap_or(500).clamp(1, 5000);
    let items = api.revisions.list(kind, &name, page.cursor.unwrap_or(i64::MAX), limit).await?;
    if items.is_empty() && page.cursor.is_none() {
        return Err(Failure::not_found(format!("there is no {kind} {name}, and there never was")));
    }
    let full = i64::try_from(items.len()).is_ok_and(|count| count >= limit);
    let next = items.last().filter(|_| full).map(|last| last.revision.to_string());
    Ok(Json(List { items, next }))
}

async fn one(
    State(api): State<PlansApi>,
    Path((kind, name, revision)): Path<(String, String, i64)>,
) -> Result<Json<Revision>, Failure> {
    let (kind, name) = resource(&kind, &name)?;
    let found = api.revisions.get(kind, &name, revision).await?;
    let none = || Failure::not_found(format!("{kind} {name} has no revision {revision}"));
    Ok(Json(found.ok_or_else(none)?))
}

/// What has revisions: a machine's changes are events.
fn resource(kind: &str, name: &str) -> Result<(Kind, Name), Failure> {
    let kind = super::resources::kind_of(kind)?;
    if kind == Kind::Machine {
        return Err(Failure::not_found("machines have no revisions: the events tell of their changes"));
    }
    let none = |_| Failure::not_found(format!("there is no {kind} {}", name.escape_default()));
    Ok((kind, name.parse().map_err(none)?))
}
