//! Many resources at once: what would come of it, and doing it. Resources as they were.
use super::{
    PREFIX, limit,
    operations::{Prefers, answered},
};
use crate::{
    domain::rights::{Forbidden, Rights},
    http::{
        auth::Caller,
        body::Sent,
        problem::Failure,
        routes::{Operation, Permission, Routes},
    },
    service::{
        changes::{Changes, Options},
        operations::Operations,
        revisions::Revisions,
    },
};
use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use pilotlight_types::{
    api::{Applied, DryRun, List, Plan, RenderRequest, Rendered, Revision},
    resource::{Document, Kind, Name, Verb},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone)]
pub(super) struct PlansApi {
    pub(super) changes: Changes,
    pub(super) revisions: Revisions,
    pub(super) operations: Operations,
}

/// How many documents one `apply` may have.
const MOST_DOCUMENTS: usize = 10_000;

/// How long a message may be, in characters.
const LONGEST_MESSAGE: usize = 1000;

/// What the documents are all of.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Files {
    /// A name for the set of files that the documents are all of. It is remembered of each resource.
    source: Option<Name>,
    /// `true`: what was applied from `source` before, and is not among the documents, is deleted.
    #[serde(default)]
    prune: bool,
}

/// How a change is made.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Manner {
    /// `true`: it is checked, and said what it would change, and nothing is changed. Images' files are not fetched.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// The hash of a plan: refuse (412), unless it would do exactly that.
    expect_plan: Option<String>,
    /// How many machines' next boots may change. Without it, as many as the guard lets through.
    allow_machines: Option<usize>,
}

impl Manner {
    /// The same, for a change of which nothing else is said.
    pub(super) fn options(self) -> Options {
        let Self { expect_plan, allow_machines, .. } = self;
        Options { expect_plan, allow_machines, ..Options::default() }
    }
}

/// Why a change is made.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Reason {
    /// Why, in up to 1000 printable characters: it is kept with each revision that comes of it.
    #[schemars(length(max = 1000))]
    message: Option<String>,
}

impl Reason {
    /// The words, if they are good.
    pub(super) fn message(self) -> Result<Option<String>, Failure> {
        let printable = |text: &str| {
            text.chars().count() <= LONGEST_MESSAGE && !text.contains(|c: char| c.is_control() && c != '\n')
        };
        if self.message.as_deref().is_some_and(|message| !printable(message)) {
            let wanted = format!("`message`: up to {LONGEST_MESSAGE} printable characters are expected");
            return Err(Failure::bad_request(wanted));
        }
        Ok(self.message)
    }
}

pub(super) fn routes() -> Routes<PlansApi> {
    // It changes nothing and shows what a viewer may see: a merge request's pipeline needs no more than that.
    let plan = Operation::post("/plan")
        .called(
            "planDocuments",
            "Says what an apply of these documents would do, and which machines' boots would differ",
        )
        .takes_right(Permission::Each(Verb::Get))
        .says("Nothing is changed, and nothing fetched. Secrets are masked, and not looked up.")
        .asks::<Files>()
        .takes::<Vec<Document>>()
        .answers::<Plan>(200, "what would come of it")
        .refuses(&[409]);
    let apply = Operation::post("/apply")
        .called("applyDocuments", "Makes what is declared be as in these documents: all are written, or none")
        .takes_right(Permission::Each(Verb::Write))
        .asks::<Files>()
        .asks::<Manner>()
        .asks::<Reason>()
        .takes::<Vec<Document>>()
        .answers::<Applied>(200, "what became of each document")
        .answers::<DryRun>(200, "what would become of each, with `dry-run`")
        .may_last()
        .refuses(&[409, 412]);
    let render = Operation::post("/render")
        .called(
            "renderDraft",
            "Says what a machine would get if these documents were applied and it were provisioned",
        )
        .takes_right(Permission::Each(Verb::Get))
        .says("Nothing is changed, and nothing fetched. Secrets are masked, and not looked up.")
        .takes::<RenderRequest>()
        .answers::<Rendered>(200, "what it would get")
        .refuses(&[404, 409]);
    // A machine's changes are events.
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Machine);
    Routes::under(PREFIX)
        .on(plan, self::plan)
        .on(apply, self::apply)
        .on(render, self::render)
        .each(kinds, of_kind)
}

