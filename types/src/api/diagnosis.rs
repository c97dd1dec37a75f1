//! Why a machine does not get on, and what is tried with it.
use crate::Timestamp;
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

/// What was tried with a machine that is to boot and does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ladder {
    /// The steps that were taken, the oldest first.
    pub tried: Vec<LadderStep>,
    /// When it came to the end of the ladder, and was held; absent while there is something left to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// One step of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LadderStep {
    /// `restart`, `cycle`, `bmc-reset` or `http`.
    pub step: String,
    /// When it was begun.
    pub at: Timestamp,
    /// The code of the diagnosis that it was taken for.
    #[serde(rename = "for")]
    pub for_what: String,
}
