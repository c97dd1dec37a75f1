//! Boots, and the one-time tokens that belong to them.
use super::{StoreError, Tx, codec, db::on, resources::conflict};
use pilotlight_types::{BootId, MachineId, Timestamp, api::Boot};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use std::{net::IpAddr, sync::Arc};

/// A boot of a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct BootRow {
    /// The machine.
    pub machine: MachineId,
    /// What has been seen of it.
    pub boot: Arc<Boot>,
}

/// A one-time token to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBootToken {
    /// The hash of the token.
    pub hash: String,
    /// The boot that it is for.
    pub boot: BootId,
    /// The address that it is for.
    pub address: IpAddr,
    /// When it ends.
    pub expires: Timestamp,
}

/// The use of a one-time token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUse {
    /// The hash of the token.
    pub hash: String,
    /// The boot that it must be for.
    pub boot: BootId,
    /// The address that it must be for.
    pub address: IpAddr,
    /// When it is used.
    pub at: Timestamp,
}

#[derive(Serialize)]
struct Columns {
    id: BootId,
    machine: MachineId,
    started: i64,
    ended: Option<i64>,
    data: String,
}

impl Columns {
    fn of(BootRow { machine, boot }: &BootRow) -> Result<Self, StoreError> {
        let data = codec::to_json("boot", &**boot)?;
        let (started, ended) = (boot.started.micros(), boot.ended.map(Timestamp::micros));
        Ok(Self { id: boot.id, machine: *machine, started, ended, data })
    }
}

fn row((machine, data): (String, String)) -> Result<BootRow, StoreError> {
    Ok(BootRow {
        machine: codec::parsed("machine id", &machine)?,
        boot: Arc::new(codec::from_json("boot", &data)?),
    })
}

/// A place among boots, which are in the order of their beginnings; of those that began at one moment, their ids decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootPlace {
    /// When the boot there began.
    pub started: Timestamp,
    /// Its id; without one, the place is before all that began at that moment.
    pub id: Option<BootId>,
}

impl Tx {
    /// The boots that go on, oldest first.
    pub async fn open_boots(&mut self) -> Result<Vec<BootRow>, StoreError> {
        let rows: Vec<(String, String)> = on!(self, conn => sqlx::query_as(
            "SELECT machine, data FROM boot WHERE ended IS NULL ORDER BY started").fetch_all(conn).await)
        .map_err(StoreError::backend("reading open boots"))?;
        rows.into_iter().map(row).collect()
    }

    /// The newest boot of each machine.
    pub async fn newest_boots(&mut self) -> Result<Vec<BootRow>, StoreError> {
        let rows: Vec<(String, String)> = on!(self, conn => sqlx::query_as(
            "SELECT b.machine, b.data FROM boot b JOIN (SELECT machine, MAX(started) AS started FROM boot GROUP BY machine) n \
             ON n.machine = b.machine AND n.started = b.started").fetch_all(conn).await)
        .map_err(StoreError::backend("reading the newest boots"))?;
        rows.into_iter().map(row).collect()
    }

    /// One boot.
    pub async fn boot(&mut self, id: BootId) -> Result<Option<BootRow>, StoreError> {
        let found: Option<(String, String)> =
            on!(self, conn => sqlx::query_as("SELECT machine, data FROM boot WHERE id = $1")
            .bind(id.to_string()).fetch_optional(conn).await)
            .map_err(StoreError::backend("reading a boot"))?;
        found.map(row).transpose()
    }

