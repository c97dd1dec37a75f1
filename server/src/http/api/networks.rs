//! Who has which address, and how full the subnets are.
use super::{PREFIX, bad_cursor, limit};
use crate::{
    http::{
        auth::Caller,
        problem::Failure,
        routes::{Operation, Routes},
    },
    service::networks::{Meant, Networks, Place},
};
use axum::{
    Json,
    extract::{Query, State},
};
use pilotlight_types::{
    api::{Lease, LeaseState, List, SubnetUse},
    resource::{Kind, Verb},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn routes() -> Routes<Networks> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/leases")
                .needs(Verb::Get, Kind::Subnet)
                .called("listLeases", "Who has which address, by subnet and address")
                .says("Of the subnets that the caller may see. Machines that they may not see are not named.")
                .asks::<Listed>()
                .answers::<List<Lease>>(200, "a page of leases"),
            leases,
        )
        .on(
            Operation::get("/network")
                .needs(Verb::Get, Kind::Subnet)
                .called("showNetwork", "How full each subnet is, and who else was seen on it")
                .answers::<List<SubnetUse>>(200, "each subnet that the caller may see, by name"),
            network,
        )
}

/// How leases are listed.
#[derive(Debug, Deserialize, JsonSchema)]
struct Listed {
    /// Only those of this subnet.
    subnet: Option<String>,
    /// Only those in this state: `leased`, `offered`, `abandoned` or `ended`.
    state: Option<LeaseState>,
    /// Only those of this machine.
    machine: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at the most, from 1 to 5000; 500 without it.
    limit: Option<u32>,
}

async fn leases(
    State(networks): State<Networks>,
    Caller(actor): Caller,
    Query(listed): Query<Listed>,
) -> Result<Json<List<Lease>>, Failure> {
    let Listed { subnet, state, machine, cursor, limit: asked } = listed;
    let place = |text: &str| -> Option<Place> {
        let (subnet, address) = text.split_once('/')?;
        Some((subnet.to_owned(), address.parse().ok()?))
    };
    let after = cursor.as_deref().map(|text| place(text).ok_or_else(bad_cursor)).transpose()?;
    let limit = limit(asked);
    let meant = Meant { subnet, state, machine };
    let items = networks.leases(&actor.rights, &meant, after.as_ref(), limit);
    let last = items.last().filter(|_| items.len() >= limit);
    let next = last.map(|last| format!("{}/{}", last.subnet, last.address));
    Ok(Json(List { items, next }))
}

async fn network(State(networks): State<Networks>, Caller(actor): Caller) -> Json<List<SubnetUse>> {
    Json(List { items: networks.uses(&actor.rights), next: None })
}
