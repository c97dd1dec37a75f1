//! The REST API, `/api/v1`. Who may call what is in [`super::ENDPOINTS`].
mod boots;
mod events;
mod machines;
mod plans;
mod resources;
mod tokens;

use super::problem::Failure;
use crate::service::{
    access::Access,
    boots::Boots,
    changes::Changes,
    console::Console,
    explain::{Explain, Packets},
    history::History,
    journal::Journal,
    machines::Machines,
    revisions::Revisions,
    views::Views,
};
use axum::Router;
use pilotlight_types::resource::Name;
use serde::Deserialize;
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
    /// Changes machines.
    pub machines: Machines,
    /// Boots.
    pub boots: Boots,
    /// What machines said.
    pub console: Console,
    /// Explains machines.
    pub explain: Explain,
    /// Explains packets.
    pub packets: Packets,
    /// Tokens.
    pub access: Access,
    /// Events as they come.
    pub journal: Journal,
    /// Events that were.
    pub history: History,
    /// Ends the streams of events.
    pub stop: CancellationToken,
}

pub(super) fn router(api: Api) -> Router {
    let Api { views, changes, revisions, machines, boots, console, explain, packets, .. } = api;
    let Api { access, journal, history, stop, .. } = api;
    Router::new()
        .merge(machines::router(views.clone(), machines, (explain, packets)))
        .merge(boots::router((boots, console), views.clone(), journal.clone()))
        .merge(events::router(journal, history, stop))
        .merge(tokens::router(access))
        .merge(plans::router(changes.clone(), revisions))
        .merge(resources::router(views, changes))
}

/// How a list is asked for.
#[derive(Debug, Deserialize)]
struct Page {
    selector: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

impl Page {
    /// How many items, within bounds.
    fn limit(&self) -> usize {
        self.limit.unwrap_or(500).clamp(1, 5000)
    }

    fn after(&self) -> Result<Option<Name>, Failure> {
        let parsed = self.cursor.as_deref().map(str::parse).transpose();
        parsed.map_err(|_| Failure::bad_request("`cursor` is not one that a list gave you"))
    }

    fn selector(&self) -> Result<crate::domain::selector::Selector, Failure> {
        self.selector
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(|e| Failure::bad_request(format!("`selector`: {e}")))
    }
}

/// What to give as the cursor of the next page: the last name of this one, if it is full.
fn next<T>(items: &[T], limit: usize, name: impl Fn(&T) -> &str) -> Option<String> {
    items.last().filter(|_| items.len() >= limit).map(|last| name(last).to_owned())
}
