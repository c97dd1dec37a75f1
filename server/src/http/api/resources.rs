//! What is declared: lists, one, write, delete, and `apply` for many at once. Machines are declared like everything else; what they are
//! beside that is in [`super::machines`].
use super::{PREFIX, Page, conditions, next, watch::Watching};
use crate::{
    http::{
        auth::Caller,
        problem::Failure,
        routes::{Header, Operation, Reach, Routes, SchemaOf},
    },
    service::{
        changes::{ChangeError, Changes, Expected},
        views::Views,
    },
};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use pilotlight_types::{
    api::{Applied, AppliedItem, Change, Declaration, DryRun, List, Machine, Resource, Role},
    resource::{Document, FirmwareSpec, GroupSpec, ImageSpec, Kind, MachineSpec, ProfileSpec, SubnetSpec},
};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub(super) struct ResourcesApi {
    pub(super) views: Views,
    pub(super) changes: Changes,
    pub(super) watching: Watching,
}

/// How many documents one `apply` may have.
const MOST_DOCUMENTS: usize = 10_000;

/// Whether a write is only rehearsed.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(super) struct Rehearsal {
    /// `true`: it is checked, and said what it would change, and nothing is changed. Images' files are not fetched.
    #[serde(rename = "dry-run", default)]
    pub(super) dry_run: bool,
}

/// The schemas of a kind: one, a list of them, and what is declared.
struct Shapes {
    one: SchemaOf,
    many: SchemaOf,
    declared: SchemaOf,
}

fn shapes(kind: Kind) -> Shapes {
    fn of<T: JsonSchema>() -> Shapes {
        Shapes {
            one: SchemaGenerator::subschema_for::<Resource<T>>,
            many: SchemaGenerator::subschema_for::<List<Resource<T>>>,
            declared: SchemaGenerator::subschema_for::<Declaration<T>>,
        }
    }
    match kind {
        Kind::Firmware => of::<FirmwareSpec>(),
        Kind::Subnet => of::<SubnetSpec>(),
        Kind::Image => of::<ImageSpec>(),
        Kind::Profile => of::<ProfileSpec>(),
        Kind::Group => of::<GroupSpec>(),
        Kind::Machine => Shapes {
            one: SchemaGenerator::subschema_for::<Machine>,
            many: SchemaGenerator::subschema_for::<List<Machine>>,
            declared: SchemaGenerator::subschema_for::<Declaration<MachineSpec>>,
        },
    }
}

pub(super) fn routes() -> Routes<ResourcesApi> {
    let apply = Operation::post("/apply", Role::Editor)
        .called("applyDocuments", "Makes what is declared be as in these documents: all are written, or none")
        .about(Reach::Each)
        .asks::<Rehearsal>()
        .takes::<Vec<Document>>()
        .answers::<Applied>(200, "what became of each document")
        .answers::<DryRun>(200, "what would become of each, with `dry-run`")
        .refuses(&[409]);
    Routes::under(PREFIX).on(apply, self::apply).each(Kind::ALL, one_of_kind).each(Kind::ALL, all_of_kind)
}

/// `/groups`.
fn all_of_kind(routes: Routes<ResourcesApi>, kind: Kind) -> Routes<ResourcesApi> {
    let plural = kind.plural();
    let Shapes { one, many, .. } = shapes(kind);
    let list = Operation::get(format!("/{plural}"), Role::Viewer)
        .called(format!("list{}", capital(plural)), format!("The {plural}, by name"))
        .about(Reach::Kind(kind))
        .says(
            "With `watch=true` a stream of server-sent events: `ADDED` for each that there is, `SYNCED`, then `ADDED`, `MODIFIED` \
             and `DELETED` as it happens. With `Last-Event-ID` it goes on after that.",
        )
        .asks::<Page>()
        .header(Header::LastEventId)
        .answers_schema(200, "a page of them", many)
        .streams_schema(200, "what there is, and each change, with `watch`", one);
    routes.on(list, self::list)
}

/// `/groups/{name}`.
fn one_of_kind(routes: Routes<ResourcesApi>, kind: Kind) -> Routes<ResourcesApi> {
    let Shapes { one, declared, .. } = shapes(kind);
    let path = format!("/{}/{{name}}", kind.plural());
    let called = |operation: Operation, verb: &str, does: &str| {
        operation
            .called(format!("{verb}{}", kind.name()), format!("{does} a resource of kind {}", kind.name()))
            .about(Reach::Kind(kind))
    };
    let get = called(Operation::get(&path, Role::Viewer), "get", "Shows")
        .header(Header::IfChanged)
        .answers_schema(200, "it, as it is", one)
        .answers_nothing(304, "it is what the caller has")
        .tagged();
    let put = called(Operation::put(&path, Role::Editor), "put", "Declares")
        .says("It is the same however often it is done. `If-Match` and `If-None-Match` keep two people from writing over each other.")
        .asks::<Rehearsal>()
        .header(Header::IfMatch)
        .header(Header::IfNoneMatch)
        .takes_schema(declared)
        .answers_schema(201, "it is new", one)
        .answers_schema(200, "it was there before", one)
        .tagged()
        .answers::<DryRun>(200, "what would be done, with `dry-run`")
        .refuses(&[409]);
    let delete = called(Operation::delete(&path, Role::Editor), "delete", "Deletes")
        .asks::<Rehearsal>()
        .header(Header::IfMatch)
        .answers_nothing(204, "it is gone")
        .answers::<DryRun>(200, "what would be done, with `dry-run`")
        .refuses(&[409]);
    routes.on(get, self::one).on(put, self::put).on(delete, self::delete)
}

