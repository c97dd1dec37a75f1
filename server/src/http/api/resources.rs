//! What is declared: lists, one, write, delete. Many at once are in `plans`.
use super::{Page, machines, next, plans::Asked};
use crate::{
    http::{auth::Caller, problem::Failure},
    service::{
        changes::{Changes, Options},
        views::Views,
    },
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use pilotlight_types::{
    api::{AppliedItem, Change, List, Resource},
    resource::Kind,
};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
struct ResourcesApi {
    views: Views,
    changes: Changes,
}

pub(super) fn router(views: Views, changes: Changes) -> Router {
    Router::new()
        .route("/{kind}", get(list))
        .route("/machines/{name}", get(machine).put(put_machine).delete(delete_machine))
        .route("/{kind}/{name}", get(one).put(put).delete(delete))
        .with_state(ResourcesApi { views, changes })
}

async fn list(
    State(api): State<ResourcesApi>,
    Path(kind): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<List<Resource>>, Failure> {
    let limit = page.limit();
    let items = api.views.resources(kind_of(&kind)?, &page.selector()?, page.after()?.as_ref(), limit);
    Ok(Json(List { next: next(&items, limit, |resource| &resource.name), items }))
}

async fn one(
    State(api): State<ResourcesApi>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let kind = kind_of(&kind)?;
    let found = api.views.resource(kind, &name);
    shown(&found.ok_or_else(|| Failure::not_found(format!("there is no {kind} {name}")))?)
}

async fn machine(State(api): State<ResourcesApi>, Path(name): Path<String>) -> Result<Response, Failure> {
    let found = api.views.machine(&name);
    machines::shown(&found.ok_or_else(|| Failure::not_found(format!("there is no Machine {name}")))?)
}

fn shown(resource: &Resource) -> Result<Response, Failure> {
    let etag = HeaderValue::from_str(&format!("\"{}\"", resource.revision));
    Ok(([(header::ETAG, etag.map_err(|e| Failure::unavailable(e.to_string()))?)], Json(resource))
        .into_response())
}

async fn put(
    State(api): State<ResourcesApi>,
    Path((kind, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let kind = kind_of(&kind)?;
    let item = api.write(kind, &name, caller, asked.options(expected(&headers)?)?, &body).await?;
    let resource =
        api.views.resource(kind, &name).ok_or_else(|| Failure::conflict("it was deleted again"))?;
    Ok((status(&item), shown(&resource)?).into_response())
}

async fn put_machine(
    State(api): State<ResourcesApi>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let item = api.write(Kind::Machine, &name, caller, asked.options(expected(&headers)?)?, &body).await?;
    let machine = api.views.machine(&name).ok_or_else(|| Failure::conflict("it was deleted again"))?;
    Ok((status(&item), machines::shown(&machine)?).into_response())
}

async fn delete(
    State(api): State<ResourcesApi>,
    Path((kind, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    api.changes.delete_with(kind_of(&kind)?, &name, &asked.options(expected(&headers)?)?, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_machine(
    State(api): State<ResourcesApi>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    api.changes.delete_with(Kind::Machine, &name, &asked.options(expected(&headers)?)?, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl ResourcesApi {
    /// Writes one resource: a body with `labels` and `spec`, and `kind` and `name` if they are the path's.
    async fn write(
        &self,
        kind: Kind,
        name: &str,
        caller: Caller,
        options: Options,
        body: &Bytes,
    ) -> Result<AppliedItem, Failure> {
        let mut document: Value = serde_json::from_slice(body)
            .map_err(|e| Failure::bad_request(format!("a JSON object with `spec` is expected: {e}")))?;
        let Some(map) = document.as_object_mut() else {
            return Err(Failure::bad_request("a JSON object with `spec` is expected"));
        };
        for (key, wanted) in [("kind", json!(kind)), ("name", json!(name))] {
            if map.get(key).is_some_and(|value| *value != wanted) {
                return Err(Failure::bad_request(format!("`{key}` is not the one in the path")));
            }
            map.insert(key.to_owned(), wanted);
        }
        // One resource alone is no set of files: whatever is from one stays from that.
        let options = Options { source: None, prune: false, ..options };
        let applied = self.changes.apply_with(&[document], &options, &caller.0).await?;
        applied.items.into_iter().next().ok_or_else(|| Failure::unavailable("nothing was written"))
    }
}

fn status(item: &AppliedItem) -> StatusCode {
    if item.change == Change::Created { StatusCode::CREATED } else { StatusCode::OK }
}

pub(super) fn kind_of(plural: &str) -> Result<Kind, Failure> {
    let found = Kind::ALL.into_iter().find(|kind| kind.plural() == plural);
    found.ok_or_else(|| {
        Failure::not_found(format!("there is no kind of resource called `{}`", plural.escape_default()))
    })
}

/// The revision in `If-Match`.
fn expected(headers: &HeaderMap) -> Result<Option<i64>, Failure> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.trim().trim_matches('"').parse().ok());
    parsed.map(Some).ok_or_else(|| Failure::bad_request("`If-Match` takes the ETag of the resource"))
}
