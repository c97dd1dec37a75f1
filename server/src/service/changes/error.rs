//! Why nothing was changed.
use crate::{
    domain::rights::{Beyond, Forbidden},
    service::{machines::MachineError, operations::CalledOff},
    store::StoreError,
};
use pilotlight_types::{
    api::Mistake,
    resource::{Kind, Name},
};
use std::fmt;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// What was sent has mistakes.
    #[error("{} wrong; nothing was changed", count(.0.len()))]
    Mistakes(Vec<Mistake>),
    /// There is no such resource.
    #[error("there is no {0} {1}")]
    NotFound(Kind, String),
    /// Others need it.
    #[error("{0} {1} cannot go: {2}")]
    Needed(Kind, Name, String),
    /// It is not what the caller thinks.
    #[error("{0} {1} is not as you read it: {2}")]
    Changed(Kind, Name, String),
    /// The caller may not do that.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// A role would allow more than the caller may do.
    #[error(transparent)]
    Beyond(#[from] Beyond),
    /// A machine would be declared that is another one, which the caller may not take over.
    #[error(
        "Machine {name} has a MAC, UUID, serial number or address of {other}, which is {stage} and not yours: {why}"
    )]
    NotYours {
        /// What it would be called.
        name: Name,
        /// What it is called.
        other: Name,
        /// The other's stage.
        stage: &'static str,
        /// Why it is not the caller's.
        why: Box<Forbidden>,
    },
    /// Nobody said how many machines may be changed.
    #[error("{0}")]
    Guard(NeedsAllowed),
    /// What it would do is not what the caller saw.
    #[error("what this would do is not the plan {expected}; nothing was changed. {differs}")]
    NotThePlan {
        /// The hash that was expected.
        expected: String,
        /// What differs, in words.
        differs: String,
    },
    /// Resources are pruned by the set of files that they are from.
    #[error("`prune` needs `source`: the name of the set of files that these documents are all of")]
    NoSource,
    /// Who asked for it does not want it any more.
    #[error("nothing was changed: {0}")]
    CalledOff(#[from] CalledOff),
    /// The stage does not allow that.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// More machines would be changed than may be without saying so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsAllowed {
    /// The number that must be allowed.
    pub needs: usize,
    /// What was allowed.
    pub allowed: Option<usize>,
    /// How many need no permission.
    pub limit: usize,
    /// Those of the machines that the caller may see.
    pub machines: Vec<String>,
    /// Machines that would be deleted while they run something, and what that is.
    pub running: Vec<String>,
}

impl fmt::Display for NeedsAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needs, allowed, limit, machines, running } = self;
        if running.is_empty() {
            write!(f, "the next boot of {needs} machines would change ({})", some(machines, *needs))?;
            match allowed {
                Some(allowed) => write!(f, ", and {allowed} are allowed")?,
                None => write!(f, ", and the guard lets {limit} through at once")?,
            }
        } else {
            write!(f, "machines would be deleted that run something: {}", some(running, running.len()))?;
        }
        write!(
            f,
            "; nothing was changed. Look at the plan, then allow {needs} machines (--allow-machines {needs})"
        )
    }
}

/// The first few, and how many more there are.
fn some(all: &[String], count: usize) -> String {
    const SHOWN: usize = 5;
    let first = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match count.saturating_sub(all.len().min(SHOWN)) {
        0 => first,
        _ if first.is_empty() => "none of which you may see".to_owned(),
        more => format!("{first} and {more} more"),
    }
}

fn count(mistakes: usize) -> String {
    match mistakes {
        1 => "1 part of what was sent is".into(),
        mistakes => format!("{mistakes} parts of what was sent are"),
    }
}
