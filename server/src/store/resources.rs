//! Resources other than machines, and all their revisions.
use super::{StoreError, Tx, codec, db::on};
use pilotlight_types::{
    Timestamp,
    resource::{Kind, Labels, Name},
};
use serde_json::Value;

/// A resource as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceRow {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// Its labels.
    pub labels: Labels,
    /// Its spec.
    pub spec: Value,
    /// Counts its changes, from 1.
    pub revision: i64,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// A resource as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct RevisionRow {
    /// What it was, and when it was made.
    pub resource: ResourceRow,
    /// Who made it.
    pub actor: String,
    /// What they said of it.
    pub message: Option<String>,
}

type Columns = (String, String, String, String, i64, i64);

fn row((kind, name, labels, spec, revision, updated): Columns) -> Result<ResourceRow, StoreError> {
    Ok(ResourceRow {
        kind: codec::parsed("kind", &kind)?,
        name: codec::parsed("name", &name)?,
        labels: codec::from_json("set of labels", &labels)?,
        spec: codec::from_json("spec", &spec)?,
        revision,
        updated: Timestamp::from_micros(updated),
    })
}

type RevisionColumns = (String, String, String, i64, i64, String, Option<String>);

fn revision_row(kind: Kind, columns: RevisionColumns) -> Result<RevisionRow, StoreError> {
    let (name, labels, spec, revision, created, actor, message) = columns;
    let resource = row((kind.name().into(), name, labels, spec, revision, created))?;
    Ok(RevisionRow { resource, actor, message })
}

impl Tx {
    /// Every resource, by kind and name.
    pub async fn resources(&mut self) -> Result<Vec<ResourceRow>, StoreError> {
        let rows: Vec<Columns> = on!(self, conn => sqlx::query_as(
            "SELECT kind, name, labels, spec, revision, updated FROM resource ORDER BY kind, name")
            .fetch_all(conn).await)
        .map_err(StoreError::backend("reading resources"))?;
        rows.into_iter().map(row).collect()
    }

    /// The last revision of every resource that there is or was.
    pub async fn last_revisions(&mut self) -> Result<Vec<(Kind, Name, i64)>, StoreError> {
        let rows: Vec<(String, String, i64)> = on!(self, conn => sqlx::query_as(
            "SELECT kind, name, MAX(revision) FROM revision GROUP BY kind, name").fetch_all(conn).await)
        .map_err(StoreError::backend("reading the last revisions"))?;
        rows.into_iter()
            .map(|(kind, name, last)| {
                Ok((codec::parsed("kind", &kind)?, codec::parsed("name", &name)?, last))
            })
            .collect()
    }

    /// Every revision of every resource of one kind.
    pub async fn revisions(&mut self, kind: Kind) -> Result<Vec<RevisionRow>, StoreError> {
        let rows: Vec<RevisionColumns> = on!(self, conn => sqlx::query_as(
            "SELECT name, labels, spec, revision, created, actor, message FROM revision WHERE kind = $1 \
             ORDER BY name, revision")
            .bind(kind.name()).fetch_all(conn).await)
        .map_err(StoreError::backend("reading revisions"))?;
        rows.into_iter().map(|columns| revision_row(kind, columns)).collect()
    }

