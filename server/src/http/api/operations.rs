//! Work that takes long, for clients that do not wait on a connection.
use super::PREFIX;
use crate::{
    http::{
        auth::Caller,
        log::RequestId,
        problem::Failure,
        routes::{Operation, Permission, Routes},
    },
    service::{
        journal::Actor,
        operations::{Operations, Progress},
    },
};
use axum::{
    Extension, Json,
    body::to_bytes,
    extract::{FromRequestParts, Path, State},
    http::{HeaderName, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use pilotlight_types::{
    OperationId,
    api::{self, List},
    resource::Verb,
};
use std::{convert::Infallible, panic::AssertUnwindSafe};
use tracing::Instrument;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const LATER: &str = "respond-async";

pub(super) fn routes() -> Routes<Operations> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/operations")
                .called("listOperations", "Work that takes long, newest first")
                .says("Those that have ended are there for a while. A daemon that is started again knows of none.")
                .takes_right(Permission::Anybody)
                .answers::<List<api::Operation>>(200, "what goes on, and what has ended lately"),
            list,
        )
        .on(
            Operation::get("/operations/{id}")
                .called("getOperation", "How far an operation has come, and what came of it")
                .takes_right(Permission::Anybody)
                .answers::<api::Operation>(200, "it, as it is now"),
            one,
        )
        .on(
            Operation::delete("/operations/{id}")
                .called("cancelOperation", "Calls off an operation that fetches files")
                .says("It ends a moment later, as failed, and has changed nothing. What is being written down goes on: 409.")
                .takes_right(Permission::Each(Verb::Write))
                .answers_nothing(204, "it is called off")
                .refuses(&[409]),
            call_off,
        )
}

/// Whether somebody may look at an operation: from whom something is hidden, at their own only, for it may be about that.
fn may_see(actor: &Actor, operation: &api::Operation) -> bool {
    !actor.rights.hides() || actor.name == operation.by
}

async fn list(State(operations): State<Operations>, Caller(actor): Caller) -> Json<List<api::Operation>> {
    let mut items = operations.list();
    items.retain(|operation| may_see(&actor, operation));
    Json(List { items, next: None })
}

async fn one(
    State(operations): State<Operations>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<api::Operation>, Failure> {
    seen(&operations, &actor, &id).map(Json)
}

async fn call_off(
    State(operations): State<Operations>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let id = seen(&operations, &actor, &id)?.id;
    operations.call_off(id)?;
    Ok(StatusCode::NO_CONTENT)
}

fn seen(operations: &Operations, actor: &Actor, id: &str) -> Result<api::Operation, Failure> {
    let none = || {
        let id = id.escape_default();
        Failure::not_found(format!(
            "there is no operation {id}: it ended long ago, or the daemon was started again since"
        ))
    };
    let id: OperationId = id.parse().map_err(|_| none())?;
    operations.get(id).filter(|operation| may_see(actor, operation)).ok_or_else(none)
}

/// How a client wants to be answered (RFC 7240).
pub(super) struct Prefers {
    /// With an operation, at once.
    later: bool,
    /// What the log calls the request.
    request: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Prefers {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let all = parts.headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        let mut preferences = all.flat_map(|value| value.split(',')).map(str::trim);
        let later = preferences.any(|preference| preference.eq_ignore_ascii_case(LATER));
        let request = Option::<Extension<RequestId>>::from_request_parts(parts, state).await?;
        Ok(Self { later, request: request.map(|Extension(RequestId(id))| id).unwrap_or_default() })
    }
}

/// Does what was asked for and answers with what came of it; or answers at once that it goes on, if the client prefers that.
pub(super) async fn answered<W>(
    operations: &Operations,
    prefers: Prefers,
    (what, actor): (String, Actor),
    work: impl FnOnce(Progress, Actor) -> W,
) -> Result<Response, Failure>
where
    W: Future<Output = Result<Response, Failure>> + Send + 'static,
{
    if !prefers.later {
        return work(Progress::default(), actor).await;
    }
    let Some((operation, progress)) = operations.begin(what, actor.name.clone()) else {
        return Err(Failure::unavailable("too many operations go on already: see /api/v1/operations"));
    };
    let (id, operations, request) = (operation.id, operations.clone(), prefers.request);
    let work = work(progress, actor);
    let carried_out = async move {
        let result = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(answer)) => {
                let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap_or_default();
                Ok(serde_json::from_slice(&body).unwrap_or_default())
            }
            Ok(Err(failure)) => Err(failure.problem(&request)),
            Err(_) => Err(Failure::internal().problem(&request)),
        };
        operations.end(id, result);
    };
    begin(carried_out.in_current_span());
    let headers = [(header::LOCATION, format!("{PREFIX}/operations/{id}")), (APPLIED, LATER.to_owned())];
    Ok((StatusCode::ACCEPTED, headers, Json(operation)).into_response())
}

#[expect(
    clippy::disallowed_methods,
    reason = "its end is told to whoever looks; at the daemon's end it is called off"
)]
fn begin(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}
