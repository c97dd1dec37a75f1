//! The audit log as people read it, and whether it is whole.
pub use crate::store::AuditFilter;

use crate::store::{Db, StoreError};
use pilotlight_types::api::{AuditBreak, AuditCheck, AuditEntry};

/// How many rows are looked at together.
const PAGE: i64 = 1000;

/// Reads the audit log.
#[derive(Debug, Clone)]
pub struct Audit {
    db: Db,
}

impl Audit {
    /// Reads this database's.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    /// Rows before `before`, newest first; or after `after`, oldest first, where that is given.
    pub async fn list(
        &self,
        filter: &AuditFilter,
        (before, after): (i64, Option<i64>),
        limit: i64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.db.read().await?.audit(filter, (before, after), limit).await
    }

    /// Goes along the chain, and says where it is broken first.
    pub async fn verify(&self) -> Result<AuditCheck, StoreError> {
        let mut tx = self.db.read().await?;
        // The head first: where others write meanwhile, the rows go on behind it.
        let head = tx.audit_head().await?;
        let (mut previous, mut last, mut rows, mut older) = (String::new(), i64::MIN, 0, 0);
        let mut met = head.rows == 0;
        let broken = |seq, why: String| Some(AuditBreak { seq, why });
        loop {
            let page = tx.stored_audit(last, PAGE).await?;
            let Some(end) = page.last() else { break };
            last = end.seq;
            for row in &page {
                let why = match &row.hash {
                    Some(hash) if *hash == row.expected(&previous) => {
                        previous.clone_from(hash);
                        rows += 1;
                        met |= rows == head.rows && previous == head.hash;
                        continue;
                    }
                    None if rows == 0 => {
                        older += 1;
                        continue;
                    }
                    Some(_) => {
                        "this row, or the one before it, is not as it was written: changed, taken out or moved"
                    }
                    None => "this row has no hash: it was not written by us",
                };
                let broken = broken(Some(row.seq), why.to_owned());
                return Ok(AuditCheck { rows, older, head: head.hash, broken });
            }
        }
        let now = tx.audit_head().await?;
        let broken = if met && rows <= now.rows {
            None
        } else {
            let why = format!("the log ends after {rows} rows with a hash, and {} were written", head.rows);
            broken(None, why)
        };
        Ok(AuditCheck { rows, older, head: previous, broken })
    }
}
