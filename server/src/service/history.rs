//! What happened, as it is stored: for lists, and for followers who were away.
use crate::store::{Db, StoreError};
use pilotlight_types::{Timestamp, api::Event};

/// Reads events that are durable.
#[derive(Debug, Clone)]
pub struct History {
    db: Db,
}

impl History {
    /// Reads this database.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    /// Events with a higher number than `seq`, in their order; of one object only, where one is named.
    pub async fn after(&self, seq: i64, object: Option<&str>, limit: i64) -> Result<Vec<Event>, StoreError> {
        self.db.read().await?.events_after(seq, object, limit).await
    }

    /// The newest events, newest first.
    pub async fn newest(&self, object: Option<&str>, limit: i64) -> Result<Vec<Event>, StoreError> {
        self.db.read().await?.newest_events(object, limit).await
    }

    /// Events with a lower number than `seq`, newest first, since a time.
    pub async fn before(
        &self,
        seq: i64,
        object: Option<&str>,
        since: Timestamp,
        limit: i64,
    ) -> Result<Vec<Event>, StoreError> {
        self.db.read().await?.events_before(seq, object, since, limit).await
    }

    /// Fails if the database does not answer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db.ping().await
    }
}
