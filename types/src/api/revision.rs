//! What a resource was: `GET /api/v1/{kind}/{name}/revisions`.
use crate::{Timestamp, resource::Labels};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One revision of a resource. It never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Revision {
    /// Its number, from 1.
    pub revision: i64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it: a token's name.
    pub by: String,
    /// What they said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The labels. Lists leave them out, and the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// What was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Value>,
}
