//! Writing things down: the writer, the clock, and events in the words of the field.
use crate::{
    clock::{Clock, random},
    domain::rights::Rights,
    store::{AuditRow, NewEvent, StoreError, Write, Writer},
};
use pilotlight_types::{BootId, EventId, Timestamp, api::Event};
use serde_json::Value;
use std::{collections::BTreeMap, net::IpAddr};
use tokio::sync::broadcast;

/// Who asks for a change, and by which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A token's name, `machine`, or `pilotlight`.
    pub name: String,
    /// The id of the request.
    pub request: Option<String>,
    /// The address that it came from.
    pub remote: Option<IpAddr>,
    /// What they may do.
    pub rights: Rights,
}

impl Actor {
    /// Somebody of this name, who may do everything.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), request: None, remote: None, rights: Rights::everything() }
    }

    /// The same, by a request.
    pub fn asking(self, request: impl Into<String>) -> Self {
        Self { request: Some(request.into()), ..self }
    }

    /// The daemon itself.
    pub fn daemon() -> Self {
        Self::named("pilotlight")
    }

    /// A machine, by what it sent.
    pub fn machine() -> Self {
        Self::named("machine")
    }
}

/// Writes things down.
#[derive(Debug, Clone)]
pub struct Journal {
    writer: Writer,
    clock: Clock,
}

impl Journal {
    /// A journal that writes there, at that time.
    pub const fn new(writer: Writer, clock: Clock) -> Self {
        Self { writer, clock }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Writes all of it or nothing, and returns when it is durable.
    pub async fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.writer.commit(writes).await
    }

    /// Writes it after everything before it, without waiting: for what nobody was promised.
    pub fn later(&self, writes: Vec<Write>) {
        if !self.writer.queue(writes) {
            tracing::error!("the database is too slow: an observation was not written down");
        }
    }

    /// Events from now on, each after it is durable.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.writer.events()
    }

    /// An event. It is said in the log too, with the boot's id.
    pub fn event(
        &self,
        kind: &'static str,
        object: &str,
        actor: &Actor,
        boot: Option<BootId>,
        message: String,
    ) -> Write {
        self.event_with(kind, object, actor, boot, message, BTreeMap::new())
    }

    /// An event with numbers.
    pub fn event_with(
        &self,
        kind: &'static str,
        object: &str,
        actor: &Actor,
        boot: Option<BootId>,
        message: String,
        data: BTreeMap<String, Value>,
    ) -> Write {
        let now = self.now();
        match boot {
            Some(boot) => tracing::info!(event = kind, object, boot.id = %boot, "{message}"),
            None => tracing::info!(event = kind, object, "{message}"),
        }
        Write::Event(NewEvent {
            id: EventId::new(now, random()),
            at: now,
            kind,
            object: object.to_owned(),
            actor: actor.name.clone(),
            boot,
            message,
            data,
        })
    }

    /// A row of the audit log.
    pub fn audit(
        &self,
        actor: &Actor,
        action: &str,
        object: String,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Write {
        Write::Audit(Box::new(AuditRow {
            at: self.now(),
            actor: actor.name.clone(),
            remote: actor.remote.map(|address| address.to_string()),
            action: action.to_owned(),
            object,
            before,
            after,
            request: actor.request.clone(),
        }))
    }
}
