//! What happened: events, which are only added.
use super::{StoreError, Tx, codec, db::on};
use pilotlight_types::{BootId, EventId, Timestamp, api::Event};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, HashMap};

/// The lock that keeps events in the order of their numbers: any number that nothing else of this database locks.
const ORDER: i64 = 0x7069_6c6f_745f_6576;

/// An event that is to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: `boot.started`.
    pub kind: &'static str,
    /// To what: `machine/n1`.
    pub object: String,
    /// By whom.
    pub actor: String,
    /// The boot that it belongs to.
    pub boot: Option<BootId>,
    /// In words.
    pub message: String,
    /// In numbers.
    pub data: BTreeMap<String, Value>,
}

#[derive(sqlx::FromRow)]
struct Columns {
    seq: i64,
    id: String,
    at: i64,
    kind: String,
    object: String,
    actor: String,
    boot: Option<String>,
    message: String,
    data: String,
}

#[derive(Serialize)]
struct NewColumns<'a> {
    place: usize,
    id: EventId,
    at: i64,
    kind: &'a str,
    object: &'a str,
    actor: &'a str,
    boot: Option<BootId>,
    message: &'a str,
    data: String,
}

impl<'a> From<(usize, &&'a NewEvent)> for NewColumns<'a> {
    fn from((place, event): (usize, &&'a NewEvent)) -> Self {
        let NewEvent { id, at, kind, object, actor, boot, message, data } = *event;
        let data = json!(data).to_string();
        Self { place, id: *id, at: at.micros(), kind, object, actor, boot: *boot, message, data }
    }
}

impl TryFrom<Columns> for Event {
    type Error = StoreError;

    fn try_from(row: Columns) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.seq,
            id: codec::parsed("event id", &row.id)?,
            at: Timestamp::from_micros(row.at),
            kind: row.kind,
            object: row.object,
            actor: row.actor,
            boot: row.boot.map(|id| codec::parsed("boot id", &id)).transpose()?,
            message: row.message,
            data: codec::from_json("event", &row.data)?,
        })
    }
}

impl Tx {
    /// Events after `after`, oldest first, of one object or boot or of all.
    pub async fn events_after(
        &mut self,
        after: i64,
        object: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Event>, StoreError> {
        let rows: Vec<Columns> = on!(self, conn => sqlx::query_as(
            "SELECT seq, id, at, kind, object, actor, boot, message, data FROM event \
             WHERE seq > $1 AND ($2 IS NULL OR object = $2) ORDER BY seq LIMIT $3")
            .bind(after).bind(object).bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading events"))?;
        rows.into_iter().map(Event::try_from).collect()
    }

    /// The newest events, newest first, of one object or of all.
    pub async fn newest_events(
        &mut self,
        object: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Event>, StoreError> {
        let rows: Vec<Columns> = on!(self, conn => sqlx::query_as(
            "SELECT seq, id, at, kind, object, actor, boot, message, data FROM event \
             WHERE ($1 IS NULL OR object = $1) ORDER BY seq DESC LIMIT $2")
            .bind(object).bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading events"))?;
        rows.into_iter().map(Event::try_from).collect()
    }

    /// Events before `before`, newest first, of one object or of all, since a time.
    pub async fn events_before(
        &mut self,
        before: i64,
        object: Option<&str>,
        since: Timestamp,
        limit: i64,
    ) -> Result<Vec<Event>, StoreError> {
        let rows: Vec<Columns> = on!(self, conn => sqlx::query_as(
            "SELECT seq, id, at, kind, object, actor, boot, message, data FROM event \
             WHERE seq < $1 AND ($2 IS NULL OR object = $2) AND at >= $3 ORDER BY seq DESC LIMIT $4")
            .bind(before).bind(object).bind(since.micros()).bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading events"))?;
        rows.into_iter().map(Event::try_from).collect()
    }

    /// Writes events in this order, and says what places they got.
    pub(super) async fn put_events(&mut self, events: &[&NewEvent]) -> Result<Vec<Event>, StoreError> {
        if let Self::Postgres(tx) = self {
            // Numbers are given when a row is written, and rows are seen when they are committed. Without this, who reads on from a
            // number could miss another daemon's event that has a lower one. Nothing is waited for after it but the commit.
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(ORDER)
                .execute(&mut **tx)
                .await
                .map_err(StoreError::backend("waiting for its turn to write events"))?;
        }
        let rows: Vec<NewColumns<'_>> = events.iter().enumerate().map(NewColumns::from).collect();
        let json = codec::to_json("events", &rows)?;
        let new = self.rows(
            "place bigint, id text, at bigint, kind text, object text, actor text, boot text, message text, data text",
        );
        let insert = format!(
            "INSERT INTO event (id, at, kind, object, actor, boot, message, data) \
             SELECT id, at, kind, object, actor, boot, message, data FROM {new} ORDER BY place RETURNING seq, id"
        );
        let places: Vec<(i64, String)> = on!(self, conn => sqlx::query_as(AssertSqlSafe(insert))
            .bind(&json).fetch_all(conn).await)
        .map_err(StoreError::backend("writing events"))?;
        // The order in which rows come back is nowhere promised.
        let places: HashMap<String, i64> = places.into_iter().map(|(seq, id)| (id, seq)).collect();
        let mut written: Vec<Event> = events
            .iter()
            .filter_map(|event| {
                let seq = *places.get(&event.id.to_string())?;
                let NewEvent { id, at, kind, object, actor, boot, message, data } = (*event).clone();
                Some(Event { seq, id, at, kind: kind.into(), object, actor, boot, message, data })
            })
            .collect();
        written.sort_unstable_by_key(|event| event.seq);
        Ok(written)
    }
}
