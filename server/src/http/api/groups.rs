//! Who wins for whom: the groups of a machine, and the machines of a group.
use super::{PREFIX, limit, next};
use crate::{
    http::{
        auth::Caller,
        problem::Failure,
        routes::{Operation, Routes},
    },
    service::membership::Membership,
};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use pilotlight_types::{
    api::{GroupMachine, List, MachineGroup},
    resource::{Kind, Name, Verb},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn routes() -> Routes<Membership> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/machines/{name}/groups")
                .needs(Verb::Get, Kind::Machine)
                .called(
                    "listMachineGroups",
                    "The groups that take a machine, the one that counts first, and why",
                )
                .says("Those that the caller may not see are left out, but for the one that counts.")
                .answers::<List<MachineGroup>>(200, "all of them"),
            of_machine,
        )
        .on(
            Operation::get("/groups/{name}/machines")
                .needs(Verb::Get, Kind::Group)
                .called(
                    "listGroupMachines",
                    "The machines that a group takes, and which group counts for each",
                )
                .asks::<Page>()
                .answers::<List<GroupMachine>>(200, "a page of them, by name"),
            of_group,
        )
}

async fn of_machine(
    State(membership): State<Membership>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<List<MachineGroup>>, Failure> {
    let none = || Failure::not_found(format!("there is no machine {}", name.escape_default()));
    let items = membership.of_machine(&name, &actor.rights).ok_or_else(none)?;
    Ok(Json(List { items, next: None }))
}

/// How a group's machines are listed.
#[derive(Debug, Deserialize, JsonSchema)]
struct Page {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at the most, from 1 to 5000; 500 without it.
    limit: Option<u32>,
}

async fn of_group(
    State(membership): State<Membership>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<List<GroupMachine>>, Failure> {
    let after: Option<Name> =
        page.cursor.as_deref().map(str::parse).transpose().map_err(|_| super::bad_cursor())?;
    let limit = limit(page.limit);
    let none = || Failure::not_found(format!("there is no group {}", name.escape_default()));
    let items = membership.of_group(&name, &actor.rights, after.as_ref(), limit).ok_or_else(none)?;
    let next = next(&items, limit, |item| &item.machine);
    Ok(Json(List { items, next }))
}
