//! Changes of what is declared: foreseen, checked as a whole, written as a whole, or not at all.
mod draft;
mod error;
mod judge;
mod remembered;
mod shown;
mod step;

pub use error::{ChangeError, NeedsAllowed};

use super::{
    boots::Boots,
    images::Images,
    journal::{Actor, Journal},
    machines::Machines,
    next_boots::NextBoots,
    roster::Roster,
};
use crate::{
    domain::{
        document::{Meant, Spec, understand},
        inventory::check,
    },
    store::StoreError,
};
use draft::Draft;
use pilotlight_types::{
    api::{Applied, AppliedItem, Mistake, Plan},
    resource::{Kind, Name},
};
use remembered::Remembered;
use serde_json::Value;
use std::sync::Arc;
use step::current;
use tokio::sync::Mutex;

/// Changes what is declared.
#[derive(Debug, Clone)]
pub struct Changes {
    roster: Roster,
    journal: Journal,
    images: Images,
    machines: Machines,
    boots: Boots,
    foresight: NextBoots,
    /// How many machines may be changed at once without anybody saying the number.
    guard: usize,
    plans: Remembered,
    // One change at a time: what is checked is what is written.
    one_at_a_time: Arc<Mutex<()>>,
}

/// How documents are applied.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The set of files that they are from; it is remembered of each.
    pub source: Option<Name>,
    /// Whether what was applied from that set before, and is not among the documents, is deleted.
    pub prune: bool,
    /// What there is to say of the revisions that come of it.
    pub message: Option<String>,
    /// The revision that the caller knows of the first document's resource.
    pub expected: Option<i64>,
    /// The hash of the plan that the caller saw.
    pub expect_plan: Option<String>,
    /// How many machines' next boots may change.
    pub allow_machines: Option<usize>,
}

/// How often documents are planned anew when machines change at the same moment.
const TRIES: usize = 20;

impl Changes {
    /// Changes what is declared; more machines than `guard` at once only if their number is said.
    pub fn new(
        roster: Roster,
        journal: Journal,
        images: Images,
        (machines, boots): (Machines, Boots),
        (foresight, guard): (NextBoots, usize),
    ) -> Self {
        let (plans, one_at_a_time) = (Remembered::default(), Arc::default());
        Self { roster, journal, images, machines, boots, foresight, guard, plans, one_at_a_time }
    }

    /// What an apply of these documents would do. Nothing is changed, and nothing fetched.
    pub async fn plan(&self, documents: &[Value], options: &Options) -> Result<Plan, ChangeError> {
        let meant = understand(documents).map_err(ChangeError::Mistakes)?;
        let draft = self.draft(&meant, &[], options)?;
        let judged = self.judge(draft).await?;
        self.plans.keep(judged.hash.clone(), judged.facts.clone());
        Ok(judged.shown())
    }

    /// Makes what is declared be as in these documents. All of them, or none.
    pub async fn apply(&self, documents: &[Value], actor: &Actor) -> Result<Vec<AppliedItem>, ChangeError> {
        Ok(self.apply_with(documents, &Options::default(), actor).await?.items)
    }

    /// The same, if the first document's resource is at the revision that the caller knows.
    pub async fn apply_at(
        &self,
        documents: &[Value],
        expected: Option<i64>,
        actor: &Actor,
    ) -> Result<Vec<AppliedItem>, ChangeError> {
        let options = Options { expected, ..Options::default() };
        Ok(self.apply_with(documents, &options, actor).await?.items)
    }

    /// The same, in this way.
    pub async fn apply_with(
        &self,
        documents: &[Value],
        options: &Options,
        actor: &Actor,
    ) -> Result<Applied, ChangeError> {
        let meant = understand(documents).map_err(ChangeError::Mistakes)?;
        let draft = self.draft(&meant, &[], options)?;
        if meant.iter().any(|one| one.spec.kind() == Kind::Image) {
            // What is refused in the end is not fetched first. Fetching takes its time, and harms nobody.
            self.allow(&self.judge(draft).await?, options)?;
            self.take_images(&meant).await.map_err(ChangeError::Mistakes)?;
        }
        self.carry_out(&meant, &[], options, actor).await
    }

