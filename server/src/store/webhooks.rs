//! Webhooks: how far each is in the events, and what it is told. One row for each webhook and event.
//!
//! A webhook's place in the events and the deliveries that come of them are written together: no event is left out, and none is there
//! twice, whenever the daemon ends.
mod rows;

pub use rows::{DeliveryRow, NewDelivery, Tally, Tried, WebhookRow, Which};

use super::{StoreError, Tx, db::on};
use pilotlight_types::{Timestamp, resource::Name};
use sqlx::AssertSqlSafe;

/// What is written of webhooks.
#[derive(Debug, Clone, PartialEq)]
pub enum WebhookWrite {
    /// A webhook that is declared and has no place in the events yet: it begins at the newest.
    Begin(Name),
    /// A daemon sends for it until then, unless another one does.
    Hold {
        /// The webhook.
        webhook: Name,
        /// The daemon.
        holder: String,
        /// The time.
        now: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// A daemon does not send for it any more.
    Release(Name, String),
    /// What it is told of the events up to a place.
    Found {
        /// The webhook.
        webhook: Name,
        /// The daemon that sends for it.
        holder: String,
        /// Its new place.
        seen: i64,
        /// What it is told.
        new: Vec<NewDelivery>,
    },
    /// What came of a try.
    Tried(Name, Tried),
    /// Nothing is sent any more, for this reason.
    Pause(Name, String),
    /// It is sent to again.
    Resume(Name),
    /// Everything that waits is tried now: its receiver is there again.
    Hasten(Name, Timestamp),
    /// These are sent again, from now until they are given up.
    Replay {
        /// The webhook.
        webhook: Name,
        /// Which.
        which: Which,
        /// The time.
        now: Timestamp,
        /// When they are given up.
        expires: Timestamp,
    },
    /// Deliveries that are done go: those before a time, and those beyond a number; so many at once at the most.
    Forget {
        /// The webhook.
        webhook: Name,
        /// Those that were done before this.
        before: Timestamp,
        /// Those beyond so many of the newest.
        beyond: i64,
        /// How many at once.
        most: i64,
    },
}

impl Tx {
    /// What is known of a webhook.
    pub async fn webhook(&mut self, name: &Name) -> Result<Option<WebhookRow>, StoreError> {
        on!(self, conn => sqlx::query_as("SELECT seen, holder, held, paused FROM webhook WHERE name = $1")
            .bind(name.as_str()).fetch_optional(conn).await)
        .map_err(StoreError::backend("reading a webhook"))
    }

