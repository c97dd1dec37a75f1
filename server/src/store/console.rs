//! What machines said while they booted.
use super::{StoreError, Tx, db::on};
use pilotlight_types::{BootId, Timestamp, api::ConsoleLine};

/// A line of a boot's console, and where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleRow {
    /// The boot.
    pub boot: BootId,
    /// Its place, from 1: a row that was there is replaced.
    pub slot: i64,
    /// The line.
    pub line: ConsoleLine,
}

type Row = (i64, i64, Option<i64>, Option<String>, String);

fn line((line, at, severity, tag, text): Row) -> ConsoleLine {
    let severity = severity.and_then(|severity| u8::try_from(severity).ok());
    ConsoleLine { line, at: Timestamp::from_micros(at), severity, tag, text }
}

impl Tx {
    /// The lines of a boot after that one, in their order.
    pub async fn console(
        &mut self,
        boot: BootId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ConsoleLine>, StoreError> {
        let rows: Vec<Row> = on!(self, conn => sqlx::query_as(
            "SELECT line, at, severity, tag, text FROM boot_console WHERE boot = $1 AND line > $2 ORDER BY line LIMIT $3")
            .bind(boot.to_string()).bind(after).bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading a boot's console"))?;
        Ok(rows.into_iter().map(line).collect())
    }

    /// The last lines of a boot, in their order.
    pub async fn console_end(&mut self, boot: BootId, lines: i64) -> Result<Vec<ConsoleLine>, StoreError> {
        let rows: Vec<Row> = on!(self, conn => sqlx::query_as(
            "SELECT line, at, severity, tag, text FROM boot_console WHERE boot = $1 ORDER BY line DESC LIMIT $2")
            .bind(boot.to_string()).bind(lines).fetch_all(conn).await)
        .map_err(StoreError::backend("reading the end of a boot's console"))?;
        Ok(rows.into_iter().rev().map(line).collect())
    }

    /// The number of a boot's last line; 0 if it has none.
    pub async fn console_len(&mut self, boot: BootId) -> Result<i64, StoreError> {
        let last: Option<(i64,)> = on!(self, conn => sqlx::query_as(
            "SELECT line FROM boot_console WHERE boot = $1 ORDER BY line DESC LIMIT 1")
            .bind(boot.to_string()).fetch_optional(conn).await)
        .map_err(StoreError::backend("counting a boot's console"))?;
        Ok(last.map_or(0, |(last,)| last))
    }

    /// Writes a line. That of a boot which is gone is let go.
    pub(super) async fn put_console(&mut self, row: &ConsoleRow) -> Result<(), StoreError> {
        let ConsoleRow { boot, slot, line } = row;
        on!(self, conn => sqlx::query(
            "INSERT INTO boot_console (boot, slot, line, at, severity, tag, text) \
             SELECT id, $2, $3, $4, $5, $6, $7 FROM boot WHERE id = $1 \
             ON CONFLICT (boot, slot) DO UPDATE SET line = excluded.line, at = excluded.at, \
             severity = excluded.severity, tag = excluded.tag, text = excluded.text")
            .bind(boot.to_string()).bind(slot).bind(line.line).bind(line.at.micros())
            .bind(line.severity.map(i64::from)).bind(&line.tag).bind(&line.text)
            .execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing a line of a boot's console"))
    }
}
