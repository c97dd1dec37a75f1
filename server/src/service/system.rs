//! The daemon itself: what it is, and what somebody needs who is to help and cannot look.
use super::{
    doctor::Doctor, history::History, operations::Operations, roster::Roster, tasks::Tasks, views::Views,
    webhooks::Webhooks,
};
use crate::{
    clock::Clock,
    domain::{selector::Selector, support},
    store::{Db, StoreError},
};
use pilotlight_types::{
    Timestamp,
    api::{Daemon, DatabaseState, Listens, Machine, Problem, SupportBundle},
    resource::Kind,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many of the newest events go into a support bundle.
const MOST_EVENTS: i64 = 1000;

/// How many machines do.
const MOST_MACHINES: usize = 10_000;

/// Says what the daemon is.
#[derive(Debug, Clone)]
pub struct About {
    /// The site.
    pub site: String,
    /// When it was started.
    pub started: Timestamp,
    /// What it listens on.
    pub listens: Vec<Listens>,
    /// The time.
    pub clock: Clock,
    /// Where it keeps what it knows.
    pub db: Db,
    /// What is declared.
    pub roster: Roster,
    /// What is shown of it.
    pub views: Views,
    /// What it does again and again.
    pub tasks: Tasks,
    /// What was found of the host.
    pub doctor: Doctor,
    /// What happened.
    pub history: History,
    /// What goes on.
    pub operations: Operations,
    /// What webhooks are told.
    pub webhooks: Webhooks,
}

impl About {
    /// What it is.
    pub async fn system(&self) -> Result<Daemon, StoreError> {
        let state = self.db.state().await?;
        let kind = if self.db.is_shared() { "postgres" } else { "sqlite" }.to_owned();
        let stages = self.views.stages().into_iter().map(|(stage, count)| (stage.to_owned(), number(count)));
        Ok(Daemon {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            site: self.site.clone(),
            started: self.started,
            now: self.clock.now(),
            database: DatabaseState { kind, migration: state.migration, bytes: state.bytes },
            listens: self.listens.clone(),
            resources: self.counts(),
            stages: stages.collect(),
        })
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        let count = |kind: Kind| {
            self.roster.read(|inventory| match kind {
                Kind::Role => inventory.roles.len(),
                Kind::Firmware => inventory.firmware.len(),
                Kind::Subnet => inventory.subnets.len(),
                Kind::Image => inventory.images.len(),
                Kind::Profile => inventory.profiles.len(),
                Kind::Group => inventory.groups.len(),
                Kind::Webhook => inventory.webhooks.len(),
                Kind::HardwareClass => inventory.classes.len(),
                Kind::ExpectedMachine => inventory.expected.len(),
                Kind::AcceptRule => inventory.accept_rules.len(),
                Kind::Machine => inventory.machines().count(),
            })
        };
        Kind::ALL.into_iter().map(|kind| (kind.plural().to_owned(), number(count(kind)))).collect()
    }

    /// Everything that may help, and nothing that may be a secret. `metrics` are as they are served.
    pub async fn bundle(&self, metrics: &str) -> Result<SupportBundle, StoreError> {
        let mut webhooks = BTreeMap::new();
        for (name, _) in self.views.any(Kind::Webhook, &Selector::default(), None, usize::MAX) {
            // One that is deleted meanwhile is missing.
            if let Ok(status) = self.webhooks.status(name.as_str()).await {
                webhooks.insert(name.to_string(), status);
            }
        }
        Ok(SupportBundle {
            made: self.clock.now(),
            system: self.system().await?,
            tasks: self.tasks.all(),
            doctor: self.doctor.last(),
            resources: Kind::ALL
                .into_iter()
                .map(|kind| (kind.plural().to_owned(), self.shown(kind)))
                .collect(),
            events: self.history.newest(None, MOST_EVENTS).await?,
            operations: self
                .operations
                .list()
                .into_iter()
                // Where files are fetched from may name a password, and what came of it says what was declared.
                .map(|operation| pilotlight_types::api::Operation {
                    transfers: Vec::new(),
                    result: None,
                    problem: operation.problem.map(|problem| Problem {
                        detail: "(left out)".into(),
                        errors: Vec::new(),
                        ..problem
                    }),
                    ..operation
                })
                .collect(),
            webhooks,
            metrics: metrics.lines().map(str::to_owned).collect(),
        })
    }

    fn shown(&self, kind: Kind) -> Vec<Value> {
        let all = Selector::default();
        if kind == Kind::Machine {
            return self.views.machines(&all, None, MOST_MACHINES).iter().map(machine).collect();
        }
        let resources = self.views.resources(kind, &all, None, usize::MAX);
        let shown = resources.into_iter().map(|resource| {
            json!({
                "name": resource.name, "labels": resource.labels, "revision": resource.revision,
                "updated": resource.updated, "spec": support::shown(kind, &resource.spec),
            })
        });
        shown.collect()
    }
}

/// A machine, without what the agent measured and what its decisions knew: both may quote a config.
fn machine(machine: &Machine) -> Value {
    let spec = serde_json::to_value(&machine.spec).unwrap_or_default();
    let boot = machine.boot.as_ref().map(|boot| {
        json!({
            "id": boot.id, "mac": boot.mac, "address": boot.address, "started": boot.started, "ended": boot.ended,
            "phases": boot.phases, "outcome": boot.outcome,
        })
    });
    json!({
        "name": machine.name, "labels": machine.labels, "spec": support::shown(Kind::Machine, &spec),
        "stage": machine.stage, "why": machine.why, "since": machine.since, "power": machine.power,
        "hold": machine.hold, "profile": machine.profile, "seen": machine.seen, "conflicts": machine.conflicts,
        "reply": machine.reply, "boot": boot, "facts_at": machine.facts_at,
    })
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
