//! The daemon itself: what it is, what it does again and again, what was found of its host, and all of that for whoever is to help.
use super::PREFIX;
use crate::{
    http::{
        health::{self, Health},
        problem::Failure,
        routes::{Operation, Permission, Routes},
    },
    service::system::About,
};
use axum::{Json, extract::State};
use pilotlight_types::{
    api::{Daemon, Findings, List, SupportBundle, Task},
    resource::{Kind, RuleKind, Verb},
};

/// What these endpoints need.
#[derive(Debug, Clone)]
pub(super) struct SystemApi {
    pub(super) about: About,
    pub(super) health: Health,
}

pub(super) fn routes() -> Routes<SystemApi> {
    let site = Permission::On(Verb::Get, RuleKind::Site);
    // It sends packets to every network that we serve: who may change how we answer there may do that.
    let networks = Permission::Every(Verb::Write, RuleKind::Resource(Kind::Subnet));
    Routes::under(PREFIX)
        .on(
            Operation::get("/system")
                .takes_right(site)
                .called("showSystem", "What this daemon is: version, database, what it listens on")
                .answers::<Daemon>(200, "what it is"),
            system,
        )
        .on(
            Operation::get("/tasks")
                .takes_right(site)
                .called("listTasks", "What the daemon does again and again, and how it went the last time")
                .answers::<List<Task>>(200, "all of it, by name"),
            tasks,
        )
        .on(
            Operation::get("/doctor")
                .takes_right(site)
                .called("showFindings", "What was found of this host and its network when it was looked at last")
                .answers::<Findings>(200, "what was found; no checks, if nobody has looked since the start"),
            findings,
        )
        .on(
            Operation::post("/doctor")
                .takes_right(networks)
                .called("examine", "Looks at this host, its configuration and its network, as `pilotlight doctor` does")
                .says("It takes some seconds. Packets are sent on the interfaces that DHCP is served on.")
                .answers::<Findings>(200, "what was found"),
            examine,
        )
        .on(
            Operation::get("/support-bundle")
                .takes_right(Permission::Every(Verb::Get, RuleKind::Audit))
                .called("getSupportBundle", "What somebody needs who is to help, in one document without secrets")
                .says(
                    "Configs, templates, variables, headers and URLs are left out. Names, labels, MACs and addresses are in it, and what \
                     happened.",
                )
                .answers::<SupportBundle>(200, "the document"),
            bundle,
        )
}

async fn system(State(api): State<SystemApi>) -> Result<Json<Daemon>, Failure> {
    Ok(Json(api.about.system().await?))
}

async fn tasks(State(api): State<SystemApi>) -> Json<List<Task>> {
    Json(List { items: api.about.tasks.all(), next: None })
}

async fn findings(State(api): State<SystemApi>) -> Json<Findings> {
    Json(api.about.doctor.last())
}

async fn examine(State(api): State<SystemApi>) -> Json<Findings> {
    Json(api.about.doctor.look().await)
}

async fn bundle(State(api): State<SystemApi>) -> Result<Json<SupportBundle>, Failure> {
    Ok(Json(api.about.bundle(&health::text(&api.health)?).await?))
}
