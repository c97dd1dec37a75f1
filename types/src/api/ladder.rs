//! What is tried with a machine that is to boot and does not.
use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a step of the ladder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LadderAction {
    /// The machine is told anew to boot from the network, and reset, or switched on if it is off.
    Restart,
    /// It is told so, and switched off and on.
    Cycle,
    /// Its BMC is restarted, and the machine is not.
    BmcReset,
    /// It is told to boot from the network by HTTP, and switched off and on.
    Http,
}

impl LadderAction {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Restart, Self::Cycle, Self::BmcReset, Self::Http];

    /// As the configuration and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Cycle => "cycle",
            Self::BmcReset => "bmc-reset",
            Self::Http => "http",
        }
    }

    /// In words, of a machine.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Restart => "it is told anew to boot from the network, and restarted",
            Self::Cycle => "it is told anew to boot from the network, and switched off and on",
            Self::BmcReset => "its BMC is restarted",
            Self::Http => "it is told to boot from the network by HTTP, and switched off and on",
        }
    }
}

impl fmt::Display for LadderAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A step that there is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadStep;

impl fmt::Display for BadStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a step is `restart`, `cycle`, `bmc-reset` or `http`")
    }
}

impl FromStr for LadderAction {
    type Err = BadStep;

    fn from_str(text: &str) -> Result<Self, BadStep> {
        Self::ALL.into_iter().find(|step| step.name() == text).ok_or(BadStep)
    }
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
    /// What was done.
    pub step: LadderAction,
    /// When it was begun.
    pub at: Timestamp,
    /// The code of the diagnosis that it was taken for.
    #[serde(rename = "for")]
    pub for_what: String,
}
