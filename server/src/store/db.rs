//! One SQL text, two drivers.
use super::StoreError;
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{path::Path, time::Duration};

/// The database that the daemon keeps its state in.
#[derive(Debug, Clone)]
pub enum Db {
    /// A file in the data directory.
    Sqlite {
        /// What reads.
        readers: SqlitePool,
        /// The one connection that writes: what it has read stays good, for nobody else writes.
        writer: SqlitePool,
    },
    /// A server.
    Postgres(PgPool),
}

/// A transaction. Dropped without [`Tx::commit`], it did nothing.
#[derive(Debug)]
pub enum Tx {
    /// In SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// In PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

/// Runs an expression on the connection of a [`Tx`]: written once, compiled for both.
macro_rules! on {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx {
            $crate::store::Tx::Sqlite(tx) => {
                let $conn = &mut **tx;
                $body
            }
            $crate::store::Tx::Postgres(tx) => {
                let $conn = &mut **tx;
                $body
            }
        }
    };
}
pub(super) use on;

/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

impl Db {
    /// Opens the SQLite database in this file, made if it is not there, and brings its tables to this version.
    pub async fn sqlite(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged write outlives the machine's power, not only the daemon.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
            .foreign_keys(true)
            // What a statement of many rows would undo is kept in memory, and not in a file that is made and deleted each time.
            .pragma("temp_store", "MEMORY");
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE)
                // A file does not hang up. But where the disk was full, SQLite has ended a transaction by itself, and the driver goes
                // on counting it.
                .test_before_acquire(false)
                .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        };
        let failed = || StoreError::backend("opening its file");
        let writer = pool(1).connect_with(options.clone()).await.map_err(failed())?;
        sqlx::migrate!("../migrations/sqlite").run(&writer).await.map_err(StoreError::Migration)?;
        let readers = pool(4).connect_with(options).await.map_err(failed())?;
        Ok(Self::Sqlite { readers, writer })
    }

    /// Connects to the PostgreSQL database at this URL, and brings its tables to this version.
    pub async fn postgres(url: &str) -> Result<Self, StoreError> {
        // A pool that is refused tries on, and says in the end only that it waited. One connection says why.
        let failed = || StoreError::backend("connecting");
        let first = tokio::time::timeout(PATIENCE, PgConnection::connect(url));
        let first = first.await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed())?;
        first.close().await.map_err(failed())?;
        let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(PATIENCE).connect(url).await;
        let pool = pool.map_err(failed())?;
        sqlx::migrate!("../migrations/postgres").run(&pool).await.map_err(StoreError::Migration)?;
        Ok(Self::Postgres(pool))
    }

    /// Begins a transaction that reads.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let failed = StoreError::backend("beginning to read");
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await.map_err(failed)?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await.map_err(failed)?),
        })
    }

    /// Begins a transaction that writes. SQLite is told so at once: a reader that turns writer can find the file locked.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        let failed = StoreError::backend("beginning to write");
        Ok(match self {
            Self::Sqlite { writer, .. } => {
                Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?)
            }
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await.map_err(failed)?),
        })
    }

    /// Whether other daemons may be at it, too.
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, conn => sqlx::query("SELECT 1").execute(conn).await.map(drop))
            .map_err(StoreError::backend("answering a ping"))
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                // The last one to close folds the log into the file.
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// The text that makes a table `new` of the JSON array of objects in `$1`, with these columns of text or bigint, as
    /// PostgreSQL declares them. Many rows go to the database in one statement this way, whatever their number.
    pub(super) fn rows(&self, columns: &str) -> String {
        let names = columns.split(", ").filter_map(|column| column.split(' ').next());
        match self {
            Self::Sqlite(_) => {
                let values: Vec<String> = names.map(|name| format!("value ->> '{name}' AS {name}")).collect();
                format!("(SELECT {} FROM json_each($1)) AS new", values.join(", "))
            }
            Self::Postgres(_) => format!("json_to_recordset($1::json) AS new ({columns})"),
        }
    }

    /// Makes what was done durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
        .map_err(StoreError::backend("committing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors;

    #[tokio::test]
    async fn a_database_that_is_not_there_is_said_to_refuse() {
        // Port 1 is nobody's.
        let error = Db::postgres("postgres://nobody@127.0.0.1:1/none").await.expect_err("nobody is there");
        assert!(errors::chain(&error).contains("refused"), "{}", errors::chain(&error));
    }
}
