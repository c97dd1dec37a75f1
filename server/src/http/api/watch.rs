//! Watching a list: first what there is, then each change, as server-sent events. A client that comes back with `Last-Event-ID` goes on
//! where it was.
//!
//! The events of the journal say what changed; what is sent is the object as it is by then, so many changes of a moment are one. The id
//! of an event is a place in the journal: everything up to it has been sent.
use crate::{
    domain::{rights::Rights, selector::Selector},
    http::problem::Failure,
    service::{history::History, journal::Journal, views::Views},
};
use axum::response::{
    IntoResponse, Response,
    sse::{self, KeepAlive, Sse},
};
use futures_util::stream;
use pilotlight_types::{
    api::{Event, Gone},
    resource::{Kind, Name, RuleKind, Verb},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    time::Duration,
};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// How many objects of the list, or events of the journal, are read at once.
const PAGE: usize = 500;

/// How long changes are gathered after the first: a machine that boots changes many times in a moment.
const GATHER: Duration = Duration::from_millis(50);

/// How often it is looked whether a change that is durable is in memory too, and how many times.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: usize = 200;

/// Stands for a revision where the object is to be gone.
const GONE: i64 = i64::MAX;

/// What watching takes.
#[derive(Debug, Clone)]
pub(super) struct Watching {
    pub(super) views: Views,
    pub(super) journal: Journal,
    pub(super) history: History,
    pub(super) stop: CancellationToken,
}

/// One client that watches.
struct Watcher {
    from: Watching,
    live: broadcast::Receiver<Event>,
    kind: Kind,
    /// What it asked for, and may see.
    selector: Selector,
    /// Which objects it was told of.
    known: BTreeSet<String>,
    /// It knows of objects that we do not know it knows of.
    resumed: bool,
    /// Where its list goes on, while that is still being sent.
    listing: Option<Option<Name>>,
    /// The last event of the journal that was looked at.
    last: i64,
    behind: bool,
    /// What changed, and at least to which revision.
    changed: BTreeMap<String, i64>,
    waiting: VecDeque<sse::Event>,
}

impl Watching {
    /// Begins to watch a kind. `resume` is the id of the last event that the client has.
    pub(super) async fn follow(
        self,
        kind: Kind,
        selector: Selector,
        rights: &Rights,
        resume: Option<i64>,
    ) -> Result<Response, Failure> {
        // Listen first, then read: nothing falls in between.
        let live = self.journal.events();
        // What is hidden meanwhile by its labels cannot be told without telling its name: that client begins anew.
        let every = rights.permits_every(Verb::Get, RuleKind::Resource(kind)).is_ok();
        let resume = resume.filter(|_| every);
        let last = match resume {
            Some(last) => last,
            None => self.history.newest(None, 1).await?.first().map_or(0, |event| event.seq),
        };
        let watcher = Watcher {
            from: self,
            live,
            kind,
            selector,
            known: BTreeSet::new(),
            resumed: resume.is_some(),
            listing: resume.is_none().then_some(None),
            last,
            behind: resume.is_some(),
            changed: BTreeMap::new(),
            waiting: VecDeque::new(),
        };
        let events = stream::unfold(watcher, |mut watcher| async move {
            let event = watcher.next().await?;
            Some((Ok::<_, Infallible>(event), watcher))
        });
        let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
        Ok(Sse::new(events).keep_alive(keep_alive).into_response())
    }
}

impl Watcher {
    /// The next event for the client; none when the daemon stops or the database is gone: then it asks again.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if let Some(after) = self.listing.take() {
                self.list(after.as_ref());
            } else if self.behind {
                self.catch_up().await?;
                self.tell().await;
            } else {
                self.gather().await?;
                self.tell().await;
            }
        }
    }

    /// Sends the next part of the list, and after the last that it is complete, and as of when.
    fn list(&mut self, after: Option<&Name>) {
        let page = self.from.views.any(self.kind, &self.selector, after, PAGE);
        let more = page.len() >= PAGE;
        self.listing = page.last().filter(|_| more).map(|(name, _)| Some(name.clone()));
        for (name, object) in page {
            self.waiting.push_back(sent("ADDED", &object));
            self.known.insert(name.to_string());
        }
        if self.listing.is_none() {
            self.waiting.push_back(sent("SYNCED", &json!({})).id(self.last.to_string()));
        }
    }

    /// Waits for a change, and a moment longer for more.
    async fn gather(&mut self) -> Option<()> {
        // Told to stop, the daemon waits for its connections to end, and this one would not by itself.
        let first = self.from.stop.run_until_cancelled(self.live.recv()).await?;
        self.heard(first)?;
        let until = Instant::now() + GATHER;
        while !self.behind && !self.changed.is_empty() {
            match timeout_at(until, self.live.recv()).await {
                Ok(heard) => self.heard(heard)?,
                Err(_) => break,
            }
        }
        Some(())
    }

    fn heard(&mut self, heard: Result<Event, RecvError>) -> Option<()> {
        match heard {
            Ok(event) => self.note(&event),
            Err(RecvError::Lagged(_)) => self.behind = true,
            Err(RecvError::Closed) => return None,
        }
        Some(())
    }

    async fn catch_up(&mut self) -> Option<()> {
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let page = self.from.history.after(self.last, None, limit).await.ok()?;
        self.behind = page.len() >= PAGE;
        page.iter().for_each(|event| self.note(event));
        Some(())
    }

    /// Keeps in mind what an event changed.
    fn note(&mut self, event: &Event) {
        if event.seq <= self.last {
            return;
        }
        self.last = event.seq;
        let Some((kind, name)) = event.object.split_once('/') else { return };
        if kind.parse() != Ok(self.kind) {
            return;
        }
        let revision = event.data.get("revision").and_then(Value::as_i64).unwrap_or_default();
        let needed = self.changed.entry(name.to_owned()).or_default();
        *needed = match event.kind.as_str() {
            "resource.deleted" => GONE,
            // There may be one of that name again.
            _ if *needed == GONE => revision,
            _ => revision.max(*needed),
        };
    }

    /// Sends what changed, as it is now. The last of it has the place in the journal.
    async fn tell(&mut self) {
        let before = self.waiting.len();
        for (name, revision) in std::mem::take(&mut self.changed) {
            let object = self.settled(&name, revision).await;
            let kind = match (&object, self.known.contains(&name)) {
                (Some(_), known) if known || self.resumed => "MODIFIED",
                (Some(_), _) => "ADDED",
                (None, known) if known || self.resumed => "DELETED",
                (None, _) => continue,
            };
            if let Some(object) = object {
                self.known.insert(name);
                self.waiting.push_back(sent(kind, &object));
            } else {
                self.known.remove(&name);
                self.waiting.push_back(sent(kind, &json!(Gone { kind: self.kind, name })));
            }
        }
        if let Some(last) = self.waiting.pop_back().filter(|_| before == 0) {
            self.waiting.push_back(last.id(self.last.to_string()));
        }
    }

    /// An object, if there is one and the client is to see it: as soon as it is at least at that revision in memory, where a change
    /// comes a moment after it is durable.
    async fn settled(&self, name: &str, revision: i64) -> Option<Value> {
        for _ in 0..LOOKS {
            // What was deleted meanwhile has no revision to wait for.
            if self.from.views.revision(self.kind, name).is_none_or(|there| there >= revision) {
                break;
            }
            sleep(LOOK).await;
        }
        self.from.views.one_of(self.kind, name, &self.selector)
    }
}

fn sent(kind: &str, object: &Value) -> sse::Event {
    // An object is plain data: it serialises.
    sse::Event::default().event(kind).json_data(object).unwrap_or_default()
}
