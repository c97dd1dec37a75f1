//! Events: a list, or a stream that goes on where it was left (server-sent events, `Last-Event-ID`).
use super::{PREFIX, pages::fill, selector};
use crate::{
    domain::{rights::Rights, selector::Selector},
    http::{
        auth::Caller,
        problem::Failure,
        routes::{Header, Operation, Permission, Routes},
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
use pilotlight_types::{
    Timestamp,
    api::{Event, List},
    resource::Verb,
};
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
    let list = Operation::get("/events")
        .called("listEvents", "Events: a list, or a stream")
        .takes_right(Permission::Each(Verb::Get))
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

/// How many events a page has at the most.
const MOST: usize = 1000;

#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// Those after this one, oldest first.
    after: Option<i64>,
    /// Without `after`: the `next` of the page before. With it, that is the next `after`.
    cursor: Option<i64>,
    /// Those of one object: `machine/n1`.
    object: Option<String>,
    /// Those of objects with these labels now, as in lists of them.
    selector: Option<String>,
    /// Those from this time on.
    since: Option<Timestamp>,
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
        return follow(api, which, actor.rights, &headers).await;
    }
    let limit = usize::try_from(which.limit.unwrap_or(u32::MAX)).unwrap_or(MOST).clamp(1, MOST);
    let since = which.since.unwrap_or(Timestamp::from_micros(i64::MIN));
    let selector = selector(which.selector.as_deref())?;
    let shown = |event: &Event| {
        event.at >= since
            && api.scopes.selects(&selector, &event.object)
            && api.scopes.shows(&actor.rights, event)
    };
    let (history, object) = (&api.history, which.object.as_deref());
    let (items, next) = match which.after {
        Some(after) => {
            fill(limit, after, |after, rows| history.after(after, object, rows), |event| event.seq, shown)
                .await?
        }
        // Without a place to begin at, the newest: that is what one wants to see.
        None => {
            let from = which.cursor.unwrap_or(i64::MAX);
            let read = |before, rows| history.before(before, object, since, rows);
            fill(limit, from, read, |event| event.seq, shown).await?
        }
    };
    Ok(Json(List { items, next: next.map(|next| next.to_string()) }).into_response())
}

/// What a follower has still to be sent, and where it is.
struct Follower {
    history: History,
    live: broadcast::Receiver<Event>,
    object: Option<String>,
    scopes: Scopes,
    rights: Rights,
    selector: Selector,
    since: Option<Timestamp>,
    last: i64,
    waiting: VecDeque<Event>,
    behind: bool,
    stop: CancellationToken,
}

async fn follow(
    api: EventsApi,
    which: Which,
    rights: Rights,
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
        rights,
        selector: selector(which.selector.as_deref())?,
        since: which.since,
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
                if self.shows(&event) {
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
                    if self.shows(&event) {
                        return Some(event);
                    }
                }
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn shows(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.at >= since)
            && self.scopes.selects(&self.selector, &event.object)
            && self.scopes.shows(&self.rights, event)
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
