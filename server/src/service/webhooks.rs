//! Webhooks: who is told of which events. A delivery is written down before it is sent, and sent until it is taken or given up.
//!
//! Each webhook has a place in the events, which are written with what they tell of. What is found there is written as deliveries, in
//! one commit with the new place: there is nothing to add to the commits of the boot path, and a `kill -9` loses nothing, because
//! nothing is only in memory. A webhook that is paused or far behind keeps its place, and costs nothing meanwhile.
mod client;
mod found;
mod sender;
mod worker;

use self::sender::Sender;
use super::{
    journal::{Actor, Journal},
    roster::Roster,
    secrets::Secrets,
};
use crate::{
    clock::random,
    domain::webhook::{Manner, Reach, TEST},
    store::{Db, StoreError, WebhookWrite, Which, Write},
};
use pilotlight_types::{
    EventId, Timestamp,
    api::{Attempt, Delivery, DeliveryState, Event, WebhookStatus},
    resource::{Kind, Name, WebhookSpec},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    task::JoinSet,
    time,
};
use tokio_util::sync::CancellationToken;

/// How webhooks are told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The site that events are from.
    pub site: String,
    /// When what failed is tried again.
    pub manner: Manner,
    /// Where they may lead.
    pub reach: Reach,
    /// How long deliveries that are done are kept.
    pub keep: Duration,
    /// How many of those of one webhook.
    pub keep_count: usize,
}

/// Tells webhooks of events.
#[derive(Debug, Clone)]
pub struct Webhooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    roster: Roster,
    journal: Journal,
    sender: Sender,
    settings: Settings,
    /// Who we are to other daemons at the same database.
    holder: String,
    /// Changes when there may be something to do.
    wake: watch::Sender<u64>,
    counted: Mutex<Counted>,
    tries: Mutex<BTreeMap<(String, &'static str), u64>>,
}

/// What was counted last, for who asks for metrics.
#[derive(Debug, Clone, Default)]
struct Counted {
    states: Vec<(String, DeliveryState, u64, Timestamp)>,
    paused: usize,
}

