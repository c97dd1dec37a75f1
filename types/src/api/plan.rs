//! What an apply would do: `POST /api/v1/plan`.
use super::Change;
use crate::resource::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an apply of these documents would do, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Stands for all of it: the same changes to the same state with the same effects have the same hash, SHA-256 in hex.
    pub hash: String,
    /// What is created, updated and deleted; what stays as it is, is only counted.
    pub changes: Vec<PlannedChange>,
    /// How many of the documents change nothing.
    pub unchanged: usize,
    /// The machines whose next boot differs: those with the same difference together.
    pub boots: Vec<BootChange>,
    /// The machines that go on booting what they are armed for, and get something else once they are provisioned again.
    pub provision: Vec<BootChange>,
    /// How many machines' next boots differ.
    pub machines: usize,
    /// How many of those are out of the token's scope: they are counted, and not in `boots`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: usize,
    /// What the guard says to that.
    pub guard: Guard,
    /// What is allowed and probably not meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Plan {
    /// Whether it would do anything.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many resources are changed in this way.
    pub fn count(&self, change: Change) -> usize {
        self.changes.iter().filter(|planned| planned.change == change).count()
    }
}

/// What would become of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedChange {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What would be done.
    pub change: Change,
    /// The revision that it has now, where it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// What differs in it as YAML, line by line, as `diff -u` has it; secrets are masked.
    pub diff: Vec<String>,
    /// What must not be overlooked: a machine that is deleted while it runs something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub danger: Option<String>,
}

/// Machines whose boots change in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BootChange {
    /// All of them, by name.
    pub machines: Vec<String>,
    /// What they get as things are, in one sentence.
    pub before: String,
    /// What they would get.
    pub after: String,
    /// What differs, for the first of them. For the others it is the same but for their own names and addresses.
    pub parts: Vec<BootPart>,
}

/// One part of what a machine gets, and how it differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BootPart {
    /// `decision`, `dhcp`, `script`, `image`, `secrets`, or `ignition` with the profile that it is from.
    pub part: String,
    /// What differs, line by line; tokens and secrets are masked.
    pub diff: Vec<String>,
}

/// How many machines may be changed at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guard {
    /// How many may be without anybody saying the number: `guard.machines`.
    pub limit: usize,
    /// How many machines count: those that were accepted before, and whose next boot differs.
    pub counted: usize,
    /// The number that must be allowed for it to be applied; absent where none is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<usize>,
}