/// `groups` as part of an operation's name.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

async fn apply(
    State(api): State<ResourcesApi>,
    Query(Rehearsal { dry_run }): Query<Rehearsal>,
    Caller(actor): Caller,
    body: Bytes,
) -> Result<Response, Failure> {
    let documents: Vec<Value> = serde_json::from_slice(&body)
        .map_err(|e| Failure::bad_request(format!("a JSON list of documents is expected: {e}")))?;
    if documents.len() > MOST_DOCUMENTS {
        return Err(Failure::bad_request(format!("at most {MOST_DOCUMENTS} documents are taken at once")));
    }
    if dry_run {
        let items = api.changes.rehearse(&documents, &Expected::Anything, &actor)?;
        return Ok(Json(DryRun { dry_run, items }).into_response());
    }
    Ok(Json(Applied { items: api.changes.apply(&documents, &actor).await? }).into_response())
}

async fn list(
    State(api): State<ResourcesApi>,
    Extension(kind): Extension<Kind>,
    Query(page): Query<Page>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (limit, selector) = (page.limit(), actor.scope.narrow(page.selector()?));
    if page.watch {
        return api.watching.follow(kind, selector, &actor.scope, last_event(&headers)?).await;
    }
    let after = page.after()?;
    if kind == Kind::Machine {
        let items = api.views.machines(&selector, after.as_ref(), limit);
        return Ok(Json(List { next: next(&items, limit, |machine| &machine.name), items }).into_response());
    }
    let items = api.views.resources(kind, &selector, after.as_ref(), limit);
    Ok(Json(List { next: next(&items, limit, |resource| &resource.name), items }).into_response())
}

/// Where a stream goes on.
fn last_event(headers: &HeaderMap) -> Result<Option<i64>, Failure> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or_else(|| Failure::bad_request("`Last-Event-ID` is not one that a stream gave you"))
}

async fn one(
    State(api): State<ResourcesApi>,
    Extension(kind): Extension<Kind>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let shown = api.shown(kind, &name)?;
    Ok(shown.unless_known(&headers))
}

async fn put(
    State(api): State<ResourcesApi>,
    Extension(kind): Extension<Kind>,
    Path(name): Path<String>,
    Query(Rehearsal { dry_run }): Query<Rehearsal>,
    Caller(actor): Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let expected = conditions::expected(&headers)?;
    let document = document(kind, &name, &body)?;
    let documents = [document];
    let refused = |error| api.refused(error, Some(&documents));
    if dry_run {
        let items = api.changes.rehearse(&documents, &expected, &actor).map_err(refused)?;
        return Ok(Json(DryRun { dry_run, items }).into_response());
    }
    let items = api.changes.apply_at(&documents, expected, &actor).await.map_err(refused)?;
    let status = match items.first() {
        Some(AppliedItem { change: Change::Created, .. }) => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let shown = api.shown(kind, &name).map_err(|_| Failure::conflict("it was deleted again"))?;
    Ok((status, shown).into_response())
}

async fn delete(
    State(api): State<ResourcesApi>,
    Extension(kind): Extension<Kind>,
    Path(name): Path<String>,
    Query(Rehearsal { dry_run }): Query<Rehearsal>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let expected = conditions::expected(&headers)?;
    let refused = |error| api.refused(error, None);
    if dry_run {
        let item = api.changes.rehearse_delete(kind, &name, &expected, &actor).map_err(refused)?;
        return Ok(Json(DryRun { dry_run, items: vec![item] }).into_response());
    }
    api.changes.delete(kind, &name, expected, &actor).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl ResourcesApi {
    fn shown(&self, kind: Kind, name: &str) -> Result<conditions::Shown, Failure> {
        let missing = || Failure::not_found(format!("there is no {kind} {}", name.escape_default()));
        match kind {
            Kind::Machine => conditions::Shown::machine(&self.views.machine(name).ok_or_else(missing)?),
            _ => conditions::Shown::resource(&self.views.resource(kind, name).ok_or_else(missing)?),
        }
    }

    /// A refusal. Where somebody else was there first, it holds both versions: what is there now, and what was sent.
    fn refused(&self, error: ChangeError, sent: Option<&[Value]>) -> Failure {
        let current = match &error {
            ChangeError::Changed(kind, name, _) => self.shown(*kind, name.as_str()).ok(),
            _ => return error.into(),
        };
        let sent = sent.and_then(|documents| documents.first()).cloned();
        Failure::from(error).with_versions(current.and_then(conditions::Shown::value), sent)
    }
}

/// The document of a body: an object with `labels` and `spec`, and `kind` and `name` if they are the path's.
fn document(kind: Kind, name: &str, body: &Bytes) -> Result<Value, Failure> {
    let mut document: Value = serde_json::from_slice(body)
        .map_err(|e| Failure::bad_request(format!("a JSON object with `spec` is expected: {e}")))?;
    let Some(map) = document.as_object_mut() else {
        return Err(Failure::bad_request("a JSON object with `spec` is expected"));
    };
    for (key, wanted) in [("kind", json!(kind)), ("name", json!(name))] {
        if map.get(key).is_some_and(|value| !value.is_null() && *value != wanted) {
            return Err(Failure::bad_request(format!("`{key}` is not the one in the path")));
        }
        map.insert(key.to_owned(), wanted);
    }
    Ok(document)
}
