//! What operators ask of several machines at once.
use super::PowerRequest;
use crate::{
    Timestamp,
    resource::{Duration, Name},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is asked of machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MachineAction {
    /// Takes in a machine that is discovered, or retired.
    Accept,
    /// Arms it for the newest revision of its profile.
    Provision,
    /// Locks it: when it boots, it waits.
    Hold,
    /// Unlocks it.
    Release,
    /// Takes it out of service.
    Retire,
    /// Switches it.
    Power,
}

/// `POST /api/v1/machines/actions`: asks the same of several machines, which are meant either by a selector or by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachinesRequest {
    /// What.
    pub action: MachineAction,
    /// Of those with these labels, as kubectl has it: `rack=r1`. An empty selector is refused: it would mean every machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Name>,
    /// Why, for `hold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When a `hold` ends by itself; never, if neither this nor `for` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// After how long a `hold` ends by itself, by the server's clock.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Duration>,
    /// What is asked of their power, for `power`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<PowerRequest>,
    /// Only says what would come of it.
    #[serde(default)]
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachinesAnswer {
    /// Whether nothing was changed, as was asked.
    pub dry_run: bool,
    /// One for each machine, by name.
    pub items: Vec<MachineResult>,
}

/// What came of it for one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachineResult {
    /// The machine.
    pub name: String,
    /// Whether it was done, or would be.
    pub done: bool,
    /// Its stage after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Why it was not done: a code as problem documents have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