/// How webhooks do, for metrics.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// What came of tries since the start, by webhook and outcome.
    pub tries: Vec<((String, &'static str), u64)>,
    /// Deliveries that are pending or dead, by webhook and state.
    pub deliveries: Vec<(String, &'static str, u64)>,
    /// How long the oldest one has been pending, in seconds, by webhook.
    pub oldest: Vec<(String, u64)>,
    /// Webhooks that are paused.
    pub paused: usize,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is no such webhook.
    #[error("there is no webhook {0}")]
    NoWebhook(String),
    /// It has no such delivery.
    #[error("webhook {0} has no delivery {1}; `pilotlight webhook deliveries {0}` lists them")]
    NoDelivery(String, String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// After an event, how long others are waited for.
const GATHER: Duration = Duration::from_millis(50);

/// How often is looked for what nobody told us of: other daemons' events, deliveries that are due.
const TICK: Duration = Duration::from_secs(2);

/// How often deliveries are counted.
const COUNT: Duration = Duration::from_secs(10);

/// What stands for a daemon where there can be only one.
const ALONE: &str = "alone";

impl Webhooks {
    /// Tells webhooks of what is in this database.
    pub fn new(db: Db, roster: Roster, journal: Journal, secrets: Secrets, settings: Settings) -> Self {
        // A daemon that was killed has another name when it is back: its old one may be somebody else's turn for a few seconds.
        let holder = if db.is_shared() { hex::encode(random::<8>()) } else { ALONE.to_owned() };
        let sender = Sender::new(secrets, settings.reach.clone());
        let (wake, _) = watch::channel(0);
        let (counted, tries) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { db, roster, journal, sender, settings, holder, wake, counted, tries }))
    }

    /// Tells webhooks of events until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        let mut events = self.0.journal.events();
        let mut ticks = time::interval(TICK);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut workers: JoinSet<()> = JoinSet::new();
        let mut running: HashMap<Name, tokio::task::AbortHandle> = HashMap::new();
        let mut last_count: Option<time::Instant> = None;
        while !stop.is_cancelled() {
            running.retain(|_, worker| !worker.is_finished());
            for name in self.0.names() {
                running.entry(name).or_insert_with_key(|name| {
                    workers.spawn(worker::Worker::new(self.0.clone(), name.clone()).run(stop.clone()))
                });
            }
            if last_count.is_none_or(|last| last.elapsed() >= COUNT) {
                last_count = Some(time::Instant::now());
                if let Err(error) = self.0.count().await {
                    tracing::warn!(
                        "deliveries of webhooks cannot be counted: {}",
                        crate::errors::chain(&error)
                    );
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                event = events.recv() => match event {
                    Ok(_) | Err(RecvError::Lagged(_)) => {
                        time::sleep(GATHER).await;
                        // Those that came meanwhile are read from the database with it.
                        events = events.resubscribe();
                        self.0.wake();
                    }
                    Err(RecvError::Closed) => break,
                },
                _ = ticks.tick() => {}
                Some(_) = workers.join_next() => {}
            }
        }
        while workers.join_next().await.is_some() {}
    }

    /// How a webhook does.
    pub async fn status(&self, name: &str) -> Result<WebhookStatus, WebhookError> {
        let (name, spec) = self.named(name)?;
        let mut tx = self.0.db.read().await?;
        let (row, tallies) = (tx.webhook(&name).await?, tx.tally_deliveries(Some(&name)).await?);
        let of = |state: DeliveryState| tallies.iter().find(|tally| tally.state == state.name());
        let number = |state| of(state).map_or(0, |tally| u64::try_from(tally.number).unwrap_or(0));
        let gone = row.as_ref().and_then(|row| row.paused.clone());
        Ok(WebhookStatus {
            name: name.to_string(),
            paused: gone.or_else(|| spec.paused.then(|| "`paused` is set".to_owned())),
            pending: number(DeliveryState::Pending),
            delivered: number(DeliveryState::Delivered),
            dead: number(DeliveryState::Dead),
            oldest_pending: of(DeliveryState::Pending).map(|tally| Timestamp::from_micros(tally.oldest)),
            seen: row.map_or(0, |row| row.seen),
        })
    }

    /// Deliveries before a place, newest first, in one state or in all.
    pub async fn deliveries(
        &self,
        name: &str,
        state: Option<DeliveryState>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Delivery>, WebhookError> {
        let (name, _) = self.named(name)?;
        let mut tx = self.0.db.read().await?;
        let rows = tx.deliveries(&name, state.map(DeliveryState::name), before, limit).await?;
        Ok(rows.iter().map(crate::store::DeliveryRow::shown).collect::<Result<_, _>>()?)
    }

    /// One delivery, by its event's id.
    pub async fn delivery(&self, name: &str, id: &str) -> Result<Delivery, WebhookError> {
        let (name, _) = self.named(name)?;
        let missing = || WebhookError::NoDelivery(name.to_string(), id.chars().take(80).collect());
        let id: EventId = id.parse().map_err(|_| missing())?;
        let row = self.0.db.read().await?.delivery(&name, &id.to_string()).await?;
        Ok(row.ok_or_else(missing)?.shown()?)
    }

    /// Sends one again, whatever came of it.
    pub async fn replay_one(&self, name: &str, id: &str, actor: &Actor) -> Result<u64, WebhookError> {
        let delivery = self.delivery(name, id).await?;
        let (name, _) = self.named(name)?;
        self.replay(&name, Which::One(delivery.id), actor).await
    }

    /// Sends those in this state again that were found to be due since then.
    pub async fn replay_all(
        &self,
        name: &str,
        state: DeliveryState,
        since: Option<Timestamp>,
        actor: &Actor,
    ) -> Result<u64, WebhookError> {
        let (name, _) = self.named(name)?;
        self.replay(&name, Which::All(state, since.unwrap_or_default()), actor).await
    }

    async fn replay(&self, name: &Name, which: Which, actor: &Actor) -> Result<u64, WebhookError> {
        let inner = &self.0;
        let number = inner.db.read().await?.count_deliveries(name, &which).await?;
        let now = inner.journal.now();
        let expires = now.plus(inner.settings.manner.give_up);
        let message = format!("{number} deliveries of webhook {name} are sent again");
        let object = object(name);
        inner
            .journal
            .commit(vec![
                webhook(WebhookWrite::Replay { webhook: name.clone(), which, now, expires }),
                inner.journal.event("webhook.replayed", &object, actor, None, message),
                inner.journal.audit(
                    actor,
                    "replayed",
                    object,
                    None,
                    Some(serde_json::json!({"deliveries": number})),
                ),
            ])
            .await?;
        inner.wake();
        Ok(u64::try_from(number).unwrap_or(0))
    }

    /// Ends the pause of a webhook whose receiver wanted no more.
    pub async fn resume(&self, name: &str, actor: &Actor) -> Result<(), WebhookError> {
        let (name, _) = self.named(name)?;
        let (journal, object) = (&self.0.journal, object(&name));
        journal
            .commit(vec![
                webhook(WebhookWrite::Resume(name.clone())),
                journal.event(
                    "webhook.resumed",
                    &object,
                    actor,
                    None,
                    format!("webhook {name} is sent to again"),
                ),
                journal.audit(actor, "resumed", object, None, None),
            ])
            .await?;
        self.0.wake();
        Ok(())
    }

    /// Sends an event that says nothing, once, and says what came of it. It is not stored, and goes to a paused webhook too.
    pub async fn test(&self, name: &str, actor: &Actor) -> Result<Attempt, WebhookError> {
        let (name, spec) = self.named(name)?;
        let journal = &self.0.journal;
        let now = journal.now();
        let event = Event {
            seq: 0,
            id: EventId::new(now, random()),
            at: now,
            kind: TEST.to_owned(),
            object: object(&name),
            actor: actor.name.clone(),
            boot: None,
            message: format!("a test of webhook {name}"),
            data: BTreeMap::new(),
        };
        journal.commit(vec![journal.audit(actor, "tested", object(&name), None, None)]).await?;
        let body = crate::domain::webhook::body(&self.0.settings.site, &event);
        Ok(self.0.sender.send(&spec, &event.id.to_string(), body, now).await.attempt)
    }

    /// How webhooks do, as it was counted last.
    pub fn state(&self) -> State {
        let now = self.0.journal.now();
        let Counted { states, paused } =
            self.0.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let tries = self.0.tries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let oldest = states.iter().filter(|(_, state, ..)| *state == DeliveryState::Pending);
        State {
            tries: tries.into_iter().collect(),
            oldest: oldest.map(|(name, _, _, since)| (name.clone(), now.since(*since).as_secs())).collect(),
            deliveries: states
                .iter()
                .filter(|(_, state, ..)| *state != DeliveryState::Delivered)
                .map(|(name, state, number, _)| (name.clone(), state.name(), *number))
                .collect(),
            paused,
        }
    }

    fn named(&self, name: &str) -> Result<(Name, Arc<WebhookSpec>), WebhookError> {
        let missing = || {
            WebhookError::NoWebhook(name.chars().take(80).collect::<String>().escape_default().to_string())
        };
        let parsed: Name = name.parse().map_err(|_| missing())?;
        let spec = self.0.spec(&parsed).ok_or_else(missing)?;
        Ok((parsed, spec))
    }
}

impl Inner {
    fn names(&self) -> Vec<Name> {
        self.roster.read(|inventory| inventory.webhooks.keys().cloned().collect())
    }

    fn spec(&self, name: &Name) -> Option<Arc<WebhookSpec>> {
        self.roster.read(|inventory| inventory.webhooks.get(name).map(|webhook| webhook.spec.clone()))
    }

    fn wake(&self) {
        self.wake.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Counts a try.
    fn tried(&self, name: &Name, outcome: &'static str) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        *tries.entry((name.to_string(), outcome)).or_default() += 1;
    }

    async fn count(&self) -> Result<(), StoreError> {
        let names = self.names();
        let mut counted = Counted::default();
        if !names.is_empty() {
            let mut tx = self.db.read().await?;
            for tally in tx.tally_deliveries(None).await? {
                if let Ok(state) = tally.state.parse::<DeliveryState>() {
                    let number = u64::try_from(tally.number).unwrap_or(0);
                    counted.states.push((tally.webhook, state, number, Timestamp::from_micros(tally.oldest)));
                }
            }
            for name in &names {
                let gone = tx.webhook(name).await?.is_some_and(|row| row.paused.is_some());
                counted.paused += usize::from(gone || self.spec(name).is_some_and(|spec| spec.paused));
            }
        }
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = counted;
        Ok(())
    }
}

/// A webhook, as events and the audit log name it.
fn object(name: &Name) -> String {
    format!("{}/{name}", Kind::Webhook.name().to_lowercase())
}

fn webhook(write: WebhookWrite) -> Write {
    Write::Webhook(Box::new(write))
}