    /// Boots that started before `before`, newest first, of one machine or of all.
    pub async fn boots(
        &mut self,
        machine: Option<MachineId>,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<BootRow>, StoreError> {
        let rows: Vec<(String, String)> = on!(self, conn => sqlx::query_as(
            "SELECT machine, data FROM boot WHERE ($1 IS NULL OR machine = $1) AND started < $2 ORDER BY started DESC LIMIT $3")
            .bind(machine.map(|id| id.to_string())).bind(before.micros()).bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading boots"))?;
        rows.into_iter().map(row).collect()
    }

    /// Boots behind a place, newest first, of one machine or of all, since a time.
    pub async fn boots_behind(
        &mut self,
        machine: Option<MachineId>,
        since: Timestamp,
        place: BootPlace,
        limit: i64,
    ) -> Result<Vec<BootRow>, StoreError> {
        let id = place.id.map(|id| id.to_string()).unwrap_or_default();
        let rows: Vec<(String, String)> = on!(self, conn => sqlx::query_as(
            "SELECT machine, data FROM boot WHERE ($1 IS NULL OR machine = $1) AND started >= $2 AND started <= $3 \
             AND (started < $3 OR id < $4) ORDER BY started DESC, id DESC LIMIT $5")
            .bind(machine.map(|id| id.to_string())).bind(since.micros()).bind(place.started.micros()).bind(id)
            .bind(limit).fetch_all(conn).await)
        .map_err(StoreError::backend("reading boots"))?;
        rows.into_iter().map(row).collect()
    }

    /// Writes boots.
    pub(super) async fn put_boots(&mut self, rows: &[&BootRow]) -> Result<(), StoreError> {
        let columns = rows.iter().map(|row| Columns::of(row)).collect::<Result<Vec<_>, _>>()?;
        let json = codec::to_json("boots", &columns)?;
        let new = self.rows("id text, machine text, started bigint, ended bigint, data text");
        let insert = format!(
            "INSERT INTO boot (id, machine, started, ended, data) SELECT id, machine, started, ended, data FROM {new} \
             WHERE true ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, data = excluded.data"
        );
        on!(self, conn => sqlx::query(AssertSqlSafe(insert)).bind(&json).execute(conn).await.map(drop))
            .map_err(|error| {
                let ids: Vec<String> = rows.iter().map(|row| row.boot.id.to_string()).collect();
                conflict(error, "writing boots", || format!("a machine of the boots {}", ids.join(", ")))
            })
    }

    /// Writes a one-time token. Those of the same boot that were not used yet end: only the newest initrd is good.
    pub(super) async fn put_boot_token(&mut self, token: &NewBootToken) -> Result<(), StoreError> {
        let boot = token.boot.to_string();
        on!(self, conn => sqlx::query("DELETE FROM boot_token WHERE boot = $1 AND used IS NULL")
            .bind(&boot).execute(conn).await.map(drop))
        .map_err(StoreError::backend("ending a boot's former tokens"))?;
        on!(self, conn => sqlx::query("INSERT INTO boot_token (hash, boot, address, expires) VALUES ($1, $2, $3, $4)")
            .bind(&token.hash).bind(&boot).bind(token.address.to_string()).bind(token.expires.micros())
            .execute(conn).await.map(drop))
        .map_err(|e| conflict(e, "writing a one-time token", || format!("boot {boot}")))
    }

    /// Uses a one-time token. A conflict if it is unknown, used, too old, or another boot's or address's.
    pub(super) async fn use_boot_token(&mut self, token: &TokenUse) -> Result<(), StoreError> {
        let changed = on!(self, conn => sqlx::query(
            "UPDATE boot_token SET used = $1 WHERE hash = $2 AND boot = $3 AND address = $4 AND expires > $1 AND used IS NULL")
            .bind(token.at.micros()).bind(&token.hash).bind(token.boot.to_string()).bind(token.address.to_string())
            .execute(conn).await.map(|done| done.rows_affected()))
        .map_err(StoreError::backend("using a one-time token"))?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Conflict { what: "the one-time token".into() }) }
    }

    /// Whether a one-time token could be used like this now.
    pub async fn boot_token_is_good(&mut self, token: &TokenUse) -> Result<bool, StoreError> {
        let found: Option<(String,)> = on!(self, conn => sqlx::query_as(
            "SELECT boot FROM boot_token WHERE hash = $2 AND boot = $3 AND address = $4 AND expires > $1 AND used IS NULL")
            .bind(token.at.micros()).bind(&token.hash).bind(token.boot.to_string()).bind(token.address.to_string())
            .fetch_optional(conn).await)
        .map_err(StoreError::backend("reading a one-time token"))?;
        Ok(found.is_some())
    }

    /// Lets a one-time token that was not used yet end later.
    pub(super) async fn keep_boot_token(&mut self, hash: &str, expires: Timestamp) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("UPDATE boot_token SET expires = $1 WHERE hash = $2 AND used IS NULL")
            .bind(expires.micros()).bind(hash).execute(conn).await.map(drop))
        .map_err(StoreError::backend("keeping a one-time token"))
    }

    /// When a one-time token was used, and whether it is known at all.
    pub async fn boot_token_used(&mut self, hash: &str) -> Result<Option<Option<Timestamp>>, StoreError> {
        let found: Option<(Option<i64>,)> =
            on!(self, conn => sqlx::query_as("SELECT used FROM boot_token WHERE hash = $1")
            .bind(hash).fetch_optional(conn).await)
            .map_err(StoreError::backend("reading a one-time token"))?;
        Ok(found.map(|(used,)| used.map(Timestamp::from_micros)))
    }
}
