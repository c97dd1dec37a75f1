//! What machines were handed in their boots.
use super::{StoreError, Tx, codec, db::on};
use pilotlight_types::BootId;
use serde::Serialize;
use sqlx::AssertSqlSafe;

/// Of how many of a machine's newest boots it is kept.
pub const BOOTS_KEPT: usize = 20;

/// One thing that a machine was handed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServedRow {
    /// In which boot.
    pub boot: BootId,
    /// What it is.
    pub part: ServedPart,
    /// As people may see it.
    pub text: String,
}

/// What a machine is handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServedPart {
    /// iPXE's script.
    Script,
    /// Ignition's config, as JSON.
    Ignition,
}

impl Tx {
    /// What a machine was handed in a boot, each part with its text.
    pub async fn served(&mut self, boot: BootId) -> Result<Vec<(String, String)>, StoreError> {
        on!(self, conn => sqlx::query_as("SELECT part, text FROM boot_served WHERE boot = $1")
            .bind(boot.to_string()).fetch_all(conn).await)
        .map_err(StoreError::backend("reading what a boot was served"))
    }

    /// Writes what machines were handed, no part of a boot twice. That of a boot which is gone is let go, and so is that of each
    /// machine's oldest boot of which it is kept.
    pub(super) async fn put_served(&mut self, rows: &[&ServedRow]) -> Result<(), StoreError> {
        let json = codec::to_json("what boots were served", &rows)?;
        let new = self.rows("boot text, part text, text text");
        let insert = format!(
            "INSERT INTO boot_served (boot, part, text) SELECT new.boot, new.part, new.text FROM {new} \
             JOIN boot ON boot.id = new.boot WHERE true ON CONFLICT (boot, part) DO UPDATE SET text = excluded.text"
        );
        // A new boot makes one too many of its machine's.
        let forget = format!(
            "DELETE FROM boot_served WHERE boot IN (SELECT (SELECT old.id FROM boot old WHERE old.machine = boot.machine \
             ORDER BY old.started DESC LIMIT 1 OFFSET {BOOTS_KEPT}) FROM {new} JOIN boot ON boot.id = new.boot)"
        );
        for statement in [insert, forget] {
            on!(self, conn => sqlx::query(AssertSqlSafe(statement)).bind(&json).execute(conn).await.map(drop))
                .map_err(StoreError::backend("writing what boots were served"))?;
        }
        Ok(())
    }
}
