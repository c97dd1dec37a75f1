//! Who changed what: rows that are only added, each with a hash over itself and the hash before it. A row that is changed, taken out or
//! moved breaks the chain there; the head tells where it ends.
use super::{StoreError, Tx, codec, db::on};
use pilotlight_types::{Timestamp, api::AuditEntry};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

/// A change that somebody made.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// From which address.
    pub remote: Option<String>,
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

/// Which rows are meant: all that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Whose.
    pub actor: Option<String>,
    /// Of which object.
    pub object: Option<String>,
    /// Not before then.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
}

/// Where the chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// How many rows are in it.
    pub rows: i64,
    /// The hash of the last one; empty where there is none.
    pub hash: String,
}

/// A row as it is stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredAudit {
    /// Its place.
    pub seq: i64,
    at: i64,
    actor: String,
    remote: Option<String>,
    action: String,
    object: String,
    before: Option<String>,
    after: Option<String>,
    request: Option<String>,
    /// Its hash; none in rows that are older than the chain.
    pub hash: Option<String>,
}

/// What of a row is hashed, and written.
#[derive(Serialize)]
struct Columns<'a> {
    place: usize,
    at: i64,
    actor: &'a str,
    remote: Option<&'a str>,
    action: &'a str,
    object: &'a str,
    before: Option<String>,
    after: Option<String>,
    request: Option<&'a str>,
    hash: String,
}

impl StoredAudit {
    /// The hash that it should have after a row with the hash `previous`.
    pub fn expected(&self, previous: &str) -> String {
        let Self { at, actor, remote, action, object, before, after, request, .. } = self;
        link(previous, &json!([at, actor, remote, action, object, before, after, request]))
    }
}

impl TryFrom<StoredAudit> for AuditEntry {
    type Error = StoreError;

    fn try_from(row: StoredAudit) -> Result<Self, StoreError> {
        let value = |json: Option<String>| json.map(|json| codec::from_json("audit row", &json)).transpose();
        Ok(Self {
            seq: row.seq,
            at: Timestamp::from_micros(row.at),
            actor: row.actor,
            remote: row.remote,
            action: row.action,
            object: row.object,
            before: value(row.before)?,
            after: value(row.after)?,
            request: row.request,
            hash: row.hash,
        })
    }
}

/// SHA-256 over the hash before and the row. JSON keeps texts apart whatever is in them.
fn link(previous: &str, row: &Value) -> String {
    hex::encode(Sha256::digest(json!([previous, row]).to_string()))
}

impl Tx {
    /// Where the chain ends.
    pub async fn audit_head(&mut self) -> Result<AuditHead, StoreError> {
        self.head("").await
    }

    /// The same; on PostgreSQL, other daemons wait with theirs until this transaction ends.
    async fn head(&mut self, lock: &str) -> Result<AuditHead, StoreError> {
        let text = format!("SELECT rows, hash FROM audit_head WHERE one = 1{lock}");
        let (rows, hash): (i64, String) =
            on!(self, conn => sqlx::query_as(AssertSqlSafe(text)).fetch_one(conn).await)
                .map_err(StoreError::backend("reading the end of the audit log"))?;
        Ok(AuditHead { rows, hash })
    }

    /// Adds rows to the chain, in this order.
    pub(super) async fn put_audits(&mut self, rows: &[&AuditRow]) -> Result<(), StoreError> {
        let lock = if matches!(self, Self::Postgres(_)) { " FOR UPDATE" } else { "" };
        let AuditHead { rows: count, mut hash } = self.head(lock).await?;
        let mut columns = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().enumerate() {
            let AuditRow { at, actor, remote, action, object, before, after, request } = row;
            let (before, after) =
                (before.as_ref().map(ToString::to_string), after.as_ref().map(ToString::to_string));
            let at = at.micros();
            hash = link(&hash, &json!([at, actor, remote, action, object, before, after, request]));
            let (remote, request) = (remote.as_deref(), request.as_deref());
            columns.push(Columns {
                place,
                at,
                actor,
                remote,
                action,
                object,
                before,
                after,
                request,
                hash: hash.clone(),
            });
        }
        let json = codec::to_json("audit rows", &columns)?;
        let new = self.rows(
            "place bigint, at bigint, actor text, remote text, action text, object text, before text, after text, request text, hash text",
        );
        let insert = format!(
            "INSERT INTO audit (at, actor, remote, action, object, before, after, request, hash) \
             SELECT at, actor, remote, action, object, before, after, request, hash FROM {new} ORDER BY place"
        );
        on!(self, conn => sqlx::query(AssertSqlSafe(insert)).bind(&json).execute(conn).await.map(drop))
            .map_err(StoreError::backend("writing the audit log"))?;
        let count = count + i64::try_from(rows.len()).unwrap_or_default();
        on!(self, conn => sqlx::query("UPDATE audit_head SET rows = $1, hash = $2 WHERE one = 1")
            .bind(count).bind(&hash).execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing the end of the audit log"))
    }

    /// Rows before `before` or after `after` that the filter takes: the newest first, or the oldest first where `after` is given.
    pub async fn audit(
        &mut self,
        filter: &AuditFilter,
        (before, after): (i64, Option<i64>),
        limit: i64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let order = if after.is_some() { "ASC" } else { "DESC" };
        let text = format!(
            "SELECT seq, at, actor, remote, action, object, before, after, request, hash FROM audit \
             WHERE ($1 IS NULL OR actor = $1) AND ($2 IS NULL OR object = $2) AND at >= $3 AND at < $4 \
             AND seq < $5 AND seq > $6 ORDER BY seq {order} LIMIT $7"
        );
        let rows: Vec<StoredAudit> = on!(self, conn => sqlx::query_as(AssertSqlSafe(text))
            .bind(&filter.actor).bind(&filter.object)
            .bind(filter.since.map_or(i64::MIN, Timestamp::micros))
            .bind(filter.until.map_or(i64::MAX, Timestamp::micros))
            .bind(before).bind(after.unwrap_or(i64::MIN)).bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading the audit log"))?;
        rows.into_iter().map(AuditEntry::try_from).collect()
    }

    /// Rows after `after` as they are stored, oldest first.
    pub async fn stored_audit(&mut self, after: i64, limit: i64) -> Result<Vec<StoredAudit>, StoreError> {
        on!(self, conn => sqlx::query_as(
            "SELECT seq, at, actor, remote, action, object, before, after, request, hash FROM audit \
             WHERE seq > $1 ORDER BY seq LIMIT $2").bind(after).bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading the audit log"))
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