    /// Deliveries that are due and in front: of one object the oldest one that waits.
    pub async fn due_deliveries(
        &mut self,
        webhook: &Name,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let text = format!(
            "SELECT {} FROM delivery d WHERE state = 'pending' AND webhook = $1 AND due <= $2 AND NOT EXISTS (\
             SELECT 1 FROM delivery e WHERE e.state = 'pending' AND e.webhook = d.webhook AND e.object = d.object \
             AND e.seq < d.seq) ORDER BY due, seq LIMIT $3",
            DeliveryRow::COLUMNS
        );
        on!(self, conn => sqlx::query_as(AssertSqlSafe(text))
            .bind(webhook.as_str()).bind(now.micros()).bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading due deliveries"))
    }

    /// How many deliveries of a webhook wait, and when the next one is due.
    pub async fn waiting_deliveries(&mut self, webhook: &Name) -> Result<(i64, Option<i64>), StoreError> {
        on!(self, conn => sqlx::query_as(
            "SELECT COUNT(*), MIN(due) FROM delivery WHERE state = 'pending' AND webhook = $1")
            .bind(webhook.as_str()).fetch_one(conn).await)
        .map_err(StoreError::backend("counting deliveries that wait"))
    }

    /// Deliveries of a webhook before a place, newest first, in one state or in all.
    pub async fn deliveries(
        &mut self,
        webhook: &Name,
        state: Option<&str>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let text = format!(
            "SELECT {} FROM delivery WHERE webhook = $1 AND ($2 IS NULL OR state = $2) AND seq < $3 ORDER BY seq DESC LIMIT $4",
            DeliveryRow::COLUMNS
        );
        on!(self, conn => sqlx::query_as(AssertSqlSafe(text))
            .bind(webhook.as_str()).bind(state).bind(before).bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading deliveries"))
    }

    /// One delivery, by its event's id.
    pub async fn delivery(&mut self, webhook: &Name, id: &str) -> Result<Option<DeliveryRow>, StoreError> {
        let text = format!("SELECT {} FROM delivery WHERE webhook = $1 AND id = $2", DeliveryRow::COLUMNS);
        on!(self, conn => sqlx::query_as(AssertSqlSafe(text)).bind(webhook.as_str()).bind(id).fetch_optional(conn).await)
            .map_err(StoreError::backend("reading a delivery"))
    }

    /// How many deliveries of a webhook a replay is about.
    pub async fn count_deliveries(&mut self, webhook: &Name, which: &Which) -> Result<i64, StoreError> {
        let (id, state, since) = which.parts();
        on!(self, conn => sqlx::query_scalar(
            "SELECT COUNT(*) FROM delivery WHERE webhook = $1 AND ($2 IS NULL OR id = $2) \
             AND ($3 IS NULL OR state = $3) AND created >= $4")
            .bind(webhook.as_str()).bind(id).bind(state).bind(since).fetch_one(conn).await)
        .map_err(StoreError::backend("counting deliveries"))
    }

    /// How many deliveries are in each state, and since when the oldest of them is there: of one webhook or of all.
    pub async fn tally_deliveries(&mut self, webhook: Option<&Name>) -> Result<Vec<Tally>, StoreError> {
        on!(self, conn => sqlx::query_as(
            "SELECT webhook, state, COUNT(*) AS number, MIN(created) AS oldest FROM delivery \
             WHERE ($1 IS NULL OR webhook = $1) GROUP BY webhook, state")
            .bind(webhook.map(Name::as_str)).fetch_all(conn).await)
        .map_err(StoreError::backend("counting deliveries"))
    }

    /// Gives a webhook its place in the events, unless it has one; and ends its pause.
    pub(super) async fn begin_webhook(&mut self, name: &Name) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query(
            "INSERT INTO webhook (name, seen, holder, held) \
             SELECT $1, COALESCE(MAX(seq), 0), '', 0 FROM event WHERE 1 = 1 \
             ON CONFLICT (name) DO UPDATE SET paused = NULL")
            .bind(name.as_str()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing a webhook"))
    }

    /// Forgets a webhook and what it was told.
    pub(super) async fn end_webhook(&mut self, name: &Name) -> Result<(), StoreError> {
        for table in ["DELETE FROM webhook WHERE name = $1", "DELETE FROM delivery WHERE webhook = $1"] {
            on!(self, conn => sqlx::query(table).bind(name.as_str()).execute(conn).await.map(drop))
                .map_err(StoreError::backend("deleting a webhook"))?;
        }
        Ok(())
    }

    pub(super) async fn write_webhook(&mut self, write: &WebhookWrite) -> Result<(), StoreError> {
        match write {
            WebhookWrite::Begin(name) => self.begin_webhook(name).await,
            WebhookWrite::Hold { webhook, holder, now, until } => {
                let held = on!(self, conn => sqlx::query(
                    "UPDATE webhook SET holder = $2, held = $3 WHERE name = $1 AND (holder = $2 OR held < $4)")
                    .bind(webhook.as_str()).bind(holder).bind(until.micros()).bind(now.micros())
                    .execute(conn).await.map(|done| done.rows_affected()))
                .map_err(StoreError::backend("taking a webhook over"))?;
                one(held, webhook)
            }
            WebhookWrite::Release(webhook, holder) => {
                on!(self, conn => sqlx::query("UPDATE webhook SET held = 0 WHERE name = $1 AND holder = $2")
                    .bind(webhook.as_str()).bind(holder).execute(conn).await.map(drop))
                .map_err(StoreError::backend("leaving a webhook to others"))
            }
            WebhookWrite::Found { webhook, holder, seen, new } => self.found(webhook, holder, *seen, new).await,
            WebhookWrite::Tried(webhook, tried) => self.tried(webhook, tried).await,
            WebhookWrite::Pause(webhook, why) => self.set_pause(webhook, Some(why)).await,
            WebhookWrite::Resume(webhook) => self.set_pause(webhook, None).await,
            WebhookWrite::Hasten(webhook, now) => {
                on!(self, conn => sqlx::query(
                    "UPDATE delivery SET due = $2 WHERE state = 'pending' AND webhook = $1 AND due > $2")
                    .bind(webhook.as_str()).bind(now.micros()).execute(conn).await.map(drop))
                .map_err(StoreError::backend("hastening deliveries"))
            }
            WebhookWrite::Replay { webhook, which, now, expires } => {
                let (id, state, since) = which.parts();
                on!(self, conn => sqlx::query(
                    "UPDATE delivery SET state = 'pending', due = $5, expires = $6, done = NULL, tries = 0 \
                     WHERE webhook = $1 AND ($2 IS NULL OR id = $2) AND ($3 IS NULL OR state = $3) AND created >= $4")
                    .bind(webhook.as_str()).bind(id).bind(state).bind(since).bind(now.micros()).bind(expires.micros())
                    .execute(conn).await.map(drop))
                .map_err(StoreError::backend("replaying deliveries"))
            }
            WebhookWrite::Forget { webhook, before, beyond, most } => {
                on!(self, conn => sqlx::query(
                    "DELETE FROM delivery WHERE webhook = $1 AND seq IN (\
                     SELECT seq FROM delivery WHERE webhook = $1 AND state <> 'pending' AND (done < $2 OR seq <= COALESCE((\
                     SELECT seq FROM delivery WHERE webhook = $1 AND state <> 'pending' ORDER BY seq DESC LIMIT 1 OFFSET $3), -1)) \
                     ORDER BY seq LIMIT $4)")
                    .bind(webhook.as_str()).bind(before.micros()).bind(beyond).bind(most).execute(conn).await.map(drop))
                .map_err(StoreError::backend("deleting old deliveries"))
            }
        }
    }

    async fn found(
        &mut self,
        webhook: &Name,
        holder: &str,
        seen: i64,
        new: &[NewDelivery],
    ) -> Result<(), StoreError> {
        // Whoever else took the webhook over has been at these events, too.
        let moved = on!(self, conn => sqlx::query(
            "UPDATE webhook SET seen = $3 WHERE name = $1 AND holder = $2 AND seen < $3")
            .bind(webhook.as_str()).bind(holder).bind(seen).execute(conn).await.map(|done| done.rows_affected()))
        .map_err(StoreError::backend("writing a webhook's place"))?;
        one(moved, webhook)?;
        if new.is_empty() {
            return Ok(());
        }
        let json = super::codec::to_json("deliveries", &new)?;
        let rows = self.rows(
            "webhook text, seq bigint, id text, event text, object text, body text, created bigint, expires bigint",
        );
        let insert = format!(
            "INSERT INTO delivery (webhook, seq, id, event, object, body, state, created, expires, due, tries, attempts) \
             SELECT webhook, seq, id, event, object, body, 'pending', created, expires, created, 0, '[]' FROM {rows}"
        );
        on!(self, conn => sqlx::query(AssertSqlSafe(insert)).bind(&json).execute(conn).await.map(drop))
            .map_err(StoreError::backend("writing deliveries"))
    }

    /// It may have been deleted with its webhook, meanwhile.
    async fn tried(&mut self, webhook: &Name, tried: &Tried) -> Result<(), StoreError> {
        let Tried { seq, state, due, done, tries, attempts } = tried;
        let attempts = super::codec::to_json("tries", attempts)?;
        on!(self, conn => sqlx::query(
            "UPDATE delivery SET state = $3, due = $4, done = $5, tries = $6, attempts = $7 \
             WHERE webhook = $1 AND seq = $2 AND state = 'pending'")
            .bind(webhook.as_str()).bind(seq).bind(state.name()).bind(due.micros()).bind(done.map(Timestamp::micros))
            .bind(i64::from(*tries)).bind(attempts).execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing what came of a delivery"))
    }

    async fn set_pause(&mut self, webhook: &Name, why: Option<&str>) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("UPDATE webhook SET paused = $2 WHERE name = $1")
            .bind(webhook.as_str()).bind(why).execute(conn).await.map(drop))
        .map_err(StoreError::backend("pausing a webhook"))
    }
}

fn one(changed: u64, webhook: &Name) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict { what: format!("webhook {webhook}") }) }
}
