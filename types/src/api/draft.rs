//! What a machine would get of documents that nobody has applied.
use super::{ConfigValue, SecretPlace};
use crate::resource::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `POST /api/v1/render`: asks what a machine would get if these documents were applied, and it were provisioned then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenderRequest {
    /// The documents, as `POST /api/v1/apply` takes them; none: what is declared now.
    #[serde(default)]
    #[schemars(with = "Vec<crate::resource::Document>")]
    pub documents: Vec<Value>,
    /// The machine.
    pub machine: Name,
    /// The profile that it is to have, whatever its groups say; without it, the one that they give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Name>,
}

/// What a machine would get.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rendered {
    /// The machine.
    pub machine: String,
    /// The profile that this is of.
    pub profile: String,
    /// The profile that the machine's groups give it.
    pub given: Option<String>,
    /// What it would boot, in one sentence.
    pub answer: String,
    /// The kernel arguments of the profile, with its templates filled in.
    pub kernel_args: Vec<String>,
    /// The script; absent where it would get none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// The profile's part of its Ignition config, with its layers, secrets masked; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignition: Option<Value>,
    /// Where each value of that is from.
    pub provenance: Vec<ConfigValue>,
    /// The secrets in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretPlace>,
    /// Why it cannot be made for this machine; then there is no `ignition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}
