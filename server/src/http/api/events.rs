//! Events: a list, or a stream that goes on where it was left (server-sent events, `Last-Event-ID`).
use super::PREFIX;
use crate::{
    domain::scope::Scope,
    http::{
        auth::Caller,
        problem::Failure,
        routes::{Header, Operation, Reach, Routes},
    },
    service::{history::History, journal::Journal, scopes::Scopes},
};
use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, header},
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use futures_util::stream;
use pilotlight_types::api::{Event, List, Role};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::VecDeque, convert::Infallible, time::Duration};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone)]
pub(super) struct EventsApi {
    pub(super) journal: Journal,
    pub(super) history: History,
    pub(super) scopes: Scopes,
    pub(super) stop: CancellationToken,
}

pub(super) fn routes() -> Routes<EventsApi> {
    let list = Operation::get("/events", Role::Viewer)
        .called("listEvents", "Events: a list, or a stream")
        .about(Reach::Each)
        .says(
            "Without `after` the newest first. With `Accept: text/event-stream` a stream that goes on after \
             `Last-Event-ID` or `after`, or with what happens next.",
        )
        .asks::<Which>()
        .header(Header::LastEventId)
        .answers::<List<Event>>(200, "a page of events")
        .streams::<Event>(200, "events as they happen");
    Routes::under(PREFIX).on(list, events)
}

/// How many events are read at once.
const PAGE: i64 = 1000;

#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// Those after this one, oldest first.
    after: Option<i64>,
    /// Those of one object: `machine/n1`.
    object: Option<String>,
    /// How many at the most, from 1 to 1000, which it is without it.
    limit: Option<u32>,
}

async fn events(
    State(api): State<EventsApi>,
    Query(which): Query<Which>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/event-stream") {
        return follow(api, which, actor.scope, &headers).await;
    }
    let limit = which.limit.map_or(PAGE, i64::from).clamp(1, PAGE);
    let mut items = match which.after {
        Some(after) => api.history.after(after, which.object.as_deref(), limit).await?,
        // Without a place to begin at, the newest: that is what one wants to see.
        None => api.history.newest(which.object.as_deref(), limit).await?,
    };
    let full = i64::try_from(items.len()).is_ok_and(|len| len >= limit);
    let next = items.last().filter(|_| full && which.after.is_some()).map(|last| last.seq.to_string());
    items.retain(|event| api.scopes.shows(&actor.scope, event));
    Ok(Json(List { items, next }).into_response())
}

/// What a follower has still to be sent, and where it is.
struct Follower {
    history: History,
    live: broadcast::Receiver<Event>,
    object: Option<String>,
    scopes: Scopes,
    scope: Scope,
    last: i64,
    waiting: VecDeque<Event>,
    behind: bool,
    stop: CancellationToken,
}

async fn follow(
    api: EventsApi,
    which: Which,
    scope: Scope,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    // Listen first, then read: nothing falls in between.
    let live = api.journal.events();
    let from = resumed.or(which.after);
    let last = match from {
        Some(last) => last,
        None => api.history.newest(None, 1).await?.first().map_or(0, |event| event.seq),
    };
    let follower = Follower {
        history: api.history,
        live,
        object: which.object,
        scopes: api.scopes,
        scope,
        last,
        waiting: VecDeque::new(),
        behind: from.is_some(),
        stop: api.stop,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(sent(&event)), follower))
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

fn sent(event: &Event) -> sse::Event {
    let made = sse::Event::default().id(event.seq.to_string()).event(event.kind.clone());
    // An event is plain data: it serialises.
    made.json_data(event).unwrap_or_default()
}

impl Follower {
    /// The next event that the follower wants; none when the daemon stops or the database is gone: then it asks again.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.behind {
                self.catch_up().await?;
            }
            if let Some(event) = self.waiting.pop_front() {
                self.last = event.seq;
                // A full page was read: there may be more before what is live.
                if self.scopes.shows(&self.scope, &event) {
                    return Some(event);
                }
                continue;
            }
            // Told to stop, the daemon waits for its connections to end, and this one would not by itself.
            match self.stop.run_until_cancelled(self.live.recv()).await? {
                Ok(event)
                    if event.seq <= self.last
                        || self.object.as_ref().is_some_and(|object| *object != event.object) => {}
                Ok(event) => {
                    self.last = event.seq;
                    if self.scopes.shows(&self.scope, &event) {
                        return Some(event);
                    }
                }
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    async fn catch_up(&mut self) -> Option<()> {
        if !self.waiting.is_empty() {
            return Some(());
        }
        let page = self.history.after(self.last, self.object.as_deref(), PAGE).await.ok()?;
        self.behind = i64::try_from(page.len()).is_ok_and(|len| len >= PAGE);
        self.waiting = page.into();
        Some(())
    }
}
