//! Changes of what is declared: foreseen, checked as a whole, written as a whole, or not at all.
mod draft;
mod error;
mod judge;
mod remembered;
mod shown;
mod step;

pub use error::{ChangeError, NeedsAllowed};

use super::{
    access::Access,
    boots::Boots,
    images::Images,
    journal::{Actor, Journal},
    machines::Machines,
    next_boots::NextBoots,
    operations::Progress,
    roster::Roster,
    scopes::permits,
};
use crate::{
    domain::{
        document::{Meant, Spec, understand},
        inventory::check,
        rights::Rights,
    },
    store::StoreError,
};
use draft::{Draft, Wanted};
use judge::Judged;
use pilotlight_types::{
    api::{Applied, AppliedItem, Mistake, Plan, PlannedItem, RenderRequest, Rendered},
    resource::{Kind, Name, Verb},
};
use remembered::Remembered;
use serde_json::Value;
use std::sync::Arc;
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
    /// Who has which role.
    access: Access,
    /// How many machines may be changed at once without anybody saying the number.
    guard: usize,
    plans: Remembered,
    // One change at a time: what is checked is what is written.
    one_at_a_time: Arc<Mutex<()>>,
}

/// What the caller of a change expects to be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Expected {
    /// Whatever it is.
    #[default]
    Anything,
    /// Nothing of that name.
    Absent,
    /// Something of that name.
    Present,
    /// It, at one of these revisions.
    OneOf(Vec<i64>),
}

impl From<Option<i64>> for Expected {
    fn from(revision: Option<i64>) -> Self {
        revision.map_or(Self::Anything, |revision| Self::OneOf(vec![revision]))
    }
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
    /// What the caller expects of the first document's resource.
    pub expected: Expected,
    /// The hash of the plan that the caller saw.
    pub expect_plan: Option<String>,
    /// How many machines' next boots may change.
    pub allow_machines: Option<usize>,
    /// Who looks how far it has come.
    pub progress: Progress,
}

/// How often documents are planned anew when machines change at the same moment.
const TRIES: usize = 20;

impl Changes {
    /// Changes what is declared; more machines than `guard` at once only if their number is said.
    pub fn new(
        roster: Roster,
        journal: Journal,
        images: Images,
        (machines, boots, access): (Machines, Boots, Access),
        (foresight, guard): (NextBoots, usize),
    ) -> Self {
        let (plans, one_at_a_time) = (Remembered::default(), Arc::default());
        Self { roster, journal, images, machines, boots, foresight, access, guard, plans, one_at_a_time }
    }

    /// What an apply of these documents would do. Nothing is changed, and nothing fetched.
    pub async fn plan(
        &self,
        documents: &[Value],
        options: &Options,
        actor: &Actor,
    ) -> Result<Plan, ChangeError> {
        let meant = understand(documents).map_err(ChangeError::Mistakes)?;
        let judged =
            self.foresee(&Wanted { meant: &meant, gone: &[], options, looking: true }, &actor.rights).await?;
        self.plans.keep(judged.hash.clone(), judged.facts.clone());
        Ok(judged.shown())
    }

    /// What a machine would get if these documents were applied, and it were provisioned then. Nothing is changed.
    pub fn render(&self, request: &RenderRequest, actor: &Actor) -> Result<Rendered, ChangeError> {
        let RenderRequest { documents, machine, profile } = request;
        let meant = understand(documents).map_err(ChangeError::Mistakes)?;
        let options = Options::default();
        let wanted = Wanted { meant: &meant, gone: &[], options: &options, looking: true };
        let before = self.roster.read(Clone::clone);
        let draft = Draft::new(before, &wanted, (&actor.rights, &self.access), self.journal.now())?;
        let seen = |kind: Kind, name: &Name| {
            let found = permits(&draft.after, &actor.rights, Verb::Get, (kind, name.as_str()));
            found.unwrap_or(Ok(())).map_err(ChangeError::from)
        };
        seen(Kind::Machine, machine)?;
        if let Some(profile) = profile {
            seen(Kind::Profile, profile)?;
        }
        self.foresight.rendered(&draft.after, machine, profile.as_ref())
    }

    /// Makes what is declared be as in these documents. All of them, or none.
    pub async fn apply(&self, documents: &[Value], actor: &Actor) -> Result<Vec<AppliedItem>, ChangeError> {
        self.apply_at(documents, Expected::Anything, actor).await
    }

