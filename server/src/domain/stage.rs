//! Where a machine is in its life, and the only way in which that changes.
use pilotlight_types::resource::Name;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One revision of one profile.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision {
    /// The profile.
    pub profile: Name,
    /// Which of its revisions, from 1.
    pub revision: i64,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.profile, self.revision)
    }
}

/// Where a machine is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Seen, and nobody accepted it.
    Discovered,
    /// Accepted, and nothing is asked of it.
    Ready,
    /// Armed for a revision: its next boot gets it.
    Provisioning(Revision),
    /// The agent runs on that revision.
    Active(Revision),
    /// A boot did not get there. It is armed still: the next boot tries again.
    Failed {
        /// What it was to run.
        #[serde(flatten)]
        armed: Revision,
        /// Why, in words.
        why: String,
    },
    /// Out of service: it gets no answer.
    Retired,
}

/// What changes a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An operator, or a rule of theirs, takes the machine in.
    Accept,
    /// An operator asks for a revision.
    Provision(Revision),
    /// A boot began.
    BootStarted,
    /// The agent reported from a boot of this revision.
    Reported(Revision),
    /// A boot ended short of the agent.
    BootFailed(String),
    /// An operator takes the machine out of service.
    Retire,
}

/// An event that the stage does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a machine that is {from} cannot {event}")]
pub struct Refused {
    /// The stage.
    pub from: &'static str,
    /// What was asked.
    pub event: &'static str,
}

impl Stage {
    /// The stage's name, as JSON and selectors have it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Discovered => "discovered",
            Self::Ready => "ready",
            Self::Provisioning(_) => "provisioning",
            Self::Active(_) => "active",
            Self::Failed { .. } => "failed",
            Self::Retired => "retired",
        }
    }

    /// The revision that the machine boots when it asks, if any is asked of it.
    pub const fn armed(&self) -> Option<&Revision> {
        match self {
            Self::Provisioning(revision) | Self::Active(revision) | Self::Failed { armed: revision, .. } => {
                Some(revision)
            }
            Self::Discovered | Self::Ready | Self::Retired => None,
        }
    }

    /// The stage after the event: the only way in which a stage changes.
    pub fn on(&self, event: &Event) -> Result<Self, Refused> {
        use Stage::{Active, Discovered, Failed, Provisioning, Ready, Retired};
        Ok(match (self, event) {
            (Discovered | Retired, Event::Accept) => Ready,
            (Ready | Provisioning(_) | Active(_) | Failed { .. }, Event::Provision(revision)) => {
                Provisioning(revision.clone())
            }
            (Failed { armed, .. }, Event::BootStarted) => Provisioning(armed.clone()),
            (Discovered | Ready | Provisioning(_) | Active(_), Event::BootStarted) => self.clone(),
            (Provisioning(armed) | Failed { armed, .. }, Event::Reported(running)) if armed == running => {
                Active(running.clone())
            }
            // An older boot that is still talking, or a discovery boot: true, and no step in the machine's life.
            (Discovered | Ready | Provisioning(_) | Active(_) | Failed { .. }, Event::Reported(_)) => {
                self.clone()
            }
            (Provisioning(armed) | Active(armed) | Failed { armed, .. }, Event::BootFailed(why)) => {
                Failed { armed: armed.clone(), why: why.clone() }
            }
            (Discovered | Ready, Event::BootFailed(_)) => self.clone(),
            (_, Event::Retire) => Retired,
            _ => return Err(Refused { from: self.name(), event: event.name() }),
        })
    }
}

impl Event {
    const fn name(&self) -> &'static str {
        match self {
            Self::Accept => "be accepted",
            Self::Provision(_) => "be provisioned",
            Self::BootStarted => "boot",
            Self::Reported(_) => "report",
            Self::BootFailed(_) => "fail a boot",
            Self::Retire => "be retired",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn revision() -> impl Strategy<Value = Revision> {
        ("[a-c]", 1..4i64).prop_map(|(name, revision)| Revision { profile: name.parse().unwrap(), revision })
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Accept),
            revision().prop_map(Event::Provision),
            Just(Event::BootStarted),
            revision().prop_map(Event::Reported),
            Just(Event::BootFailed("cable".into())),
            Just(Event::Retire),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_a_machine_is_active_only_on_what_it_was_armed_for(events in prop::collection::vec(event(), 0..40)) {
            let mut stage = Stage::Discovered;
            let mut asked = None;
            for event in events {
                if let Ok(next) = stage.on(&event) {
                    if let Event::Provision(revision) = &event { asked = Some(revision.clone()); }
                    if let Stage::Active(running) = &next { prop_assert_eq!(Some(running), asked.as_ref()); }
                    stage = next;
                }
            }
        }

        #[test]
        fn a_retired_machine_comes_back_only_by_hand(events in prop::collection::vec(event(), 0..40)) {
            let mut stage = Stage::Retired;
            for event in events.into_iter().filter(|event| *event != Event::Accept) {
                if let Ok(next) = stage.on(&event) { stage = next; }
                prop_assert_eq!(&stage, &Stage::Retired);
            }
        }

        #[test]
        fn a_stage_survives_the_store(profile in revision(), why in ".*") {
            for stage in [Stage::Discovered, Stage::Ready, Stage::Provisioning(profile.clone()), Stage::Active(profile.clone()),
                          Stage::Failed { armed: profile.clone(), why: why.clone() }, Stage::Retired] {
                let json = serde_json::to_string(&stage).unwrap();
                prop_assert_eq!(serde_json::from_str::<Stage>(&json).unwrap(), stage);
            }
        }
    }

    #[test]
    fn a_machine_that_nobody_accepted_is_not_provisioned() {
        let profile = Revision { profile: "worker".parse().unwrap(), revision: 1 };
        let refused = Stage::Discovered.on(&Event::Provision(profile)).unwrap_err();
        assert_eq!(refused.to_string(), "a machine that is discovered cannot be provisioned");
    }
}
