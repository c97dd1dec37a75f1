//! The REST API, `/api/v1`. Each file has its endpoints: what each does, who may call it, what it takes and answers.
mod actions;
mod audit;
mod boots;
mod conditions;
mod events;
mod groups;
mod inbox;
mod machines;
mod networks;
mod operations;
mod pages;
mod plans;
mod power;
mod resources;
mod rights;
mod sign_in;
mod site;
mod system;
mod tokens;
mod users;
mod watch;
mod webhooks;

use super::{
    health::Health,
    openapi,
    problem::Failure,
    routes::{Header, Operation, Permission, Routes},
};
use crate::domain::selector::Selector;
use crate::service::{
    access::Access,
    audit::Audit,
    boots::Boots,
    callers::Callers,
    changes::Changes,
    console::Console,
    discovery::Discovery,
    explain::{Explain, Packets},
    history::History,
    inbox::Inbox,
    journal::Journal,
    machines::Machines,
    medians::Medians,
    membership::Membership,
    networks::Networks,
    oidc::Oidc,
    operations::Operations,
    power::Power,
    revisions::Revisions,
    scopes::Scopes,
    site_now::SiteNow,
    system::About,
    views::Views,
    webhooks::Webhooks,
};
use axum::{Router, http::HeaderMap, response::Response};
use conditions::Shown;
use pilotlight_types::resource::Name;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// What the REST API needs: each part of it takes what it uses.
#[derive(Debug, Clone)]
pub struct Api {
    /// Reads.
    pub views: Views,
    /// Changes what is declared.
    pub changes: Changes,
    /// What resources were.
    pub revisions: Revisions,
    /// What goes on.
    pub operations: Operations,
    /// Changes machines.
    pub machines: Machines,
    /// Takes machines in.
    pub discovery: Discovery,
    /// What waits.
    pub inbox: Inbox,
    /// Boots.
    pub boots: Boots,
    /// How boots usually go.
    pub medians: Medians,
    /// How it goes at the site.
    pub site: SiteNow,
    /// What machines said.
    pub console: Console,
    /// Explains machines.
    pub explain: Explain,
    /// Explains packets.
    pub packets: Packets,
    /// The audit log.
    pub audit: Audit,
    /// Tokens.
    pub access: Access,
    /// People.
    pub callers: Callers,
    /// Issuers.
    pub oidc: Oidc,
    /// What is in whose scope.
    pub scopes: Scopes,
    /// What webhooks are told.
    pub webhooks: Webhooks,
    /// Addresses.
    pub networks: Networks,
    /// Who wins for whom.
    pub membership: Membership,
    /// The daemon itself.
    pub about: About,
    /// Its metrics.
    pub health: Health,
    /// Switches machines.
    pub power: Power,
    /// Events as they come.
    pub journal: Journal,
    /// Events that were.
    pub history: History,
    /// Ends the streams of events.
    pub stop: CancellationToken,
}

/// Where the paths of the API begin.
const PREFIX: &str = "/api/v1";

pub(super) fn router(api: Api) -> Router {
    let Api {
        views,
        changes,
        revisions,
        operations,
        machines,
        discovery,
        inbox,
        boots,
        medians,
        site,
        console,
        explain,
        packets,
        audit,
        access,
        callers,
        oidc,
        scopes,
        webhooks,
        networks,
        membership,
        about: daemon,
        health,
        power,
        journal,
        history,
        stop,
    } = api;
    Router::new()
        .merge(about().with_state(()))
        .merge(audit::routes().with_state(audit::AuditApi { audit, scopes: scopes.clone() }))
        .merge(actions::routes().with_state(actions::ActionsApi {
            machines: machines.clone(),
            scopes: scopes.clone(),
            views: views.clone(),
        }))
        .merge(boots::routes().with_state(boots::BootsApi {
            boots,
            console,
            views: views.clone(),
            scopes: scopes.clone(),
            journal: journal.clone(),
        }))
        .merge(plans::routes().with_state(plans::PlansApi {
            changes: changes.clone(),
            revisions,
            operations: operations.clone(),
        }))
        .merge(resources::routes().with_state(resources::ResourcesApi {
            views: views.clone(),
            changes,
            operations: operations.clone(),
            watching: watch::Watching {
                views: views.clone(),
                journal: journal.clone(),
                history: history.clone(),
                stop: stop.clone(),
            },
        }))
        .merge(events::routes().with_state(events::EventsApi {
            journal,
            history,
            scopes: scopes.clone(),
            stop,
        }))
        .merge(power::routes().with_state(power::PowerApi {
            views: views.clone(),
            machines: machines.clone(),
            power,
        }))
        .merge(machines::routes().with_state(machines::MachinesApi {
            views,
            machines,
            discovery,
            medians,
            explain,
            packets,
        }))
        .merge(networks::routes().with_state(networks))
        .merge(groups::routes().with_state(membership))
        .merge(system::routes().with_state(system::SystemApi { about: daemon, health }))
        .merge(inbox::routes().with_state(inbox))
        .merge(operations::routes().with_state(operations))
        .merge(rights::routes().with_state(scopes.clone()))
        .merge(site::routes().with_state(site))
        .merge(tokens::routes().with_state(access))
        .merge(webhooks::routes().with_state(webhooks))
        .merge(sign_in::routes().with_state(sign_in::SignInApi { callers: callers.clone(), oidc }))
        .merge(users::routes().with_state(callers))
}

