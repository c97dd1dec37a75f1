//! Machines: what was declared, and where each is in its life.
use super::{StoreError, Tx, codec, db::on, resources::conflict};
use crate::domain::{
    machine::{Machine, Reported},
    power::Power,
};
use pilotlight_types::{MachineId, Timestamp};
use std::sync::Arc;

#[derive(sqlx::FromRow)]
struct Columns {
    id: String,
    name: String,
    labels: String,
    spec: String,
    stage: String,
    since: i64,
    hold: Option<String>,
    running: Option<String>,
    facts: Option<String>,
    facts_at: Option<i64>,
    seen: Option<i64>,
    reply: Option<String>,
    learned: Option<String>,
    accepted: Option<String>,
    power: Option<String>,
    ladder: Option<String>,
    version: i64,
}

impl TryFrom<Columns> for Machine {
    type Error = StoreError;

    fn try_from(row: Columns) -> Result<Self, StoreError> {
        let facts = row.facts.map(|json| codec::from_json("set of facts", &json)).transpose()?;
        Ok(Self {
            id: codec::parsed("machine id", &row.id)?,
            name: codec::parsed("machine name", &row.name)?,
            labels: codec::from_json("set of labels", &row.labels)?,
            spec: codec::from_json("machine", &row.spec)?,
            stage: codec::from_json("stage", &row.stage)?,
            since: Timestamp::from_micros(row.since),
            hold: row.hold.map(|json| codec::from_json("hold", &json)).transpose()?,
            running: row.running.map(|json| codec::from_json("running revision", &json)).transpose()?,
            facts: facts
                .zip(row.facts_at)
                .map(|(facts, at)| Arc::new(Reported { facts, at: Timestamp::from_micros(at) })),
            seen: row.seen.map(Timestamp::from_micros),
            reply: row.reply.map(|json| codec::from_json("reply style", &json)).transpose()?,
            learned: row.learned.map_or(Ok(Vec::new()), |json| codec::from_json("list of MACs", &json))?,
            accepted: row.accepted.map(|json| codec::from_json("acceptance", &json)).transpose()?,
            power: row.power.map_or_else(|| Ok(Power::default()), |json| codec::from_json("power", &json))?,
            ladder: row.ladder.map(|json| codec::from_json("place on the ladder", &json)).transpose()?,
            version: row.version,
        })
    }
}

impl Tx {
    /// Every machine, by name.
    pub async fn machines(&mut self) -> Result<Vec<Machine>, StoreError> {
        let rows: Vec<Columns> = on!(self, conn => sqlx::query_as(
            "SELECT id, name, labels, spec, stage, since, hold, running, facts, facts_at, seen, reply, learned, \
             accepted, power, ladder, version FROM machine ORDER BY name").fetch_all(conn).await)
        .map_err(StoreError::backend("reading machines"))?;
        rows.into_iter().map(Machine::try_from).collect()
    }

    /// Writes a machine. Its predecessor must be the version before it.
    pub(super) async fn put_machine(&mut self, machine: &Machine) -> Result<(), StoreError> {
        let id = machine.id.to_string();
        let what = || format!("machine {}", machine.name);
        let hold = machine.hold.as_ref().map(|hold| codec::to_json("hold", hold)).transpose()?;
        let running =
            machine.running.as_ref().map(|run| codec::to_json("running revision", run)).transpose()?;
        let facts = machine.facts.as_ref().map(|r| codec::to_json("set of facts", &r.facts)).transpose()?;
        let reply = machine.reply.as_ref().map(|reply| codec::to_json("reply style", reply)).transpose()?;
        let learned = (!machine.learned.is_empty()).then(|| codec::to_json("list of MACs", &machine.learned));
        let learned = learned.transpose()?;
        let accepted = machine.accepted.as_ref().map(|by| codec::to_json("acceptance", by)).transpose()?;
        let power = (machine.power != Power::default()).then(|| codec::to_json("power", &machine.power));
        let power = power.transpose()?;
        let ladder = machine.ladder.as_ref().map(|place| codec::to_json("place on the ladder", place));
        let ladder = ladder.transpose()?;
        let labels = codec::to_json("set of labels", &machine.labels)?;
        let spec = codec::to_json("machine", &machine.spec)?;
        let stage = codec::to_json("stage", &machine.stage)?;
        // One that was deleted meanwhile must not come back: only the first version is inserted.
        let text = if machine.version == 1 {
            "INSERT INTO machine (id, name, labels, spec, stage, since, hold, running, facts, facts_at, seen, version, reply, learned, \
             accepted, power, ladder) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
        } else {
            "UPDATE machine SET name = $2, labels = $3, spec = $4, stage = $5, since = $6, hold = $7, running = $8, \
             facts = $9, facts_at = $10, seen = $11, version = $12, reply = $13, learned = $14, accepted = $15, \
             power = $16, ladder = $17 WHERE id = $1 AND version = $12 - 1"
        };
        let changed = on!(self, conn => sqlx::query(text)
            .bind(&id).bind(machine.name.as_str()).bind(labels).bind(spec).bind(stage).bind(machine.since.micros())
            .bind(hold).bind(running).bind(facts).bind(machine.facts.as_ref().map(|r| r.at.micros()))
            .bind(machine.seen.map(Timestamp::micros)).bind(machine.version).bind(reply).bind(learned).bind(accepted).bind(power).bind(ladder)
            .execute(conn).await.map(|done| done.rows_affected()))
        .map_err(|e| conflict(e, "writing a machine", what))?;
        if changed != 1 {
            return Err(StoreError::Conflict { what: what() });
        }
        self.free_macs(machine.id).await?;
        for mac in &machine.spec.macs {
            on!(self, conn => sqlx::query("INSERT INTO machine_mac (mac, machine) VALUES ($1, $2)")
                .bind(mac.to_string()).bind(&id).execute(conn).await.map(drop))
            .map_err(|e| conflict(e, "writing a machine's MACs", || format!("the machine with MAC {mac}")))?;
        }
        Ok(())
    }

    /// Takes a machine's MACs from it, so that it or another can have them.
    pub(super) async fn free_macs(&mut self, id: MachineId) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("DELETE FROM machine_mac WHERE machine = $1")
            .bind(id.to_string()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing a machine's MACs"))
    }

    /// Records that the agent was heard.
    pub(super) async fn touch_machine(&mut self, id: MachineId, seen: Timestamp) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("UPDATE machine SET seen = $1 WHERE id = $2")
            .bind(seen.micros()).bind(id.to_string()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("recording a heartbeat"))
    }

    /// Deletes a machine that turned out to be another one; its boots are the other's from now on.
    pub(super) async fn merge_machine(&mut self, seen: MachineId, into: MachineId) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("UPDATE boot SET machine = $1 WHERE machine = $2")
            .bind(into.to_string()).bind(seen.to_string()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("handing boots over"))?;
        self.delete_machine(seen).await
    }

    /// Deletes a machine, with its boots.
    pub(super) async fn delete_machine(&mut self, id: MachineId) -> Result<(), StoreError> {
        let gone = on!(self, conn => sqlx::query("DELETE FROM machine WHERE id = $1")
            .bind(id.to_string()).execute(conn).await.map(|done| done.rows_affected()))
        .map_err(StoreError::backend("deleting a machine"))?;
        if gone == 1 { Ok(()) } else { Err(StoreError::Conflict { what: format!("machine {id}") }) }
    }
}