    /// Deletes a resource. `expected` is the revision that the caller knows.
    pub async fn delete(
        &self,
        kind: Kind,
        name: &str,
        expected: Option<i64>,
        actor: &Actor,
    ) -> Result<(), ChangeError> {
        self.delete_with(kind, name, &Options { expected, ..Options::default() }, actor).await
    }

    /// The same, in this way.
    pub async fn delete_with(
        &self,
        kind: Kind,
        name: &str,
        options: &Options,
        actor: &Actor,
    ) -> Result<(), ChangeError> {
        let not_found = || ChangeError::NotFound(kind, name.chars().take(80).collect());
        let name: Name = name.parse().map_err(|_| not_found())?;
        self.roster.read(|inventory| current(inventory, kind, &name)).ok_or_else(not_found)?;
        self.carry_out(&[], &[(kind, name)], options, actor).await.map(drop)
    }

    /// Writes these, and deletes those.
    async fn carry_out(
        &self,
        meant: &[Meant],
        gone: &[(Kind, Name)],
        options: &Options,
        actor: &Actor,
    ) -> Result<Applied, ChangeError> {
        let _guard = self.one_at_a_time.lock().await;
        let mut tries = 0..TRIES;
        let judged = loop {
            if let Some(expected) = options.expected {
                let first = meant.first().map(|one| (one.spec.kind(), &one.name));
                if let Some((kind, name)) = first.or_else(|| gone.first().map(|(kind, name)| (*kind, name))) {
                    self.expect(kind, name, expected)?;
                }
            }
            let judged = self.judge(self.draft(meant, gone, options)?).await?;
            self.allow(&judged, options)?;
            let writes = judged.draft.writes(&self.journal, actor, options.message.as_deref());
            match self.journal.commit(writes).await {
                Ok(()) => break judged,
                // A machine went on with its life meanwhile: what is declared of it goes on top of that.
                Err(StoreError::Conflict { .. }) if tries.next().is_some() => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        };
        self.roster.change(|inventory| judged.draft.put(inventory))?;
        judged.draft.gone_machines().for_each(|machine| self.boots.forget(machine));
        self.machines.arm_ready(actor).await?;
        Ok(Applied { plan: Some(judged.hash.clone()), items: judged.draft.items() })
    }

    fn expect(&self, kind: Kind, name: &Name, expected: i64) -> Result<(), ChangeError> {
        let now = self.roster.read(|inventory| current(inventory, kind, name)).map(|(_, revision)| revision);
        let changed = |why: String| Err(ChangeError::Changed(kind, name.clone(), why));
        match now {
            Some(now) if now == expected => Ok(()),
            Some(now) => changed(format!("it is at revision {now}")),
            None => changed("it is not there".into()),
        }
    }

    fn draft(&self, meant: &[Meant], gone: &[(Kind, Name)], options: &Options) -> Result<Draft, ChangeError> {
        let before = self.roster.read(Clone::clone);
        Draft::new(before, meant, gone, options, self.journal.now())
    }

    async fn take_images(&self, meant: &[Meant]) -> Result<(), Vec<Mistake>> {
        let mut all = Vec::new();
        for one in meant {
            if let Spec::Image(spec) = &one.spec
                && let Err(findings) = self.images.take(spec).await
            {
                all.extend(mistakes(one, &findings));
            }
        }
        if all.is_empty() { Ok(()) } else { Err(all) }
    }
}

fn mistakes(one: &Meant, findings: &[check::Finding]) -> Vec<Mistake> {
    let mistake = |finding: &check::Finding| Mistake {
        document: one.document,
        path: finding.path.clone(),
        position: finding.position,
        detail: format!("{} {}: {}", one.spec.kind(), one.name, finding.detail),
    };
    findings.iter().map(mistake).collect()
}

/// A resource, as events and the audit log name it.
fn object(kind: Kind, name: &Name) -> String {
    format!("{}/{name}", kind.name().to_lowercase())
}
