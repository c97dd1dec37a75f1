//! Boots: each attempt of each machine.
use super::{PREFIX, limit, pages::fill, selector};
use crate::{
    http::{
        auth::Caller,
        problem::Failure,
        routes::{Operation, Routes},
    },
    service::{
        boots::{BootPlace, Boots},
        console::Console,
        journal::{Actor, Journal},
        scopes::Scopes,
        views::Views,
    },
};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use pilotlight_types::{
    BootId, Timestamp,
    api::{Boot, BootServed, ConsoleLine, List, Outcome},
    resource::{Kind, RuleKind, Verb},
};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Clone)]
pub(super) struct BootsApi {
    pub(super) boots: Boots,
    pub(super) console: Console,
    pub(super) views: Views,
    pub(super) scopes: Scopes,
    pub(super) journal: Journal,
}

/// What a boot is part of.
const MACHINE: RuleKind = RuleKind::Resource(Kind::Machine);

pub(super) fn routes() -> Routes<BootsApi> {
    let get = |path| Operation::get(path).needs(Verb::Get, Kind::Machine);
    Routes::under(PREFIX)
        .on(
            get("/boots")
                .called("listBoots", "Boots, newest first")
                .asks::<Which>()
                .answers::<List<Boot>>(200, "a page of boots")
                .refuses(&[404]),
            list,
        )
        .on(
            get("/boots/{id}")
                .called("getBoot", "One boot: its decision, its phases, its outcome")
                .answers::<Boot>(200, "the boot"),
            one,
        )
        .on(
            get("/boots/{id}/served")
                .called(
                    "getBootServed",
                    "What the machine was handed in a boot: script and config, secrets masked",
                )
                .says("It is kept of the newest 20 boots of each machine.")
                .answers::<BootServed>(200, "what is kept of it"),
            served,
        )
        .on(
            get("/boots/{id}/console")
                .called("getBootConsole", "What the machine said in a boot, line by line")
                .asks::<WhichLines>()
                .answers::<List<ConsoleLine>>(200, "a page of lines"),
            said,
        )
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// Only this machine's.
    machine: Option<String>,
    /// Those of machines with these labels now, as in lists of machines.
    selector: Option<String>,
    /// Those that began at this time or later.
    since: Option<Timestamp>,
    /// Those that ended so; `none` for those that go on.
    outcome: Option<Ended>,
    // Not flattened: that reads numbers as texts only.
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at the most, from 1 to 5000; 500 without it.
    limit: Option<u32>,
}

/// How a boot ended, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Ended {
    Active,
    LocalDisk,
    Failed,
    Restarted,
    None,
}

impl Ended {
    fn of(boot: &Boot) -> Self {
        match boot.outcome {
            Some(Outcome::Active) => Self::Active,
            Some(Outcome::LocalDisk) => Self::LocalDisk,
            Some(Outcome::Failed { .. }) => Self::Failed,
            Some(Outcome::Restarted { .. }) => Self::Restarted,
            None => Self::None,
        }
    }
}

/// A place among boots, as a cursor.
fn place(cursor: &str) -> Option<BootPlace> {
    let (started, id) = cursor.split_once('.')?;
    Some(BootPlace { started: Timestamp::from_micros(started.parse().ok()?), id: Some(id.parse().ok()?) })
}

async fn list(
    State(api): State<BootsApi>,
    Query(which): Query<Which>,
    Caller(actor): Caller,
) -> Result<Json<List<Boot>>, Failure> {
    let machine = match which.machine {
        None => None,
        Some(name) => {
            api.scopes.permits(&actor.rights, Verb::Get, MACHINE, &name)?;
            let found = api
                .views
                .machine(&name)
                .ok_or_else(|| Failure::not_found(format!("there is no machine {name}")));
            Some(found?.id)
        }
    };
    let from = match &which.cursor {
        // Later than any boot that has begun, whatever the clocks of several daemons say.
        None => {
            let started = api.journal.now().plus(std::time::Duration::from_secs(86_400));
            BootPlace { started, id: None }
        }
        Some(cursor) => {
            place(cursor).ok_or_else(|| Failure::bad_request("`cursor` is not one that a list gave you"))?
        }
    };
    let selector = selector(which.selector.as_deref())?;
    let since = which.since.unwrap_or(Timestamp::from_micros(i64::MIN));
    let (boots, scopes) = (&api.boots, &api.scopes);
    let (items, next) = fill(
        limit(which.limit),
        from,
        |place, rows| boots.behind(machine, since, place, rows),
        |boot: &Boot| BootPlace { started: boot.started, id: Some(boot.id) },
        |boot| {
            which.outcome.is_none_or(|outcome| outcome == Ended::of(boot))
                && scopes.selects(&selector, &format!("machine/{}", boot.machine))
                && scopes.permits(&actor.rights, Verb::Get, MACHINE, &boot.machine).is_ok()
        },
    )
    .await?;
    let cursor = |place: BootPlace| Some(format!("{}.{}", place.started.micros(), place.id?));
    Ok(Json(List { items, next: next.and_then(cursor) }))
}

async fn one(
    State(api): State<BootsApi>,
    Path(id): Path<BootId>,
    Caller(actor): Caller,
) -> Result<Json<Boot>, Failure> {
    api.boot(id, &actor).await.map(Json)
}

async fn served(
    State(api): State<BootsApi>,
    Path(id): Path<BootId>,
    Caller(actor): Caller,
) -> Result<Json<BootServed>, Failure> {
    api.boot(id, &actor).await?;
    Ok(Json(api.boots.served(id).await?))
}

impl BootsApi {
    /// A boot of a machine that the caller may look at.
    async fn boot(&self, id: BootId, actor: &Actor) -> Result<Boot, Failure> {
        let missing = || Failure::not_found(format!("there is no boot {id}"));
        let boot = self.boots.get(id).await?.ok_or_else(missing)?;
        self.scopes.permits(&actor.rights, Verb::Get, MACHINE, &boot.machine)?;
        Ok(boot)
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
struct WhichLines {
    /// The `next` of the page before: a line's number.
    cursor: Option<i64>,
    /// How many at the most, from 1 to 5000; 500 without it.
    limit: Option<u32>,
}

/// What the machine said in a boot, first things first.
async fn said(
    State(api): State<BootsApi>,
    Path(id): Path<BootId>,
    Query(which): Query<WhichLines>,
    Caller(actor): Caller,
) -> Result<Json<List<ConsoleLine>>, Failure> {
    api.boot(id, &actor).await?;
    let limit = limit(which.limit);
    let after = which.cursor.unwrap_or_default();
    let items = api.console.lines(id, after, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
    let next = items.last().filter(|_| items.len() >= limit).map(|last| last.line.to_string());
    Ok(Json(List { items, next }))
}
