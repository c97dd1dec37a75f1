//! What is done for one webhook, again and again: events are looked through, deliveries that are due are sent, and what came of each is
//! written down. A receiver that is slow keeps its own worker waiting, and nobody else.
use super::{Inner, TICK, found::found, object, sender::Sent, webhook};
use crate::{
    clock::random,
    domain::webhook::{FEW, Next, Outcome},
    service::journal::Actor,
    store::{DeliveryRow, StoreError, Tried, WebhookRow, WebhookWrite, Write},
};
use pilotlight_types::{
    Timestamp,
    api::DeliveryState,
    resource::{Name, WebhookSpec},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

/// How many events are looked through at once.
const PAGE: i64 = 500;
/// How many deliveries of one webhook wait at the most; the events that follow wait where they are.
const WAITING: i64 = 1000;
/// A place that is written down less often than this is looked for again after a restart, which costs little.
const UNWRITTEN: i64 = 2000;
/// How long a daemon has a webhook to itself: longer than a try may take.
const TURN: Duration = Duration::from_secs(30);
/// A turn that ends so soon is lengthened before anything is sent.
const LATE: Duration = Duration::from_secs(22);
/// How many tries are kept of a delivery.
const KEPT: usize = 10;
/// One event tells of deliveries that were given up, until one is taken again, or for so long.
const TOLD: Duration = Duration::from_secs(3600);
/// How many old deliveries go at once, and how often.
const FORGET: (i64, Duration) = (500, Duration::from_secs(60));
/// After the database failed.
const PAUSE: Duration = Duration::from_secs(2);
/// How long what is under way may take when the daemon stops.
const GRACE: Duration = Duration::from_secs(5);

/// Does what is to be done for one webhook.
pub(super) struct Worker {
    inner: Arc<Inner>,
    name: Name,
    /// What is being sent, and what is not yet written down of it.
    flight: JoinSet<(DeliveryRow, Sent)>,
    sent: HashSet<i64>,
    /// The last event that was looked at, which need not be written down yet.
    seen: i64,
    /// How many tries failed since one did not.
    failures: u32,
    /// Nothing is sent before this.
    quiet: Option<Instant>,
    /// When it was told of deliveries that were given up.
    told: Option<Timestamp>,
    forgot: Option<Instant>,
    /// Whether it was told that its receiver wants no more: several tries may be under way that say so.
    gone: bool,
}

impl Worker {
    pub(super) fn new(inner: Arc<Inner>, name: Name) -> Self {
        Self {
            inner,
            name,
            flight: JoinSet::new(),
            sent: HashSet::new(),
            seen: 0,
            failures: 0,
            quiet: None,
            told: None,
            forgot: None,
            gone: false,
        }
    }

    /// Works until it is stopped, or the webhook is gone.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut wake = self.inner.wake.subscribe();
        while let Some(spec) = self.inner.spec(&self.name) {
            wake.mark_unchanged();
            let wait = self.pass(&spec).await.unwrap_or_else(|error| {
                tracing::warn!(
                    "webhook {} waits for the database: {}",
                    self.name,
                    crate::errors::chain(&error)
                );
                PAUSE
            });
            tokio::select! {
                () = stop.cancelled() => break,
                Some(Ok((row, sent))) = self.flight.join_next() => self.keep(&row, &sent, &stop).await,
                _ = wake.changed() => {}
                () = time::sleep(wait) => {}
            }
        }
        // What is not written down then is sent again: its receiver knows it by its id.
        let end = Instant::now() + GRACE;
        while let Ok(Some(Ok((row, sent)))) = time::timeout_at(end, self.flight.join_next()).await {
            self.keep(&row, &sent, &stop).await;
        }
        if self.inner.db.is_shared() {
            let release = WebhookWrite::Release(self.name.clone(), self.inner.holder.clone());
            self.inner.journal.later(vec![webhook(release)]);
        }
    }

    /// One pass; returns how long there is nothing to do, as far as is known.
    async fn pass(&mut self, spec: &Arc<WebhookSpec>) -> Result<Duration, StoreError> {
        let now = self.inner.journal.now();
        let mut tx = self.inner.db.read().await?;
        let Some(row) = tx.webhook(&self.name).await? else {
            drop(tx);
            self.write(vec![webhook(WebhookWrite::Begin(self.name.clone()))]).await?;
            return Ok(Duration::ZERO);
        };
        let (waiting, _) = tx.waiting_deliveries(&self.name).await?;
        drop(tx);
        if spec.paused || row.paused.is_some() || !self.have_turn(&row, now).await? {
            return Ok(TICK);
        }
        self.gone = false;
        self.forget(now).await?;
        let more = waiting < WAITING && self.look_through(&row, spec, now).await?;
        let next = self.send_due(spec, now).await?;
        Ok(if more { Duration::ZERO } else { next.min(TICK) })
    }

    /// Whether it is this daemon that sends for the webhook, for long enough that a try ends within its turn.
    async fn have_turn(&self, row: &WebhookRow, now: Timestamp) -> Result<bool, StoreError> {
        let (holder, held) = (&self.inner.holder, Timestamp::from_micros(row.held));
        let ours = row.holder == *holder;
        if ours && (held.since(now) >= LATE || !self.inner.db.is_shared()) {
            return Ok(true);
        }
        if !ours && held >= now && self.inner.db.is_shared() {
            return Ok(false);
        }
        let until = now.plus(TURN);
        // At a database of our own, whoever held it is gone.
        let before = if self.inner.db.is_shared() { now } else { Timestamp::from_micros(i64::MAX) };
        let hold =
            WebhookWrite::Hold { webhook: self.name.clone(), holder: holder.clone(), now: before, until };
        match self.write(vec![webhook(hold)]).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes down what the webhook is told of the next page of events; says whether there may be more.
    async fn look_through(
        &mut self,
        row: &WebhookRow,
        spec: &WebhookSpec,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let from = self.seen.max(row.seen);
        let events = self.inner.db.read().await?.events_after(from, None, PAGE).await?;
        let Some(last) = events.last().map(|event| event.seq) else { return Ok(false) };
        let new = found(&self.inner, &self.name, spec, &events, now);
        if !new.is_empty() || last - row.seen >= UNWRITTEN {
            let (webhook_name, holder) = (self.name.clone(), self.inner.holder.clone());
            let write = WebhookWrite::Found { webhook: webhook_name, holder, seen: last, new };
            self.write(vec![webhook(write)]).await?;
        }
        self.seen = last;
        Ok(i64::try_from(events.len()).is_ok_and(|number| number >= PAGE))
    }

    /// Begins to send what is due, as much as may be under way at once; returns when the next one is due.
    async fn send_due(&mut self, spec: &Arc<WebhookSpec>, now: Timestamp) -> Result<Duration, StoreError> {
        if let Some(quiet) = self.quiet.map(|quiet| quiet.saturating_duration_since(Instant::now()))
            && !quiet.is_zero()
        {
            return Ok(quiet);
        }
        let (at_once, _) = self.inner.settings.manner.spare(self.failures);
        let room = at_once.saturating_sub(self.sent.len());
        if room == 0 {
            return Ok(TICK);
        }
        let limit = i64::try_from(self.sent.len() + room).unwrap_or(i64::MAX);
        let mut tx = self.inner.db.read().await?;
        let rows = tx.due_deliveries(&self.name, now, limit).await?;
        let (_, next) = tx.waiting_deliveries(&self.name).await?;
        drop(tx);
        let new: Vec<DeliveryRow> =
            rows.into_iter().filter(|row| !self.sent.contains(&row.seq)).take(room).collect();
        for row in new {
            self.sent.insert(row.seq);
            let (inner, spec) = (self.inner.clone(), spec.clone());
            self.flight.spawn(async move {
                let at = inner.journal.now();
                let sent = match row.shown() {
                    Ok(shown) => inner.sender.send(&spec, &shown.id.to_string(), row.body.clone(), at).await,
                    Err(error) => Sent::unreadable(at, &error),
                };
                (row, sent)
            });
        }
        // One that is due and not sent waits for one of its object: that ends by itself.
        let next = next.map(Timestamp::from_micros).filter(|next| *next > now);
        Ok(next.map_or(TICK, |next| next.since(now)))
    }

    /// Writes down what came of a try, until the database takes it.
    async fn keep(&mut self, row: &DeliveryRow, sent: &Sent, stop: &CancellationToken) {
        let writes = self.came(row, sent);
        while let Err(error) = self.write(writes.clone()).await {
            tracing::warn!(
                "webhook {}: what came of a delivery is not written down yet: {}",
                self.name,
                crate::errors::chain(&error)
            );
            if stop.run_until_cancelled(time::sleep(PAUSE)).await.is_none() {
                break;
            }
        }
        self.sent.remove(&row.seq);
    }

    /// What is written down of a try.
    fn came(&mut self, row: &DeliveryRow, sent: &Sent) -> Vec<Write> {
        let now = self.inner.journal.now();
        let (tries, mut attempts) = row
            .shown()
            .map(|shown| (shown.tries.saturating_add(1), shown.attempts))
            .unwrap_or((1, Vec::new()));
        attempts.push(sent.attempt.clone());
        let kept = attempts.split_off(attempts.len().saturating_sub(KEPT));
        let chance = u16::from_be_bytes(random::<2>());
        let manner = self.inner.settings.manner;
        let next = manner.next(sent.outcome, tries, now, row.expires(), chance);
        let (state, due) = match next {
            Next::Done => (DeliveryState::Delivered, now),
            Next::Dead => (DeliveryState::Dead, now),
            Next::Again(due) => (DeliveryState::Pending, due),
            Next::Pause => (DeliveryState::Pending, now),
        };
        let done = (state != DeliveryState::Pending).then_some(now);
        let tried = Tried { seq: row.seq, state, due, done, tries, attempts: kept };
        let mut writes = vec![webhook(WebhookWrite::Tried(self.name.clone(), tried))];
        let words = outcome(next);
        self.inner.tried(&self.name, words);
        tracing::debug!(webhook = %self.name, event = row.event, object = row.object, tries, "a delivery is {words}");
        self.judge(sent.outcome, now, &mut writes);
        match next {
            Next::Done | Next::Again(_) => {}
            Next::Pause if self.gone => {}
            Next::Dead => writes.extend(self.tell_dead(row, sent, tries, now)),
            Next::Pause => {
                self.gone = true;
                let why = format!("its receiver answered 410 at {now}: it wants nothing any more");
                writes.push(webhook(WebhookWrite::Pause(self.name.clone(), why)));
                let told = format!(
                    "webhook {} is paused: its receiver answered 410; `pilotlight webhook resume {}` sends to it again",
                    self.name, self.name
                );
                let object = object(&self.name);
                writes.push(self.inner.journal.event(
                    "webhook.paused",
                    &object,
                    &Actor::daemon(),
                    None,
                    told,
                ));
            }
        }
        writes
    }

    /// What a try says of the receiver, whatever it was sent.
    fn judge(&mut self, outcome: Outcome, now: Timestamp, writes: &mut Vec<Write>) {
        match outcome {
            Outcome::Delivered => {
                if self.failures >= FEW {
                    writes.push(webhook(WebhookWrite::Hasten(self.name.clone(), now)));
                }
                (self.failures, self.quiet, self.told) = (0, None, None);
            }
            Outcome::Failed(after) => {
                self.failures = self.failures.saturating_add(1);
                let (_, pause) = self.inner.settings.manner.spare(self.failures);
                // A receiver that says when to come again means all of it, but it cannot have us wait longer than one delivery may.
                let wait = pause.max(after.unwrap_or_default()).min(self.inner.settings.manner.give_up);
                self.quiet = Some(Instant::now() + wait).max(self.quiet);
            }
            Outcome::Gone => {}
        }
    }

    /// The event that tells of a delivery that was given up, if it is time for one.
    fn tell_dead(&mut self, row: &DeliveryRow, sent: &Sent, tries: u32, now: Timestamp) -> Option<Write> {
        // What became of one webhook's news of another is told nobody: two that fail would tell of each other for ever.
        if row.event.starts_with("webhook.") || self.told.is_some_and(|told| now.since(told) < TOLD) {
            return None;
        }
        self.told = Some(now);
        let why = sent.attempt.error.clone().unwrap_or_default();
        let told = format!(
            "{} of {} was given up after {tries} tries: {why}; `pilotlight webhook deliveries {} --state dead` lists what was",
            row.event, row.object, self.name
        );
        let data = BTreeMap::from([
            ("tries".to_owned(), json!(tries)),
            ("status".to_owned(), json!(sent.attempt.status)),
        ]);
        let object = object(&self.name);
        Some(self.inner.journal.event_with("webhook.dead", &object, &Actor::daemon(), None, told, data))
    }

    /// Takes out what is old, now and then.
    async fn forget(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let (most, often) = FORGET;
        if self.forgot.is_some_and(|last| last.elapsed() < often) {
            return Ok(());
        }
        self.forgot = Some(Instant::now());
        let settings = &self.inner.settings;
        let keep = i64::try_from(settings.keep.as_micros()).unwrap_or(i64::MAX);
        let before = Timestamp::from_micros(now.micros().saturating_sub(keep));
        let beyond = i64::try_from(settings.keep_count).unwrap_or(i64::MAX);
        let forget = WebhookWrite::Forget { webhook: self.name.clone(), before, beyond, most };
        self.write(vec![webhook(forget)]).await
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.inner.journal.commit(writes).await
    }
}

/// What metrics call what comes next.
const fn outcome(next: Next) -> &'static str {
    match next {
        Next::Done => "delivered",
        Next::Again(_) => "failed",
        Next::Dead => "dead",
        Next::Pause => "gone",
    }
}
