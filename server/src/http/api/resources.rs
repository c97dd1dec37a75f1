//! What is declared: lists, one, write, delete. Many at once are in [`super::plans`]. Machines are declared like everything else; what
//! they are beside that is in [`super::machines`].
use super::{
    PREFIX, Page, conditions, next,
    operations::{Prefers, answered},
    plans::{Manner, Reason},
    watch::Watching,
};
use crate::{
    http::{
        auth::Caller,
        body::Sent,
        problem::Failure,
        routes::{Header, Operation, Routes, SchemaOf},
    },
    service::{
        changes::{ChangeError, Changes, Options},
        operations::Operations,
        views::Views,
    },
};
use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use pilotlight_types::{
    api::{AppliedItem, Change, Declaration, DryRun, List, Machine, Resource},
    resource::{
        AcceptRuleSpec, ExpectedMachineSpec, FirmwareSpec, GroupSpec, HardwareClassSpec, ImageSpec, Kind,
        MachineSpec, ProfileSpec, RoleSpec, RuleKind, SubnetSpec, Verb, WebhookSpec,
    },
};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone)]
pub(super) struct ResourcesApi {
    pub(super) views: Views,
    pub(super) changes: Changes,
    pub(super) watching: Watching,
    pub(super) operations: Operations,
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
        Kind::Role => of::<RoleSpec>(),
        Kind::Firmware => of::<FirmwareSpec>(),
        Kind::Subnet => of::<SubnetSpec>(),
        Kind::Image => of::<ImageSpec>(),
        Kind::Profile => of::<ProfileSpec>(),
        Kind::Group => of::<GroupSpec>(),
        Kind::HardwareClass => of::<HardwareClassSpec>(),
        Kind::ExpectedMachine => of::<ExpectedMachineSpec>(),
        Kind::AcceptRule => of::<AcceptRuleSpec>(),
        Kind::Webhook => of::<WebhookSpec>(),
        Kind::Machine => Shapes {
            one: SchemaGenerator::subschema_for::<Machine>,
            many: SchemaGenerator::subschema_for::<List<Machine>>,
            declared: SchemaGenerator::subschema_for::<Declaration<MachineSpec>>,
        },
    }
}

pub(super) fn routes() -> Routes<ResourcesApi> {
    Routes::under(PREFIX).each(Kind::ALL, one_of_kind).each(Kind::ALL, all_of_kind)
}

/// `/groups`.
fn all_of_kind(routes: Routes<ResourcesApi>, kind: Kind) -> Routes<ResourcesApi> {
    let plural = kind.plural();
    let Shapes { one, many, .. } = shapes(kind);
    let list = Operation::get(format!("/{plural}"))
        .called(format!("list{}", capital(plural)), format!("The {plural}, by name"))
        .needs(Verb::Get, kind)
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
    let called = |operation: Operation, right: Verb, verb: &str, does: &str| {
        operation
            .called(format!("{verb}{}", kind.name()), format!("{does} a resource of kind {}", kind.name()))
            .needs(right, kind)
    };
    let get = called(Operation::get(&path), Verb::Get, "get", "Shows")
        .header(Header::IfChanged)
        .answers_schema(200, "it, as it is", one)
        .answers_nothing(304, "it is what the caller has")
        .tagged();
    let put = called(Operation::put(&path), Verb::Write, "put", "Declares")
        .says("It is the same however often it is done. `If-Match` and `If-None-Match` keep two people from writing over each other.")
        .asks::<Manner>()
        .asks::<Reason>()
        .header(Header::IfMatch)
        .header(Header::IfNoneMatch)
        .takes_schema(declared)
        .answers_schema(201, "it is new", one)
        .answers_schema(200, "it was there before", one)
        .tagged()
        .answers::<DryRun>(200, "what would be done, with `dry-run`")
        .may_last()
        .refuses(&[409]);
    let delete = called(Operation::delete(&path), Verb::Delete, "delete", "Deletes")
        .asks::<Manner>()
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

async fn list(
    State(api): State<ResourcesApi>,
    Extension(kind): Extension<Kind>,
    Query(page): Query<Page>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (limit, selector) =
        (page.limit(), page.selector()?.and(&actor.rights.taken(Verb::Get, RuleKind::Resource(kind))));
    if page.watch {
        return api.watching.follow(kind, selector, &actor.rights, last_event(&headers)?).await;
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
    (Query(manner), Query(reason)): (Query<Manner>, Query<Reason>),
    (Caller(actor), prefers): (Caller, Prefers),
    headers: HeaderMap,
    Sent(sent): Sent<Map<String, Value>>,
) -> Result<Response, Failure> {
    let (dry_run, expected) = (manner.dry_run, conditions::expected(&headers)?);
    let options = Options { expected, message: reason.message()?, ..manner.options() };
    let document = document(kind, &name, sent)?;
    let documents = [document];
    if dry_run {
        let refused = |error| api.refused(error, Some(&documents));
        let items = api.changes.rehearse(&documents, &options, &actor).await.map_err(refused)?;
        return Ok(Json(DryRun { dry_run, items }).into_response());
    }
    let (operations, what) = (api.operations.clone(), format!("put {}/{name}", kind.name().to_lowercase()));
    answered(&operations, prefers, (what, actor), |progress, actor| async move {
        let options = Options { progress, ..options };
        let applied = api.changes.apply_with(&documents, &options, &actor).await;
        let applied = applied.map_err(|error| api.refused(error, Some(&documents)))?;
        let status = match applied.items.first() {
            Some(AppliedItem { change: Change::Created, .. }) => StatusCode::CREATED,
            _ => StatusCode::OK,
        };
        let shown = api.shown(kind, &name).map_err(|_| Failure::conflict("it was deleted again"))?;
        Ok((status, shown).into_response())
    })
    .await
}

async fn delete(
    State(api): State<ResourcesApi>,
    Extension(kind): Extension<Kind>,
    Path(name): Path<String>,
    Query(manner): Query<Manner>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (dry_run, expected) = (manner.dry_run, conditions::expected(&headers)?);
    let options = Options { expected, ..manner.options() };
    let refused = |error| api.refused(error, None);
    if dry_run {
        let items = api.changes.rehearse_delete(kind, &name, &options, &actor).await.map_err(refused)?;
        return Ok(Json(DryRun { dry_run, items }).into_response());
    }
    api.changes.delete_with(kind, &name, &options, &actor).await.map_err(refused)?;
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
fn document(kind: Kind, name: &str, mut map: Map<String, Value>) -> Result<Value, Failure> {
    for (key, wanted) in [("kind", json!(kind)), ("name", json!(name))] {
        if map.get(key).is_some_and(|value| !value.is_null() && *value != wanted) {
            return Err(Failure::bad_request(format!("`{key}` is not the one in the path")));
        }
        map.insert(key.to_owned(), wanted);
    }
    Ok(Value::Object(map))
}
