//! What the database itself is like.
use super::{Db, StoreError, db::on};

/// The database, from the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DbState {
    /// The newest migration that it has.
    pub migration: i64,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Db {
    /// What it is like now.
    pub async fn state(&self) -> Result<DbState, StoreError> {
        let size = if self.is_shared() {
            "SELECT pg_database_size(current_database())"
        } else {
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        };
        let mut tx = self.read().await?;
        let tx = &mut tx;
        let migration: i64 = on!(tx, conn =>
            sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations").fetch_one(conn).await)
        .map_err(StoreError::backend("reading its migrations"))?;
        let bytes: i64 = on!(tx, conn => sqlx::query_scalar(size).fetch_one(conn).await)
            .map_err(StoreError::backend("reading its size"))?;
        Ok(DbState { migration, bytes: u64::try_from(bytes).unwrap_or_default() })
    }
}