    /// The same, if the first document's resource is as the caller expects.
    pub async fn apply_at(
        &self,
        documents: &[Value],
        expected: impl Into<Expected>,
        actor: &Actor,
    ) -> Result<Vec<AppliedItem>, ChangeError> {
        let options = Options { expected: expected.into(), ..Options::default() };
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
        let wanted = Wanted { meant: &meant, gone: &[], options, looking: false };
        if meant.iter().any(|one| one.spec.kind() == Kind::Image) {
            // What is refused in the end is not fetched first. Fetching takes its time, and harms nobody.
            self.allowed(&wanted, &actor.rights).await?;
            let taken = self.take_images(&meant, &options.progress).await;
            options.progress.writes()?;
            taken.map_err(ChangeError::Mistakes)?;
        }
        self.carry_out(&wanted, actor).await
    }

    /// Says what [`Changes::apply_with`] would do now to each, or why it would refuse, and does nothing. Images' files are not fetched.
    pub async fn rehearse(
        &self,
        documents: &[Value],
        options: &Options,
        actor: &Actor,
    ) -> Result<Vec<PlannedItem>, ChangeError> {
        let meant = understand(documents).map_err(ChangeError::Mistakes)?;
        let judged = self
            .allowed(&Wanted { meant: &meant, gone: &[], options, looking: false }, &actor.rights)
            .await?;
        Ok(judged.draft.planned())
    }

    /// Deletes a resource that is as the caller expects.
    pub async fn delete(
        &self,
        kind: Kind,
        name: &str,
        expected: impl Into<Expected>,
        actor: &Actor,
    ) -> Result<(), ChangeError> {
        self.delete_with(kind, name, &Options { expected: expected.into(), ..Options::default() }, actor)
            .await
    }

    /// The same, in this way.
    pub async fn delete_with(
        &self,
        kind: Kind,
        name: &str,
        options: &Options,
        actor: &Actor,
    ) -> Result<(), ChangeError> {
        let gone = [(kind, named(kind, name)?)];
        self.carry_out(&Wanted { meant: &[], gone: &gone, options, looking: false }, actor).await.map(drop)
    }

    /// Says what [`Changes::delete_with`] would do now, or why it would refuse, and does nothing.
    pub async fn rehearse_delete(
        &self,
        kind: Kind,
        name: &str,
        options: &Options,
        actor: &Actor,
    ) -> Result<Vec<PlannedItem>, ChangeError> {
        let gone = [(kind, named(kind, name)?)];
        let judged =
            self.allowed(&Wanted { meant: &[], gone: &gone, options, looking: false }, &actor.rights).await?;
        Ok(judged.draft.planned())
    }

    /// Writes what is wanted.
    async fn carry_out(&self, wanted: &Wanted<'_>, actor: &Actor) -> Result<Applied, ChangeError> {
        let _guard = self.one_at_a_time.lock().await;
        // Nobody is given a role while it goes.
        let _granting = match !wanted.gone.is_empty() || wanted.options.prune {
            true => Some(self.access.granting().await),
            false => None,
        };
        let mut tries = 0..TRIES;
        let judged = loop {
            let judged = self.allowed(wanted, &actor.rights).await?;
            let writes = judged.draft.writes(&self.journal, actor, wanted.options.message.as_deref());
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

    /// What would come of it now, for whoever has these rights.
    async fn foresee(&self, wanted: &Wanted<'_>, rights: &Rights) -> Result<Judged, ChangeError> {
        let before = self.roster.read(Clone::clone);
        self.judge(Draft::new(before, wanted, (rights, &self.access), self.journal.now())?, rights).await
    }

    /// The same, unless it may not be.
    async fn allowed(&self, wanted: &Wanted<'_>, rights: &Rights) -> Result<Judged, ChangeError> {
        let judged = self.foresee(wanted, rights).await?;
        self.allow(&judged, wanted.options, rights)?;
        Ok(judged)
    }

    async fn take_images(&self, meant: &[Meant], progress: &Progress) -> Result<(), Vec<Mistake>> {
        let mut all = Vec::new();
        for one in meant {
            if let Spec::Image(spec) = &one.spec
                && let Err(findings) = self.images.take(spec, progress).await
            {
                all.extend(mistakes(one, &findings));
            }
        }
        if all.is_empty() { Ok(()) } else { Err(all) }
    }
}

/// The name of a resource that is to be there: what is no name, nothing has.
fn named(kind: Kind, name: &str) -> Result<Name, ChangeError> {
    name.parse().map_err(|_| ChangeError::NotFound(kind, name.chars().take(80).collect()))
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