/// Every endpoint of the API, in the order of the document.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = [
        about().operations(),
        actions::routes().operations(),
        audit::routes().operations(),
        boots::routes().operations(),
        events::routes().operations(),
        groups::routes().operations(),
        networks::routes().operations(),
        system::routes().operations(),
        inbox::routes().operations(),
        machines::routes().operations(),
        operations::routes().operations(),
        plans::routes().operations(),
        power::routes().operations(),
        resources::routes().operations(),
        rights::routes().operations(),
        sign_in::routes().operations(),
        site::routes().operations(),
        tokens::routes().operations(),
        webhooks::routes().operations(),
        users::routes().operations(),
    ]
    .concat();
    all.sort_by(|a, b| (&a.path, a.method.as_str()).cmp(&(&b.path, b.method.as_str())));
    all
}

/// The API itself.
fn about() -> Routes<()> {
    let document = Operation::get("/openapi.json")
        .called("getOpenApi", "This document")
        .takes_right(Permission::Anybody)
        .says("Its ETag is the beginning of the SHA-256 of its text: `HEAD` tells whether it is the API that a client was made for.")
        .header(Header::IfChanged)
        .answers::<Value>(200, "the document, OpenAPI 3.1")
        .answers_nothing(304, "it is what the caller has")
        .tagged();
    Routes::under(PREFIX).on(document, open_api)
}

async fn open_api(headers: HeaderMap) -> Result<Response, Failure> {
    Ok(Shown::text(openapi::known_by(), openapi::text())?.unless_known(&headers))
}

/// How a list is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
struct Page {
    /// Which are meant, by labels, as kubectl has it: `role=worker,rack!=r1,gpu,!spare`. Machines have `stage`, `rack`, `drift` and `hold` too.
    selector: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at the most, from 1 to 5000; 500 without it.
    limit: Option<u32>,
    /// `true`: a stream of server-sent events of what there is, and of each change. `cursor` and `limit` are not looked at then.
    #[serde(default)]
    watch: bool,
}

/// The selector of a query.
fn selector(text: Option<&str>) -> Result<Selector, Failure> {
    text.unwrap_or_default().parse().map_err(|e| Failure::bad_request(format!("`selector`: {e}")))
}

/// How many items a page may have, within bounds.
fn limit(asked: Option<u32>) -> usize {
    usize::try_from(asked.unwrap_or(500)).unwrap_or(usize::MAX).clamp(1, 5000)
}

impl Page {
    fn limit(&self) -> usize {
        limit(self.limit)
    }

    fn after(&self) -> Result<Option<Name>, Failure> {
        let parsed = self.cursor.as_deref().map(str::parse).transpose();
        parsed.map_err(|_| bad_cursor())
    }

    fn selector(&self) -> Result<Selector, Failure> {
        selector(self.selector.as_deref())
    }
}

/// A cursor that no list has given to anybody.
fn bad_cursor() -> Failure {
    Failure::bad_request("`cursor` is not one that a list gave you")
}

/// What to give as the cursor of the next page: the last name of this one, if it is full.
fn next<T>(items: &[T], limit: usize, name: impl Fn(&T) -> &str) -> Option<String> {
    items.last().filter(|_| items.len() >= limit).map(|last| name(last).to_owned())
}