    /// The revisions of one resource before `before`, newest first.
    pub async fn revisions_of(
        &mut self,
        kind: Kind,
        name: &Name,
        before: i64,
        limit: i64,
    ) -> Result<Vec<RevisionRow>, StoreError> {
        let rows: Vec<RevisionColumns> = on!(self, conn => sqlx::query_as(
            "SELECT name, labels, spec, revision, created, actor, message FROM revision \
             WHERE kind = $1 AND name = $2 AND revision < $3 ORDER BY revision DESC LIMIT $4")
            .bind(kind.name()).bind(name.as_str()).bind(before).bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading a resource's revisions"))?;
        rows.into_iter().map(|columns| revision_row(kind, columns)).collect()
    }

    /// One revision of one resource.
    pub async fn revision(
        &mut self,
        kind: Kind,
        name: &Name,
        revision: i64,
    ) -> Result<Option<RevisionRow>, StoreError> {
        let columns: Option<RevisionColumns> = on!(self, conn => sqlx::query_as(
            "SELECT name, labels, spec, revision, created, actor, message FROM revision \
             WHERE kind = $1 AND name = $2 AND revision = $3")
            .bind(kind.name()).bind(name.as_str()).bind(revision).fetch_optional(conn).await)
        .map_err(StoreError::backend("reading a revision"))?;
        columns.map(|columns| revision_row(kind, columns)).transpose()
    }

    /// The set of files that each resource was applied from last, where it was.
    pub async fn sources(&mut self) -> Result<Vec<(Kind, Name, Name)>, StoreError> {
        let rows: Vec<(String, String, String)> =
            on!(self, conn => sqlx::query_as("SELECT kind, name, source FROM source").fetch_all(conn).await)
                .map_err(StoreError::backend("reading sources"))?;
        rows.into_iter()
            .map(|(kind, name, source)| {
                Ok((
                    codec::parsed("kind", &kind)?,
                    codec::parsed("name", &name)?,
                    codec::parsed("source", &source)?,
                ))
            })
            .collect()
    }

    /// Writes down which set of files a resource was applied from.
    pub(super) async fn put_source(
        &mut self,
        kind: Kind,
        name: &Name,
        source: &Name,
    ) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query(
            "INSERT INTO source (kind, name, source) VALUES ($1, $2, $3) \
             ON CONFLICT (kind, name) DO UPDATE SET source = excluded.source")
            .bind(kind.name()).bind(name.as_str()).bind(source.as_str()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing a source"))
    }

    /// Forgets which set of files a resource was applied from, if it was from any.
    pub(super) async fn delete_source(&mut self, kind: Kind, name: &Name) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("DELETE FROM source WHERE kind = $1 AND name = $2")
            .bind(kind.name()).bind(name.as_str()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("deleting a source"))
    }

    /// Writes a revision of a resource, which becomes the resource. Its predecessor must be the one before it.
    pub(super) async fn put_resource(&mut self, new: &RevisionRow) -> Result<(), StoreError> {
        let RevisionRow { resource, actor, message } = new;
        let (kind, name) = (resource.kind.name(), resource.name.as_str());
        let labels = codec::to_json("set of labels", &resource.labels)?;
        let spec = codec::to_json("spec", &resource.spec)?;
        let changed = on!(self, conn => sqlx::query(
            "INSERT INTO resource (kind, name, labels, spec, revision, updated) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (kind, name) DO UPDATE SET labels = excluded.labels, spec = excluded.spec, \
             revision = excluded.revision, updated = excluded.updated WHERE resource.revision < excluded.revision")
            .bind(kind).bind(name).bind(&labels).bind(&spec).bind(resource.revision).bind(resource.updated.micros())
            .execute(conn).await.map(|done| done.rows_affected()))
        .map_err(StoreError::backend("writing a resource"))?;
        if changed != 1 {
            return Err(StoreError::Conflict { what: format!("{kind} {name}") });
        }
        on!(self, conn => sqlx::query(
            "INSERT INTO revision (kind, name, revision, labels, spec, created, actor, message) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(kind).bind(name).bind(resource.revision).bind(&labels).bind(&spec).bind(resource.updated.micros())
            .bind(actor).bind(message).execute(conn).await.map(drop))
        .map_err(|e| conflict(e, "writing a revision", || format!("{kind} {name}")))
    }

    /// Deletes a resource; its revisions stay.
    pub(super) async fn delete_resource(&mut self, kind: Kind, name: &Name) -> Result<(), StoreError> {
        let gone = on!(self, conn => sqlx::query("DELETE FROM resource WHERE kind = $1 AND name = $2")
            .bind(kind.name()).bind(name.as_str()).execute(conn).await.map(|done| done.rows_affected()))
        .map_err(StoreError::backend("deleting a resource"))?;
        if gone == 1 { Ok(()) } else { Err(StoreError::Conflict { what: format!("{kind} {name}") }) }
    }
}

/// A broken rule of uniqueness or reference is a conflict; anything else is the database's failure.
pub(super) fn conflict(error: sqlx::Error, doing: &'static str, what: impl FnOnce() -> String) -> StoreError {
    match error.as_database_error() {
        Some(e) if e.is_unique_violation() || e.is_foreign_key_violation() => {
            StoreError::Conflict { what: what() }
        }
        _ => StoreError::Backend { doing, source: error },
    }
}
