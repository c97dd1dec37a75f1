//! The database: SQLite inside, or PostgreSQL. Rows and SQL; nothing here decides anything.
//!
//! Everything is read once, at start. Every write goes through the one [`Writer`], which commits in batches.
mod audit;
mod boots;
mod codec;
mod console;
mod db;
mod events;
mod leases;
mod leases6;
mod machines;
mod people;
mod resources;
mod served;
mod state;
mod tokens;
mod webhooks;
mod writer;

pub use audit::{AuditFilter, AuditHead, AuditRow, StoredAudit};
pub use boots::{BootPlace, BootRow, NewBootToken, TokenUse};
pub use console::ConsoleRow;
pub use db::{Db, Tx};
pub use events::NewEvent;
pub use leases::LeaseRow;
pub use leases6::Lease6Row;
pub use people::{SessionRow, UserRow};
pub use resources::{ResourceRow, RevisionRow};
pub use served::{BOOTS_KEPT, ServedPart, ServedRow};
pub use state::DbState;
pub use tokens::TokenRow;
pub use webhooks::{DeliveryRow, NewDelivery, Tally, Tried, WebhookRow, WebhookWrite, Which};
pub use writer::{Write, Writer};

use sqlx::migrate::MigrateError;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row that must be unique is there already, or is not as it was expected to be.
    #[error("{what} is not what it was when this began")]
    Conflict {
        /// Which row.
        what: String,
    },
    /// A stored value cannot be read.
    #[error("the database holds a {what} that cannot be read: {why}")]
    Unreadable {
        /// Which value.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// The database failed.
    #[error("the database failed while {doing}")]
    Backend {
        /// At what.
        doing: &'static str,
        /// How.
        #[source]
        source: sqlx::Error,
    },
    /// The database failed while this was written together with others.
    #[error("the database failed: {why}")]
    Lost {
        /// How.
        why: String,
    },
    /// The database's tables cannot be brought to this version.
    #[error("the database's tables could not be brought to this version")]
    Migration(#[source] MigrateError),
    /// The writer has stopped.
    #[error("the daemon is stopping")]
    Stopped,
}

impl StoreError {
    fn backend(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Backend { doing, source }
    }

    /// Whether it is about what was written, and not about the database: others' writes may go well.
    fn is_of_one(&self) -> bool {
        match self {
            Self::Conflict { .. } | Self::Unreadable { .. } => true,
            Self::Backend { source, .. } => source.as_database_error().is_some(),
            _ => false,
        }
    }

    /// Whether its disk is full.
    pub fn is_full(&self) -> bool {
        let (Self::Backend { source, .. }
        | Self::Migration(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _))) = self
        else {
            return false;
        };
        // SQLite's SQLITE_FULL, PostgreSQL's disk_full.
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| code == "13" || code == "53100")
    }

    fn unreadable(what: &'static str) -> impl FnOnce(String) -> Self {
        move |why| Self::Unreadable { what, why }
    }
}
