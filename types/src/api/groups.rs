//! Which group gives a machine what it runs, and which ones do not and why.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /api/v1/machines/{name}/groups`: a group that takes the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachineGroup {
    /// The group.
    pub group: String,
    /// The profile that it gives.
    pub profile: String,
    /// Its priority.
    pub priority: i32,
    /// Whether it is the one that counts: the first of them.
    pub wins: bool,
    /// Why it wins, or what the winner has over it.
    pub because: String,
}

/// `GET /api/v1/groups/{name}/machines`: a machine that the group takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupMachine {
    /// The machine.
    pub machine: String,
    /// Whether this group is the one that counts for it.
    pub wins: bool,
    /// The group that counts for it.
    pub winner: String,
    /// Why this group wins, or what the winner has over it.
    pub because: String,
}
