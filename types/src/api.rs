//! Bodies of the REST API, `/api/v1/…`.
mod action;
mod audit;
mod bmc;
mod boot;
mod diagnosis;
mod draft;
mod groups;
mod inbox;
mod ladder;
mod network;
mod operation;
mod packet;
mod plan;
mod revision;
mod rights;
mod site;
mod system;
mod token;
mod user;
mod webhook;

pub use action::{MachineAction, MachineResult, MachinesAnswer, MachinesRequest};
pub use audit::{AuditBreak, AuditCheck, AuditEntry};
pub use bmc::{
    BmcFailure, BmcLog, BmcStatus, BootDevice, Breaker, IdentifyRequest, LogEntry, PowerAction, PowerRequest,
    PowerResult, PowerWanted, Sensor,
};
pub use boot::{Boot, BootServed, ConsoleLine, DecisionRecord, Outcome, Phase, PhaseRecord};
pub use diagnosis::{Diagnosis, Evidence};
pub use draft::{RenderRequest, Rendered};
pub use groups::{GroupMachine, MachineGroup};
pub use inbox::{
    AcceptPreview, AcceptRequest, Accepted, Difference, HardwareSummary, Inbox, InboxRow, InboxState,
    MachineClass,
};
pub use ladder::{BadStep, Ladder, LadderAction, LadderStep};
pub use network::{Lease, LeaseState, Sighting, SubnetUse};
pub use operation::{Operation, OperationState, Transfer};
pub use packet::{PacketExplanation, PacketField, PacketQuestion, PacketView};
pub use plan::{BootChange, BootPart, Guard, Plan, PlannedChange};
pub use revision::Revision;
pub use rights::{MayI, MayIAnswer, Rights, Role};
pub use site::{BootMedians, ClassBy, PhaseMedian, Site, SubnetPace};
pub use system::{Check, CheckStatus, Daemon, DatabaseState, Findings, Listens, SupportBundle, Task};
pub use token::{CreatedToken, NewToken, Scope, Token};
pub use user::{
    How, IssuedToken, Me, NewUser, OidcWay, PasswordChange, PasswordReset, PasswordSignIn, SignInWays,
    TokenExchange, User, UserChange,
};
pub use webhook::{Attempt, Delivery, DeliveryState, Replayed, WebhookStatus};

use crate::{
    BootId, EventId, Mac, MachineId, Timestamp,
    facts::Facts,
    resource::{Kind, Name},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct List<T> {
    /// The items, in the list's own order.
    pub items: Vec<T>,
    /// What to give as `?cursor=` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An error, as RFC 9457 has it (`application/problem+json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The HTTP status again.
    pub status: u16,
    /// What kind of error: a stable word, listed in docs/errors.md.
    pub code: String,
    /// The kind of error, for people.
    pub title: String,
    /// What happened this time.
    pub detail: String,
    /// What the server's log calls this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Each mistake in what was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Mistake>,
    /// What is there now, where somebody else wrote it since the caller read it (412).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Value>,
    /// What the caller sent then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Value>,
}

/// One mistake in what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mistake {
    /// Which of the documents that were sent, from 0.
    pub document: usize,
    /// Where in it: `spec.ranges[1]`.
    pub path: String,
    /// Where in the text at that path, when it is a text with lines of its own (Butane): line and column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<(usize, usize)>,
    /// What is wrong.
    pub detail: String,
}

/// `POST /api/v1/apply`: what became of each document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// One for each document, in the order in which they were sent; then one for each resource that was deleted.
    pub items: Vec<AppliedItem>,
    /// The hash of the plan that this was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

/// What became of one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedItem {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What was done.
    pub change: Change,
    /// What is allowed but probably not meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `?dry-run=true`: what a write would change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DryRun {
    /// Always true: nothing was changed.
    pub dry_run: bool,
    /// One for each object, in the order in which they were asked for.
    pub items: Vec<PlannedItem>,
}

/// What would become of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedItem {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What would be done.
    pub change: Change,
    /// What is declared of it now: `labels` and `spec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What would be declared of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// What is allowed but probably not meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a write did to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Created,
    /// It is different now.
    Updated,
    /// It was so already.
    Unchanged,
    /// It is gone.
    Deleted,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
        })
    }
}

/// A machine: what was declared, and what is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Its id, whatever it is called.
    pub id: MachineId,
    /// Always `Machine`.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: crate::resource::Labels,
    /// What was declared.
    pub spec: crate::resource::MachineSpec,
    /// Where it is in its life.
    pub stage: String,
    /// Why it is there, where that needs saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Why it does not get on, where it does not: of its newest boot, or of the boot that did not even begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    /// What was tried so that it boots, where it is to and does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Ladder>,
    /// When it came to that stage.
    pub since: Timestamp,
    /// `on`, `off` or `unknown`.
    pub power: String,
    /// Since when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_since: Option<Timestamp>,
    /// What is asked of its power and is not done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_wanted: Option<PowerWanted>,
    /// What came of what was asked of its power last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_result: Option<PowerResult>,
    /// The operator's lock, if there is one.
    pub hold: Option<Hold>,
    /// What it should run, and what it runs.
    pub profile: Option<MachineProfile>,
    /// What the agent measured last.
    pub facts: Option<Facts>,
    /// When that was.
    pub facts_at: Option<Timestamp>,
    /// When the agent was last heard.
    pub seen: Option<Timestamp>,
    /// MACs that were not declared and that it booted from, known by its UUID or serial number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learned_macs: Vec<Mac>,
    /// How its firmware takes to be told of its boot program, where that was found out: not in the first way that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<crate::resource::ReplyStyle>,
    /// What it says of itself that does not fit it, in its newest boot and in its facts, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
    /// When it is overdue in its stage, where that has a deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Its hardware class, and how it differs from that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<MachineClass>,
    /// What accepted it, if nobody asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// Its newest boot.
    pub boot: Option<Boot>,
    /// Counts its changes: what `If-Match` takes.
    pub revision: i64,
}

