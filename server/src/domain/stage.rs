//! Where a machine is in its life, and the only way in which that changes: [`table`] says what leads where.
pub mod table;

use self::table::{Asks, Next, Row};
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
        self.row().stage
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

    /// The stage after the event: the only way in which a stage changes, by [`table`].
    pub fn on(&self, event: &Event) -> Result<Self, Refused> {
        let refused = || Refused { from: self.name(), event: event.name() };
        let armed = || self.armed().cloned().ok_or_else(refused);
        Ok(match self.row().on(event.asks()) {
            Next::Refused => return Err(refused()),
            Next::Stays => self.clone(),
            Next::Ready => Self::Ready,
            Next::Retired => Self::Retired,
            Next::Again => Self::Provisioning(armed()?),
            Next::Armed => match event {
                Event::Provision(revision) => Self::Provisioning(revision.clone()),
                _ => return Err(refused()),
            },
            Next::Active => match event {
                Event::Reported(running) if self.armed() == Some(running) => Self::Active(running.clone()),
                // An older boot that is still talking, or a discovery boot: true, and no step in the machine's life.
                _ => self.clone(),
            },
            Next::Failed => match event {
                Event::BootFailed(why) => Self::Failed { armed: armed()?, why: why.clone() },
                _ => return Err(refused()),
            },
        })
    }

    /// The stage's row of the table.
    pub const fn row(&self) -> &'static Row {
        match self {
            Self::Discovered => &table::DISCOVERED,
            Self::Ready => &table::READY,
            Self::Provisioning(_) => &table::PROVISIONING,
            Self::Active(_) => &table::ACTIVE,
            Self::Failed { .. } => &table::FAILED,
            Self::Retired => &table::RETIRED,
        }
    }
}

impl Event {
    /// The event's column of the table.
    pub const fn asks(&self) -> Asks {
        match self {
            Self::Accept => Asks::Accept,
            Self::Provision(_) => Asks::Provision,
            Self::BootStarted => Asks::BootStarted,
            Self::Reported(_) => Asks::Reported,
            Self::BootFailed(_) => Asks::BootFailed,
            Self::Retire => Asks::Retire,
        }
    }

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

    /// Where a machine is after these, from the beginning.
    fn after(events: &[Event]) -> Stage {
        events.iter().fold(Stage::Discovered, |stage, event| stage.on(event).unwrap_or(stage))
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
        fn a_machine_is_armed_by_hand_only_and_for_one_revision(events in prop::collection::vec(event(), 0..40)) {
            let mut stage = Stage::Discovered;
            for event in events {
                let Ok(next) = stage.on(&event) else { continue };
                match &event {
                    Event::Provision(revision) => prop_assert_eq!(next.armed(), Some(revision)),
                    Event::Retire => prop_assert_eq!(next.armed(), None),
                    // Nothing else gives it another one, and nothing that it does by itself takes it away.
                    _ => prop_assert_eq!(next.armed(), stage.armed()),
                }
                stage = next;
            }
        }

        #[test]
        fn wherever_a_machine_is_an_operator_gets_it_to_another_revision(
            events in prop::collection::vec(event(), 0..40), wanted in revision()
        ) {
            let stage = after(&events);
            let names: Vec<&str> = stage.row().exits.iter().map(|exit| exit.name()).collect();
            prop_assert!(!names.is_empty(), "{} has no exit", stage.name());
            for exit in stage.row().exits {
                let event = match exit {
                    Asks::Provision => Event::Provision(wanted.clone()),
                    Asks::Accept => Event::Accept,
                    Asks::Retire => Event::Retire,
                    other => return Err(TestCaseError::fail(format!("{} is nothing that operators do", other.name()))),
                };
                prop_assert!(stage.on(&event).is_ok(), "{} does not take its exit {}", stage.name(), exit.name());
            }
            // By hand a machine gets from anywhere to anywhere: accepted if need be, armed, reported.
            let accepted = stage.on(&Event::Accept).unwrap_or(stage);
            let armed = accepted.on(&Event::Provision(wanted.clone())).unwrap();
            prop_assert_eq!(armed.on(&Event::Reported(wanted.clone())).unwrap(), Stage::Active(wanted));
        }

        #[test]
        fn a_machine_that_fails_boots_again(events in prop::collection::vec(event(), 0..40)) {
            let stage = after(&events);
            if let Stage::Failed { armed, .. } = &stage {
                prop_assert_eq!(stage.on(&Event::BootStarted).unwrap(), Stage::Provisioning(armed.clone()));
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
    fn each_stage_has_its_own_row() {
        let profile = Revision { profile: "worker".parse().unwrap(), revision: 1 };
        let stages = [
            Stage::Discovered,
            Stage::Ready,
            Stage::Provisioning(profile.clone()),
            Stage::Active(profile.clone()),
            Stage::Failed { armed: profile, why: String::new() },
            Stage::Retired,
        ];
        let rows: Vec<&str> = table::ALL.iter().map(|row| row.stage).collect();
        assert_eq!(stages.each_ref().map(Stage::name).to_vec(), rows);
        assert!(stages.iter().all(|stage| stage.row().stage == stage.name()));
    }

    #[test]
    fn every_stage_that_is_not_an_end_has_a_deadline() {
        for row in table::ALL {
            let end = ["ready", "active", "retired"].contains(&row.stage);
            assert_eq!(row.deadline.is_none(), end, "{}", row.stage);
        }
    }

    #[test]
    fn a_machine_that_nobody_accepted_is_not_provisioned() {
        let profile = Revision { profile: "worker".parse().unwrap(), revision: 1 };
        let refused = Stage::Discovered.on(&Event::Provision(profile)).unwrap_err();
        assert_eq!(refused.to_string(), "a machine that is discovered cannot be provisioned");
    }
}
