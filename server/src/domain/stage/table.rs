//! The stages as a table: what each event leads to from each stage, how long a machine may be there, what is tried, and how an operator
//! gets it out. The code goes by it, and docs/stages.md and docs/stages.svg are made of it.
use std::time::Duration;

/// The kinds of events: the table's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// An operator, or a rule of theirs, takes the machine in.
    Accept,
    /// An operator asks for a revision.
    Provision,
    /// A boot began.
    BootStarted,
    /// The agent reported from a boot.
    Reported,
    /// A boot ended short of the agent.
    BootFailed,
    /// An operator takes the machine out of service.
    Retire,
}

impl Asks {
    /// Every one, in the order of the columns.
    pub const ALL: [Self; 6] =
        [Self::Accept, Self::Provision, Self::BootStarted, Self::Reported, Self::BootFailed, Self::Retire];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Provision => "provision",
            Self::BootStarted => "a boot begins",
            Self::Reported => "the agent reports",
            Self::BootFailed => "a boot fails",
            Self::Retire => "retire",
        }
    }
}

/// What an event leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The stage does not take it.
    Refused,
    /// It is true, and no step in the machine's life.
    Stays,
    /// Ready.
    Ready,
    /// Provisioning, armed for what was asked.
    Armed,
    /// Provisioning, armed for what it was.
    Again,
    /// Active, if the report is from the revision that it is armed for; else it stays.
    Active,
    /// Failed, armed for what it was.
    Failed,
    /// Retired.
    Retired,
}

impl Next {
    /// The stage that it leads to, if that is another one or may be.
    pub const fn stage(self) -> Option<&'static str> {
        match self {
            Self::Refused | Self::Stays => None,
            Self::Ready => Some(READY.stage),
            Self::Armed | Self::Again => Some(PROVISIONING.stage),
            Self::Active => Some(ACTIVE.stage),
            Self::Failed => Some(FAILED.stage),
            Self::Retired => Some(RETIRED.stage),
        }
    }
}

/// One stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub stage: &'static str,
    /// What it means.
    pub means: &'static str,
    next: [Next; 6],
    /// After how long a machine is overdue there; none where it may stay.
    pub deadline: Option<Duration>,
    /// What is done about it without anybody asking.
    pub tried: &'static str,
    /// What an operator can always do.
    pub exits: &'static [Asks],
}

impl Row {
    /// What an event leads to from here.
    pub const fn on(&self, event: Asks) -> Next {
        let [accept, provision, started, reported, failed, retire] = self.next;
        match event {
            Asks::Accept => accept,
            Asks::Provision => provision,
            Asks::BootStarted => started,
            Asks::Reported => reported,
            Asks::BootFailed => failed,
            Asks::Retire => retire,
        }
    }
}

use Next::{Active, Again, Armed, Failed, Ready, Refused, Retired, Stays};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

// The columns: accept, provision, a boot begins, the agent reports, a boot fails, retire.

/// Seen, and nobody accepted it.
pub const DISCOVERED: Row = Row {
    stage: "discovered",
    means: "seen, and nobody accepted it",
    next: [Ready, Refused, Stays, Stays, Stays, Retired],
    deadline: Some(DAY),
    tried: "it boots the discovery profile; what is expected and the accept rules are looked at when its facts come, and when they change",
    exits: &[Asks::Accept, Asks::Retire],
};

/// Accepted, and nothing is asked of it.
pub const READY: Row = Row {
    stage: "ready",
    means: "accepted, and nothing is asked of it: it boots from its disk",
    next: [Refused, Armed, Stays, Stays, Stays, Retired],
    deadline: None,
    tried: "it is armed once a group gives it a profile and it never ran one",
    exits: &[Asks::Provision, Asks::Retire],
};

/// Armed for a revision: its next boot gets it.
pub const PROVISIONING: Row = Row {
    stage: "provisioning",
    means: "armed: its next boot gets that revision",
    next: [Refused, Armed, Stays, Active, Failed, Retired],
    deadline: Some(HOUR),
    tried: "a boot that falls silent is failed, with a diagnosis; where there is a BMC, the ladder starts it again; the next boot is given the same",
    exits: &[Asks::Provision, Asks::Retire],
};

/// The agent runs on that revision.
pub const ACTIVE: Row = Row {
    stage: "active",
    means: "the agent runs on the revision; it boots the same one again",
    next: [Refused, Armed, Stays, Stays, Failed, Retired],
    deadline: None,
    tried: "nothing: it is where it should be",
    exits: &[Asks::Provision, Asks::Retire],
};

/// A boot did not get there.
pub const FAILED: Row = Row {
    stage: "failed",
    means: "a boot did not get there; it is armed still",
    next: [Refused, Armed, Again, Active, Failed, Retired],
    deadline: Some(DAY),
    tried: "the ladder starts it again, where there is a BMC; its next boot, whoever starts it, is given the same revision",
    exits: &[Asks::Provision, Asks::Retire],
};

/// Out of service.
pub const RETIRED: Row = Row {
    stage: "retired",
    means: "out of service: it gets no answer",
    next: [Ready, Refused, Refused, Refused, Refused, Retired],
    deadline: None,
    tried: "nothing",
    exits: &[Asks::Accept],
};

/// Every stage, in the order of a machine's life.
pub const ALL: [&Row; 6] = [&DISCOVERED, &READY, &PROVISIONING, &ACTIVE, &FAILED, &RETIRED];
