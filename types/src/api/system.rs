//! The daemon itself.
use super::{Event, Operation, WebhookStatus};
use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// `GET /api/v1/system`: what this daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Daemon {
    /// Its version.
    pub version: String,
    /// The site that it serves.
    pub site: String,
    /// When it was started.
    pub started: Timestamp,
    /// What time it thinks it is.
    pub now: Timestamp,
    /// Where it keeps what it knows.
    pub database: DatabaseState,
    /// What it listens on.
    pub listens: Vec<Listens>,
    /// How many there are of each kind of resource, and of machines.
    pub resources: BTreeMap<String, u64>,
    /// How many machines are in each stage.
    pub stages: BTreeMap<String, u64>,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseState {
    /// `sqlite` or `postgres`.
    pub kind: String,
    /// The number of the newest migration that it has.
    pub migration: i64,
    /// How large it is, in bytes.
    pub bytes: u64,
}

/// A socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listens {
    /// What is spoken there: `http`, `https`, `tftp`, `dhcp`.
    pub service: String,
    /// The address, or the interface.
    pub at: String,
}

/// `GET /api/v1/tasks`: something that the daemon does again and again, and how it went the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Its name, as in the log.
    pub name: String,
    /// What it does, in a line.
    pub does: String,
    /// How often it runs, in seconds.
    pub every: u64,
    /// How many passes there were since the daemon was started.
    pub passes: u64,
    /// How many of them failed.
    pub failed: u64,
    /// When the last one began; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<u64>,
    /// Why the last one failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `GET` and `POST /api/v1/doctor`: what was found of the host and its network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// When it was looked; absent, if nobody has yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether nothing failed.
    pub good: bool,
    /// One for each thing that was looked at.
    pub checks: Vec<Check>,
}

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Which thing: a word that stays the same.
    pub check: String,
    /// How it is.
    pub status: CheckStatus,
    /// What was seen.
    pub seen: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Check {
    /// It is good.
    pub fn ok(check: &str, seen: impl Into<String>) -> Self {
        Self { check: check.to_owned(), status: CheckStatus::Ok, seen: seen.into(), fix: None }
    }

    /// Somebody should look at it.
    pub fn warn(check: &str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: CheckStatus::Warn, fix: Some(fix.into()), ..Self::ok(check, seen) }
    }

    /// It does not work.
    pub fn fail(check: &str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: CheckStatus::Fail, fix: Some(fix.into()), ..Self::ok(check, seen) }
    }
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Good.
    Ok,
    /// Somebody should look at it.
    Warn,
    /// It does not work.
    Fail,
}

/// `GET /api/v1/support-bundle`: what somebody needs who is to help and cannot look. What people wrote into configs, templates and
/// variables is left out, for it may hold secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SupportBundle {
    /// When it was made.
    pub made: Timestamp,
    /// The daemon.
    pub system: Daemon,
    /// What it does again and again.
    pub tasks: Vec<Task>,
    /// What `doctor` found last.
    pub doctor: Findings,
    /// What is declared, and machines, with what may hold a secret left out.
    pub resources: BTreeMap<String, Vec<Value>>,
    /// What happened last, newest first.
    pub events: Vec<Event>,
    /// Work that takes long.
    pub operations: Vec<Operation>,
    /// How webhooks do.
    pub webhooks: BTreeMap<String, WebhookStatus>,
    /// The metrics, as `/metrics` has them.
    pub metrics: Vec<String>,
}