/// What a machine should run, and what it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachineProfile {
    /// The profile's name.
    pub name: String,
    /// The revision that it is to run.
    pub desired: i64,
    /// The revision that it runs.
    pub running: Option<i64>,
    /// Whether it runs something else than this: another revision, or another profile.
    #[serde(default)]
    pub drift: bool,
}

/// An operator's lock on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A resource of any kind but Machine. `T` is the kind's spec, or JSON where the kind does not matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Resource")]
pub struct Resource<T = Value> {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "crate::resource::Labels::is_empty")]
    pub labels: crate::resource::Labels,
    /// What was declared.
    pub spec: T,
    /// Counts its changes: what `If-Match` takes.
    pub revision: i64,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// `PUT` of a resource: what is declared. `kind` and `name` may be left out, as the path says them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Declaration")]
#[serde(deny_unknown_fields)]
pub struct Declaration<T = Value> {
    /// Its kind, which is the path's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Its name, which is the path's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "crate::resource::Labels::is_empty")]
    pub labels: crate::resource::Labels,
    /// What is wanted.
    pub spec: T,
}

/// `POST /api/v1/machines/{name}/hold`: an operator's lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// Why, in up to 500 printable characters.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
    /// When it ends by itself; never, if neither this nor `for` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// After how long it ends by itself, by the server's clock.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<crate::resource::Duration>,
}

/// `?watch=true`: an object that is gone, or is not selected any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gone {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its place in the order of all events: what `Last-Event-ID` takes.
    pub seq: i64,
    /// Its id.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: `boot.started`, `token.refused`.
    pub kind: String,
    /// To what: `machine/n1`.
    pub object: String,
    /// By whom: a token's name, `machine`, or `pilotlight`.
    pub actor: String,
    /// The boot that it belongs to.
    pub boot: Option<BootId>,
    /// In words.
    pub message: String,
    /// In numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Value>,
}

/// `GET /api/v1/machines/{name}/explain`: what a machine gets now, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The machine's name, if it has one.
    pub machine: Option<String>,
    /// What it gets, in one sentence.
    pub answer: String,
    /// What led there, first things first.
    pub because: Vec<String>,
    /// The decision in full.
    pub decision: Value,
    /// The lines of the script that it would be given.
    pub script: Option<String>,
    /// The Ignition config that it would be given, secrets masked.
    pub ignition: Option<Value>,
    /// The secrets in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretPlace>,
    /// What DHCP would say to its firmware, and then to its iPXE.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dhcp: Vec<DhcpStep>,
    /// The kernel arguments of the script, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernel_args: Vec<KernelArgument>,
    /// Where each value of the profile's part of the config is from: of what Ignition merges of its layers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provenance: Vec<ConfigValue>,
    /// The Ignition spec of the profile's part, and why it is that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignition_version: Option<String>,
    /// The bytes of the config as it would be sent, with masks for secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignition_bytes: Option<u64>,
}

/// What DHCP says to one of the programs of a boot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DhcpStep {
    /// Who asks: `firmware` or `ipxe`.
    pub asks: String,
    /// The answer in one sentence.
    pub answer: String,
    /// Each field and option of the answer.
    pub fields: Vec<DhcpField>,
}

/// A field or option of an answer, and where it is from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DhcpField {
    /// The option's number; absent for a field of the fixed part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// Its name in the RFC that has it.
    pub name: String,
    /// What it says.
    pub value: String,
    /// Where that is from: `subnet rack-a, gateway`.
    pub from: String,
}

/// A kernel argument, and where it is from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KernelArgument {
    /// As it is in the script.
    pub argument: String,
    /// Where it is from: `profile worker, spec.kernelArgs[0]`.
    pub from: String,
    /// The template variables in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<TemplateVariable>,
}

/// A value of a config, and where it is from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigValue {
    /// Its path: `storage.files[0].mode`.
    pub path: String,
    /// The value; secrets are masked.
    pub value: Value,
    /// The profile that it is from: the machine's own, or a layer.
    pub profile: String,
    /// The field of that profile: `spec.butane`, or `spec.ignition` with the path in it.
    pub field: String,
    /// The line in the text of that field, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The template variables that these lines use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<TemplateVariable>,
}

/// A variable of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateVariable {
    /// Its name: `vars.zone`.
    pub name: String,
    /// Its value; null where it has none. Secrets are masked.
    pub value: Value,
    /// Where that is from: `group workers, variables`.
    pub from: String,
}

/// A secret of a config: where it is, and never what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretPlace {
    /// Its name in templates.
    pub name: String,
    /// Who declares it: `profile worker`.
    pub from: String,
    /// Where its value is: `Vault secret/data/db#password`.
    pub place: String,
    /// Why the daemon's configuration does not let it be read, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}
