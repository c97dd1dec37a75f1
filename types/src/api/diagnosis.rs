//! Why a machine does not get on.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a boot did not get on, from what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// What it is: a stable word, listed in docs/troubleshooting.md.
    pub code: String,
    /// What most likely happened, in words.
    pub text: String,
    /// What to look at, in words.
    pub look: String,
    /// What it was told by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What, in words.
    pub seen: String,
    /// Where the API has more of it: `/api/v1/boots/…/console`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}
