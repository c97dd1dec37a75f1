//! How it goes at a site, and how boots usually go, as the REST API shows it.
use super::Phase;
use crate::{
    Timestamp,
    resource::{Duration, LinkRate, Name, SubnetMode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /api/v1/site`: how it goes, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Site {
    /// The site's name.
    pub name: String,
    /// The daemon's version.
    pub version: String,
    /// When these numbers were right.
    pub at: Timestamp,
    /// How long a boot may be silent before it has failed.
    pub patience: Duration,
    /// Machines that are booting.
    pub booting: u64,
    /// Of these, those of which nothing was seen for more than half of that time.
    pub overdue: u64,
    /// Machines whose newest boot began in the last hour.
    pub booted: u64,
    /// Each subnet, by name.
    pub subnets: Vec<SubnetPace>,
}

/// What the link to a subnet's machines carries, and who waits for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubnetPace {
    /// The subnet.
    pub name: Name,
    /// Whether we answer there.
    pub mode: SubnetMode,
    /// What the link to its machines is taken for.
    pub link: LinkRate,
    /// How many machines may load their image at once, where an operator says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// Machines that load their image.
    pub loading: u64,
    /// Machines that wait for their turn to load it.
    pub waiting: u64,
    /// Machines whose firmware waits for an offer.
    pub offers_held: u64,
    /// Bytes a second that went to machines, over the last ten seconds.
    pub rate: u64,
}

/// What machines have in common whose boots are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClassBy {
    /// Their profile.
    Profile,
    /// Their hardware's maker and model.
    Model,
}

/// `GET /api/v1/machines/{name}/medians`: how boots usually go of other machines like this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BootMedians {
    /// What they have in common.
    pub by: ClassBy,
    /// Which profile or model that is; absent if the machine has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// How many boots were looked at: the newest of each of the others, if it became active.
    pub boots: u64,
    /// How long half of them took at the most, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Each phase, in order.
    pub phases: Vec<PhaseMedian>,
}

/// How a phase usually goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseMedian {
    /// The phase.
    pub phase: Phase,
    /// How long after the first packet it begins, in milliseconds.
    pub after_ms: u64,
    /// How long it takes, in milliseconds.
    pub took_ms: u64,
}
