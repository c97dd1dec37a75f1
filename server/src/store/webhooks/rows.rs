//! The rows of webhooks and deliveries.
use crate::store::{StoreError, codec};
use pilotlight_types::{
    EventId, Timestamp,
    api::{Attempt, Delivery, DeliveryState},
};
use serde::Serialize;

/// What is known of a webhook beside what is declared.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct WebhookRow {
    /// The last event that was looked at.
    pub seen: i64,
    /// The daemon that sends for it.
    pub holder: String,
    /// Until when, in microseconds.
    pub held: i64,
    /// Why nothing is sent, if its receiver wanted no more.
    pub paused: Option<String>,
}

/// Something that a webhook is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewDelivery {
    /// The webhook.
    pub webhook: String,
    /// The event's place.
    pub seq: i64,
    /// The event's id.
    pub id: EventId,
    /// The event's kind.
    pub event: String,
    /// What it happened to.
    pub object: String,
    /// What is sent.
    pub body: String,
    /// Now, in microseconds.
    pub created: i64,
    /// When it is given up, in microseconds.
    pub expires: i64,
}

/// What came of a try, as the row is afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The event's place.
    pub seq: i64,
    /// Where it is.
    pub state: DeliveryState,
    /// When it is tried again.
    pub due: Timestamp,
    /// When it was delivered or given up.
    pub done: Option<Timestamp>,
    /// How often it was tried.
    pub tries: u32,
    /// The last tries.
    pub attempts: Vec<Attempt>,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeliveryRow {
    /// The event's place.
    pub seq: i64,
    id: String,
    /// The event's kind.
    pub event: String,
    /// What it happened to.
    pub object: String,
    /// What is sent.
    pub body: String,
    state: String,
    created: i64,
    expires: i64,
    due: i64,
    done: Option<i64>,
    tries: i64,
    attempts: String,
}

impl DeliveryRow {
    pub(super) const COLUMNS: &'static str =
        "seq, id, event, object, body, state, created, expires, due, done, tries, attempts";

    /// When it is given up.
    pub const fn expires(&self) -> Timestamp {
        Timestamp::from_micros(self.expires)
    }

    /// As the API has it.
    pub fn shown(&self) -> Result<Delivery, StoreError> {
        let state: DeliveryState = codec::parsed("state of a delivery", &self.state)?;
        Ok(Delivery {
            id: codec::parsed("event id", &self.id)?,
            seq: self.seq,
            event: self.event.clone(),
            object: self.object.clone(),
            state,
            created: Timestamp::from_micros(self.created),
            due: (state == DeliveryState::Pending).then_some(Timestamp::from_micros(self.due)),
            done: self.done.map(Timestamp::from_micros),
            tries: u32::try_from(self.tries).unwrap_or(u32::MAX),
            attempts: codec::from_json("list of tries", &self.attempts)?,
        })
    }
}

/// Which deliveries are replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one of this event.
    One(EventId),
    /// Those in this state that were found to be due since then.
    All(DeliveryState, Timestamp),
}

impl Which {
    /// Id, state and time, as statements ask for them.
    pub(super) fn parts(&self) -> (Option<String>, Option<&'static str>, i64) {
        match self {
            Self::One(id) => (Some(id.to_string()), None, i64::MIN),
            Self::All(state, since) => (None, Some(state.name()), since.micros()),
        }
    }
}

/// How many deliveries of a webhook are in one state.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Tally {
    /// The webhook.
    pub webhook: String,
    /// The state.
    pub state: String,
    /// How many.
    pub number: i64,
    /// Since when the oldest is there, in microseconds.
    pub oldest: i64,
}
