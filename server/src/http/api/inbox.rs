//! The inbox: what waits for somebody to look at it, and why.
use super::{PREFIX, limit};
use crate::{
    http::{
        auth::Caller,
        problem::Failure,
        routes::{Operation, Permission, Routes},
    },
    service::inbox::{Asked, Inbox},
};
use axum::{
    Json,
    extract::{Query, State},
};
use pilotlight_types::{
    api::{self, InboxState},
    resource::{Kind, Name, Verb},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn routes() -> Routes<Inbox> {
    let list = Operation::get("/inbox")
        .called("listInbox", "What waits for somebody to look at it, and why")
        .says(
            "Machines that nobody accepted, that are on hold, that have what is another's, or are not as their hardware class; and \
             machines that are expected and were not seen. One machine may be in several states.",
        )
        .takes_right(Permission::Each(Verb::Get))
        .asks::<InboxPage>()
        .answers::<api::Inbox>(200, "a page of it, with how many there are in each state");
    Routes::under(PREFIX).on(list, self::list)
}

/// How the inbox is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
struct InboxPage {
    /// Only what is in this state.
    state: Option<InboxState>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at the most, from 1 to 5000; 500 without it.
    limit: Option<u32>,
}

async fn list(
    State(inbox): State<Inbox>,
    Caller(actor): Caller,
    Query(page): Query<InboxPage>,
) -> Result<Json<api::Inbox>, Failure> {
    let after = page.cursor.as_deref().map(place).transpose()?;
    let asked = Asked { state: page.state, after, limit: limit(page.limit) };
    Ok(Json(inbox.page(&actor.rights, &asked)))
}

/// The row that a cursor names.
fn place(cursor: &str) -> Result<(Kind, Name), Failure> {
    let parsed =
        cursor.split_once('/').and_then(|(kind, name)| Some((kind.parse().ok()?, name.parse().ok()?)));
    parsed.ok_or_else(|| Failure::bad_request("`cursor` is not one that a page gave you"))
}
