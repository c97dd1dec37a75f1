//! What happened (events), and who changed what (audit). Both only grow.
use super::{StoreError, Tx, codec, db::on};
use pilotlight_types::{BootId, EventId, Timestamp, api::Event};
use serde_json::Value;
use std::collections::BTreeMap;

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

/// A change that somebody made.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What was done: `created`, `updated`, `deleted`, ...
    pub action: String,
    /// To what: `profile/worker`.
    pub object: String,
    /// What it was.
    pub before: Option<Value>,
    /// What it is.
    pub after: Option<Value>,
    /// The request that asked for it.
    pub request: Option<String>,
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

    /// Writes an event, and says what place it got.
    pub(super) async fn put_event(&mut self, event: &NewEvent) -> Result<Event, StoreError> {
        let data = codec::to_json("event", &event.data)?;
        let (seq,): (i64,) = on!(self, conn => sqlx::query_as(
            "INSERT INTO event (id, at, kind, object, actor, boot, message, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             RETURNING seq")
            .bind(event.id.to_string()).bind(event.at.micros()).bind(event.kind).bind(&event.object).bind(&event.actor)
            .bind(event.boot.map(|id| id.to_string())).bind(&event.message).bind(data).fetch_one(conn).await)
        .map_err(StoreError::backend("writing an event"))?;
        let NewEvent { id, at, kind, object, actor, boot, message, data } = event.clone();
        Ok(Event { seq, id, at, kind: kind.into(), object, actor, boot, message, data })
    }

    /// Writes a row of the audit log.
    pub(super) async fn put_audit(&mut self, row: &AuditRow) -> Result<(), StoreError> {
        let json = |value: &Option<Value>| value.as_ref().map(ToString::to_string);
        on!(self, conn => sqlx::query(
            "INSERT INTO audit (at, actor, action, object, before, after, request) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(row.at.micros()).bind(&row.actor).bind(&row.action).bind(&row.object).bind(json(&row.before))
            .bind(json(&row.after)).bind(&row.request).execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing the audit log"))
    }

    /// How many rows the audit log has for one object.
    pub async fn audit_count(&mut self, object: &str) -> Result<i64, StoreError> {
        let (count,): (i64,) =
            on!(self, conn => sqlx::query_as("SELECT COUNT(*) FROM audit WHERE object = $1")
            .bind(object).fetch_one(conn).await)
            .map_err(StoreError::backend("reading the audit log"))?;
        Ok(count)
    }
}