/// `/groups/{name}/revisions`.
fn of_kind(routes: Routes<PlansApi>, kind: Kind) -> Routes<PlansApi> {
    let path = format!("/{}/{{name}}/revisions", kind.plural());
    let list = Operation::get(&path)
        .called(
            format!("list{}Revisions", kind.name()),
            format!("What a resource of kind {} was, newest first", kind.name()),
        )
        .needs(Verb::Get, kind)
        .says("Those of one that was deleted are there too.")
        .asks::<Page>()
        .answers::<List<Revision>>(200, "a page of them, without what was declared");
    let one = Operation::get(format!("{path}/{{revision}}"))
        .called(
            format!("get{}Revision", kind.name()),
            format!("Shows a revision of a resource of kind {}", kind.name()),
        )
        .needs(Verb::Get, kind)
        .answers::<Revision>(200, "it, with what was declared");
    routes.on(list, self::list).on(one, self::one)
}

async fn plan(
    State(api): State<PlansApi>,
    Query(Files { source, prune }): Query<Files>,
    Caller(actor): Caller,
    Sent(documents): Sent<Vec<Value>>,
) -> Result<Json<Plan>, Failure> {
    let options = Options { source, prune, ..Options::default() };
    Ok(Json(api.changes.plan(bounded(&documents)?, &options, &actor).await?))
}

async fn render(
    State(api): State<PlansApi>,
    Caller(actor): Caller,
    Sent(request): Sent<RenderRequest>,
) -> Result<Json<Rendered>, Failure> {
    bounded(&request.documents)?;
    Ok(Json(api.changes.render(&request, &actor)?))
}

async fn apply(
    State(api): State<PlansApi>,
    Query(Files { source, prune }): Query<Files>,
    Query(manner): Query<Manner>,
    Query(reason): Query<Reason>,
    Caller(actor): Caller,
    prefers: Prefers,
    Sent(documents): Sent<Vec<Value>>,
) -> Result<Response, Failure> {
    let dry_run = manner.dry_run;
    let options = Options { source, prune, message: reason.message()?, ..manner.options() };
    bounded(&documents)?;
    if dry_run {
        let items = api.changes.rehearse(&documents, &options, &actor).await?;
        return Ok(Json(DryRun { dry_run, items }).into_response());
    }
    let what = format!("apply {} document{}", documents.len(), if documents.len() == 1 { "" } else { "s" });
    answered(&api.operations, prefers, (what, actor), |progress, actor| async move {
        let options = Options { progress, ..options };
        Ok(Json(api.changes.apply_with(&documents, &options, &actor).await?).into_response())
    })
    .await
}

/// The documents, if they are not too many.
fn bounded(documents: &[Value]) -> Result<&[Value], Failure> {
    if documents.len() > MOST_DOCUMENTS {
        return Err(Failure::too_large(format!("up to {MOST_DOCUMENTS} documents are taken at once")));
    }
    Ok(documents)
}

/// How revisions are listed.
#[derive(Debug, Deserialize, JsonSchema)]
struct Page {
    /// The `next` of the page before.
    cursor: Option<i64>,
    /// How many at the most, from 1 to 5000; 500 without it.
    limit: Option<u32>,
}

async fn list(
    State(api): State<PlansApi>,
    Extension(kind): Extension<Kind>,
    Path(name): Path<String>,
    Query(page): Query<Page>,
    Caller(actor): Caller,
) -> Result<Json<List<Revision>>, Failure> {
    let name = named(kind, &name)?;
    let limit = i64::try_from(limit(page.limit)).unwrap_or(i64::MAX);
    let before = page.cursor.unwrap_or(i64::MAX);
    let (mut items, next) = api.revisions.list(kind, &name, before, limit).await?;
    if items.is_empty() && page.cursor.is_none() {
        return Err(Failure::not_found(format!("there is no {kind} {name}, and there never was")));
    }
    // What it was then may be hidden from whom sees what it is.
    items.retain(|revision| permitted(&actor.rights, (kind, &name), revision).is_ok());
    items.iter_mut().for_each(|revision| revision.labels = None);
    Ok(Json(List { items, next: next.map(|next| next.to_string()) }))
}

async fn one(
    State(api): State<PlansApi>,
    Extension(kind): Extension<Kind>,
    Path((name, revision)): Path<(String, i64)>,
    Caller(actor): Caller,
) -> Result<Json<Revision>, Failure> {
    let name = named(kind, &name)?;
    let none = || Failure::not_found(format!("{kind} {name} has no revision {revision}"));
    let found = api.revisions.get(kind, &name, revision).await?.ok_or_else(none)?;
    permitted(&actor.rights, (kind, &name), &found)?;
    Ok(Json(found))
}

fn permitted(rights: &Rights, (kind, name): (Kind, &Name), revision: &Revision) -> Result<(), Forbidden> {
    let labels = revision.labels.clone().unwrap_or_default();
    rights.permits(Verb::Get, (kind, name.as_str()), &labels, |_| None)
}

fn named(kind: Kind, name: &str) -> Result<Name, Failure> {
    name.parse().map_err(|_| Failure::not_found(format!("there is no {kind} {}", name.escape_default())))
}
