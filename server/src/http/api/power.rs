//! Machines' power, and their BMCs.
use super::{PREFIX, conditions::Shown};
use crate::{
    http::{
        auth::Caller,
        body::Sent,
        problem::Failure,
        routes::{Operation, Routes},
    },
    service::{machines::Machines, power::Power, views::Views},
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use pilotlight_types::{
    api::{BmcLog, BmcStatus, IdentifyRequest, Machine, PowerRequest},
    resource::{Kind, Verb},
};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Clone)]
pub(super) struct PowerApi {
    pub(super) views: Views,
    pub(super) machines: Machines,
    pub(super) power: Power,
}

/// How many entries of a log are shown at the most, and without a limit.
const LOG: (usize, usize) = (1000, 100);

#[derive(Debug, Deserialize, JsonSchema)]
struct Listed {
    /// How many at the most, from 1 to 1000; 100 without it.
    limit: Option<u16>,
}

pub(super) fn routes() -> Routes<PowerApi> {
    Routes::under(PREFIX)
        .on(
            Operation::post("/machines/{name}/power")
                .needs(Verb::Power, Kind::Machine)
                .called("switchMachine", "Asks for something of its power, and what it boots from then")
                .says(
                    "It is written down and brought about by its BMC: `power_wanted` has it until it is done, and then `power_result`. \
                     What was asked before and is not done is not wanted any more.",
                )
                .takes::<PowerRequest>()
                .answers::<Machine>(202, "the machine, with what is wanted")
                .tagged()
                .refuses(&[409]),
            switch,
        )
        .on(
            Operation::get("/machines/{name}/bmc")
                .needs(Verb::Get, Kind::Machine)
                .called("getMachineBmc", "Its BMC as it answers now: power, sensors, what failed lately")
                .answers::<BmcStatus>(200, "how it does; one that does not answer says why"),
            status,
        )
        .on(
            Operation::get("/machines/{name}/bmc/log")
                .needs(Verb::Get, Kind::Machine)
                .called("getMachineBmcLog", "What is in its BMC's event log now, newest first")
                .asks::<Listed>()
                .answers::<BmcLog>(200, "the entries")
                .refuses(&[502]),
            log,
        )
        .on(
            Operation::post("/machines/{name}/bmc/identify")
                .needs(Verb::Power, Kind::Machine)
                .called("identifyMachine", "Switches the light by which one finds it in its rack")
                .takes::<IdentifyRequest>()
                .answers_nothing(204, "its BMC did it")
                .refuses(&[502]),
            identify,
        )
}

async fn switch(
    State(api): State<PowerApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
    Sent(request): Sent<PowerRequest>,
) -> Result<(StatusCode, Shown), Failure> {
    api.machines.switch(&name, request, &actor).await?;
    let missing = || Failure::not_found(format!("there is no machine {}", name.escape_default()));
    let machine = api.views.machine(&name).ok_or_else(missing)?;
    Ok((StatusCode::ACCEPTED, Shown::machine(&machine)?))
}

async fn status(State(api): State<PowerApi>, Path(name): Path<String>) -> Result<Json<BmcStatus>, Failure> {
    Ok(Json(api.power.status(&name).await?))
}

async fn log(
    State(api): State<PowerApi>,
    Path(name): Path<String>,
    Query(Listed { limit }): Query<Listed>,
) -> Result<Json<BmcLog>, Failure> {
    let most = limit.map_or(LOG.1, usize::from);
    if !(1..=LOG.0).contains(&most) {
        return Err(Failure::bad_request(format!("`limit`: 1 to {} are expected", LOG.0)));
    }
    Ok(Json(BmcLog { items: api.power.log(&name, most).await? }))
}

async fn identify(
    State(api): State<PowerApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
    Sent(request): Sent<IdentifyRequest>,
) -> Result<StatusCode, Failure> {
    api.power.identify(&name, request.lit, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
