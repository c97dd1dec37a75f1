//! What resources were: every change of one makes a revision, which stays as it is.
use crate::store::{Db, RevisionRow, StoreError};
use pilotlight_types::{
    api::Revision,
    resource::{Kind, Name},
};

/// Reads revisions.
#[derive(Debug, Clone)]
pub struct Revisions {
    db: Db,
}

impl Revisions {
    /// Reads those of that database.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    /// The revisions of a resource before `before`, newest first, with their labels and without their specs, and where the next ones
    /// begin. Those of one that is gone are there.
    pub async fn list(
        &self,
        kind: Kind,
        name: &Name,
        before: i64,
        limit: i64,
    ) -> Result<(Vec<Revision>, Option<i64>), StoreError> {
        let rows = self.db.read().await?.revisions_of(kind, name, before, limit).await?;
        let full = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
        let next = rows.last().filter(|_| full).map(|last| last.resource.revision);
        let short = |row| Revision { spec: None, ..shown(row) };
        Ok((rows.into_iter().map(short).collect(), next))
    }

    /// One revision of a resource.
    pub async fn get(&self, kind: Kind, name: &Name, revision: i64) -> Result<Option<Revision>, StoreError> {
        Ok(self.db.read().await?.revision(kind, name, revision).await?.map(shown))
    }
}

fn shown(row: RevisionRow) -> Revision {
    let RevisionRow { resource, actor, message } = row;
    Revision {
        revision: resource.revision,
        at: resource.updated,
        by: actor,
        message,
        labels: Some(resource.labels),
        spec: Some(resource.spec),
    }
}
