//! What documents would change, all together: the inventory as it is, and as it would be.
use super::{
    ChangeError, Expected, Options, mistakes, object,
    step::{Step, content, current, step},
};
use crate::{
    domain::{
        document::{Meant, Spec},
        inventory::{
            Inventory,
            check::{self, Findings},
        },
        machine::Machine,
        rights::{Rights, rules},
        scope::Scope,
        stage::Stage,
    },
    service::{
        access::Access,
        journal::{Actor, Journal},
        scopes::permits,
    },
    store::{StoreError, Write},
};
use pilotlight_types::{
    MachineId, Timestamp,
    api::{AppliedItem, Change, Mistake, PlannedItem},
    resource::{Kind, Name, RuleKind, Verb},
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// What is declared.
    pub(super) meant: &'a [Meant],
    /// What is deleted by name.
    pub(super) gone: &'a [(Kind, Name)],
    /// How.
    pub(super) options: &'a Options,
    /// Whether it is only looked at what would come of it: who may see both sides may do that.
    pub(super) looking: bool,
}

/// What documents would change.
pub(super) struct Draft {
    /// The inventory as it is.
    pub(super) before: Inventory,
    /// The inventory as it would be, with nothing armed yet.
    pub(super) after: Inventory,
    /// One for each document, with what is odd about it.
    pub(super) steps: Vec<(Step, Vec<String>)>,
    /// What is deleted: what stands on others before those.
    pub(super) gone: Vec<Gone>,
    /// Whether that was not asked for by name.
    pub(super) pruned: bool,
    /// Resources that are from a set of files, and were from none or another.
    moved: Vec<(Kind, Name, Name)>,
}

/// A resource that is deleted.
pub(super) struct Gone {
    /// Its kind.
    pub(super) kind: Kind,
    /// Its name.
    pub(super) name: Name,
    /// What was declared of it.
    pub(super) content: Value,
    /// Its revision.
    pub(super) revision: i64,
    /// The machine, if it is one.
    pub(super) machine: Option<Arc<Machine>>,
}

impl Gone {
    /// What it runs, if it is a machine that runs something.
    pub(super) fn runs(&self) -> Option<String> {
        let machine = self.machine.as_ref()?;
        let runs = machine.running.as_ref()?;
        Some(format!("{} is {} and runs {runs}", self.name, machine.stage.name()))
    }
}

impl Draft {
    /// What changes by what is wanted, or everything that is wrong with it, for whoever has these rights.
    pub(super) fn new(
        before: Inventory,
        wanted: &Wanted<'_>,
        (rights, access): (&Rights, &Access),
        now: Timestamp,
    ) -> Result<Self, ChangeError> {
        let Wanted { meant, options, .. } = *wanted;
        let gone = wanted.gone(&before)?;
        wanted.permitted(&before, &gone, rights)?;
        let gone: Vec<Gone> = gone
            .into_iter()
            .rev()
            .map(|(kind, name)| found(&before, kind, name))
            .collect::<Result<_, _>>()?;
        let used = gone.iter().filter(|gone| gone.kind == Kind::Role);
        let mut used = used.filter_map(|gone| Some((&gone.name, access.user_of(&gone.name.clone().into())?)));
        if let Some((name, why)) = used.next() {
            return Err(ChangeError::Needed(Kind::Role, name.clone(), why));
        }
        wanted.expected(&before)?;
        let mut after = before.clone();
        let mut steps = Vec::with_capacity(meant.len());
        for one in meant {
            let step = step(&after, one, now)?;
            wanted.takes_over(&before, one, &step, rights)?;
            step.put(&mut after)?;
            steps.push(step);
        }
        for one in &gone {
            one.take_out(&mut after);
        }
        for Gone { kind, name, .. } in &gone {
            if let Some(why) = check::needed_by(&after, *kind, name) {
                return Err(ChangeError::Needed(*kind, name.clone(), why));
            }
        }
        let found: Vec<Findings> = check::check(&after, meant.iter().map(|one| (one.spec.kind(), &one.name)));
        let mistakes: Vec<Mistake> =
            meant.iter().zip(&found).flat_map(|(one, found)| mistakes(one, &found.errors)).collect();
        if !mistakes.is_empty() {
            return Err(ChangeError::Mistakes(mistakes));
        }
        let mut draft = Self {
            moved: moved(&before, meant, options.source.as_ref()),
            steps: steps.into_iter().zip(found.into_iter().map(|found| found.warnings)).collect(),
            before,
            after,
            gone,
            pruned: options.prune,
        };
        draft.tell_of_moves();
        Ok(draft)
    }

    /// Whether nothing that is declared would change.
    pub(super) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.steps.iter().all(|(step, _)| step.change == Change::Unchanged)
    }

    /// What is different afterwards.
    pub(super) fn changed(&self) -> impl Iterator<Item = (Kind, &Name)> {
        let steps = self.steps.iter().filter(|(step, _)| step.change != Change::Unchanged);
        // A machine that was seen under another name is that one no more.
        let former = steps.clone().filter_map(|(step, _)| Some((step.kind, step.adopted.as_ref()?)));
        let gone = self.gone.iter().map(|gone| (gone.kind, &gone.name));
        steps.map(|(step, _)| (step.kind, &step.name)).chain(former).chain(gone)
    }

    /// The machines that are deleted.
    pub(super) fn gone_machines(&self) -> impl Iterator<Item = MachineId> {
        self.gone.iter().filter_map(|gone| gone.machine.as_ref()).map(|machine| machine.id)
    }

    /// Everything that is to be written, with its events and audit rows.
    pub(super) fn writes(&self, journal: &Journal, actor: &Actor, message: Option<&str>) -> Vec<Write> {
        let steps = self.steps.iter().flat_map(|(step, _)| step.writes(journal, actor, message));
        let gone = self.gone.iter().flat_map(|gone| gone.writes(journal, actor));
        let moved =
            self.moved.iter().map(|(kind, name, source)| Write::Source(*kind, name.clone(), source.clone()));
        // What goes makes room: a MAC, a name.
        gone.chain(steps).chain(moved).collect()
    }

    /// Puts it into the roster, once it is durable.
    pub(super) fn put(&self, inventory: &mut Inventory) -> Result<(), StoreError> {
        self.gone.iter().for_each(|gone| gone.take_out(inventory));
        for (kind, name, source) in &self.moved {
            inventory.sources.insert((*kind, name.clone()), source.clone());
        }
        self.steps.iter().try_for_each(|(step, _)| step.put(inventory))
    }

    /// What became of each.
    pub(super) fn items(&self) -> Vec<AppliedItem> {
        let item = |kind: Kind, name: &Name, change: Change, warnings: &[String]| AppliedItem {
            kind,
            name: name.to_string(),
            change,
            warnings: warnings.to_vec(),
        };
        let steps =
            self.steps.iter().map(|(step, warnings)| item(step.kind, &step.name, step.change, warnings));
        steps.chain(self.gone.iter().map(|gone| item(gone.kind, &gone.name, Change::Deleted, &[]))).collect()
    }

    /// What would become of each.
    pub(super) fn planned(self) -> Vec<PlannedItem> {
        let gone = self.gone.into_iter().map(|gone| PlannedItem {
            kind: gone.kind,
            name: gone.name.to_string(),
            change: Change::Deleted,
            before: Some(gone.content),
            after: None,
            warnings: Vec::new(),
        });
        self.steps.into_iter().map(|(step, warnings)| step.planned(warnings)).chain(gone).collect()
    }

    /// Two sets of files that have the same resource in them would go on taking it from each other.
    fn tell_of_moves(&mut self) {
        for (kind, name, source) in &self.moved {
            let was = self.before.sources.get(&(*kind, name.clone()));
            let step = self.steps.iter_mut().find(|(step, _)| step.kind == *kind && step.name == *name);
            if let (Some(was), Some((_, warnings))) = (was, step) {
                warnings
                    .push(format!("it was applied from the source {was} before, and is from {source} now"));
            }
        }
    }
}

impl Wanted<'_> {
    /// What is to be deleted: what is asked for by name, and what is not in its set of files any more.
    fn gone(&self, before: &Inventory) -> Result<BTreeSet<(Kind, Name)>, ChangeError> {
        let mut gone: BTreeSet<(Kind, Name)> = self.gone.iter().cloned().collect();
        if self.options.prune {
            let source = self.options.source.as_ref().ok_or(ChangeError::NoSource)?;
            let kept: BTreeSet<(Kind, &Name)> =
                self.meant.iter().map(|one| (one.spec.kind(), &one.name)).collect();
            let of_source =
                before.sources.iter().filter(|(_, of)| *of == source).map(|(resource, _)| resource);
            let left = of_source.filter(|(kind, name)| !kept.contains(&(*kind, name)));
            // What is gone already is not missed.
            gone.extend(left.filter(|(kind, name)| current(before, *kind, name).is_some()).cloned());
        }
        Ok(gone)
    }

    fn verb(&self, verb: Verb) -> Verb {
        if self.looking { Verb::Get } else { verb }
    }

    /// Fails unless each resource may be written, both as it is and as it would be: nobody takes it in by a label, or puts it out.
    fn permitted(
        &self,
        before: &Inventory,
        gone: &BTreeSet<(Kind, Name)>,
        rights: &Rights,
    ) -> Result<(), ChangeError> {
        let (write, delete) = (self.verb(Verb::Write), self.verb(Verb::Delete));
        let as_it_is = |verb: Verb, kind: Kind, name: &Name| {
            permits(before, rights, verb, (kind, name.as_str()))
                .unwrap_or_else(|| rights.permits_some(verb, RuleKind::Resource(kind)))
        };
        self.meant.iter().try_for_each(|one| {
            let (kind, name) = (one.spec.kind(), one.name.as_str());
            let same = self.is_as_it_is(before, one);
            // Whoever applies a folder may have in it what they may only see, as long as it stays as it is.
            let write = if same { Verb::Get } else { write };
            as_it_is(write, kind, &one.name)?;
            let rack = match &one.spec {
                Spec::Machine(spec) => spec.rack.clone(),
                _ => None,
            };
            let field = |key: &str| rack.clone().filter(|_| key == "rack");
            rights.permits(write, (kind, name), &one.labels, field)?;
            if same { Ok(()) } else { self.gives(one, rights) }
        })?;
        gone.iter().try_for_each(|(kind, name)| Ok(as_it_is(delete, *kind, name)?))
    }

    /// Whether a document says what is there already, from the set of files that it is from.
    fn is_as_it_is(&self, before: &Inventory, one: &Meant) -> bool {
        let kind = one.spec.kind();
        let source = self.options.source.as_ref();
        let from = source.is_none_or(|source| before.sources.get(&(kind, one.name.clone())) == Some(source));
        let now = current(before, kind, &one.name);
        from && now.is_some_and(|(now, _)| now == content(&one.labels, &one.spec.json()))
    }

    /// Fails if it is a role that allows more than whoever writes it may do.
    fn gives(&self, one: &Meant, rights: &Rights) -> Result<(), ChangeError> {
        let (Spec::Role(spec), false) = (&one.spec, self.looking) else { return Ok(()) };
        // What cannot be understood is found when it is checked.
        let Ok(rules) = rules(spec) else { return Ok(()) };
        Ok(rights.may_give(&one.name.clone().into(), &rules, &Scope::default())?)
    }

    /// Fails if a machine would be declared that is another one, which the caller may not write: by its MAC, UUID or serial number it
    /// would be taken over, whatever labels it is given. To declare one that was only seen is to accept it.
    fn takes_over(
        &self,
        before: &Inventory,
        one: &Meant,
        step: &Step,
        rights: &Rights,
    ) -> Result<(), ChangeError> {
        let Spec::Machine(spec) = &one.spec else { return Ok(()) };
        let refused = |machine: &Arc<Machine>, verb: Verb| {
            let other = permits(before, rights, verb, (Kind::Machine, machine.name.as_str()));
            let why = Box::new(other.and_then(Result::err)?);
            let stage = machine.stage.name();
            Some(ChangeError::NotYours { name: one.name.clone(), other: machine.name.clone(), stage, why })
        };
        let others = before.kin(spec).filter(|machine| machine.name != one.name);
        if let Some(error) = others.into_iter().find_map(|machine| refused(machine, self.verb(Verb::Write))) {
            return Err(error);
        }
        let seen = step.adopted.as_ref().unwrap_or(&one.name);
        let seen = before.machine_named(seen.as_str()).filter(|machine| machine.stage == Stage::Discovered);
        seen.and_then(|machine| refused(machine, self.verb(Verb::Accept))).map_or(Ok(()), Err)
    }

    /// Fails unless the first resource is as the caller expects.
    fn expected(&self, before: &Inventory) -> Result<(), ChangeError> {
        let first = self.meant.first().map(|one| (one.spec.kind(), &one.name));
        let first = first.or_else(|| self.gone.first().map(|(kind, name)| (*kind, name)));
        let Some((kind, name)) = first else { return Ok(()) };
        let now = current(before, kind, name).map(|(_, revision)| revision);
        let good = match (&self.options.expected, now) {
            (Expected::Anything, _) | (Expected::Absent, None) | (Expected::Present, Some(_)) => true,
            (Expected::OneOf(revisions), Some(now)) => revisions.contains(&now),
            (Expected::Absent, Some(_)) | (Expected::Present | Expected::OneOf(_), None) => false,
        };
        let is = now.map_or_else(|| "it is not there".to_owned(), |now| format!("it is at revision {now}"));
        if good { Ok(()) } else { Err(ChangeError::Changed(kind, name.clone(), is)) }
    }
}

impl Gone {
    fn take_out(&self, inventory: &mut Inventory) {
        let Self { kind, name, machine, .. } = self;
        inventory.sources.remove(&(*kind, name.clone()));
        match (kind, machine) {
            (_, Some(machine)) => inventory.remove(machine.id),
            (Kind::Role, _) => drop(inventory.roles.remove(name)),
            (Kind::Firmware, _) => drop(inventory.firmware.remove(name)),
            (Kind::Subnet, _) => drop(inventory.subnets.remove(name)),
            (Kind::Image, _) => drop(inventory.images.remove(name)),
            (Kind::Profile, _) => drop(inventory.profiles.remove(name)),
            (Kind::Group, _) => inventory.groups.remove(name),
            (Kind::HardwareClass, _) => drop(inventory.classes.remove(name)),
            (Kind::ExpectedMachine, _) => inventory.expected.remove(name),
            (Kind::AcceptRule, _) => drop(inventory.accept_rules.remove(name)),
            (Kind::Webhook, _) => drop(inventory.webhooks.remove(name)),
            (Kind::Machine, None) => {}
        }
    }

    fn writes(&self, journal: &Journal, actor: &Actor) -> [Write; 4] {
        let Self { kind, name, content, machine, .. } = self;
        let object = object(*kind, name);
        let told =
            journal.event("resource.deleted", &object, actor, None, format!("{kind} {name} was deleted"));
        let delete = match machine {
            Some(machine) => Write::NoMachine(machine.id),
            None => Write::NoResource(*kind, name.clone()),
        };
        let audit = journal.audit(actor, "deleted", object, Some(content.clone()), None);
        [delete, Write::NoSource(*kind, name.clone()), audit, told]
    }
}

fn found(inventory: &Inventory, kind: Kind, name: Name) -> Result<Gone, ChangeError> {
    // What is built in is there, and nobody declared it.
    let built_in = || check::needed_by(inventory, kind, &name).filter(|_| kind == Kind::Role);
    if let (None, Some(why)) = (current(inventory, kind, &name), built_in()) {
        return Err(ChangeError::Needed(kind, name, why));
    }
    let (content, revision) =
        current(inventory, kind, &name).ok_or_else(|| ChangeError::NotFound(kind, name.to_string()))?;
    let machine = inventory.machine_named(name.as_str()).filter(|_| kind == Kind::Machine).cloned();
    Ok(Gone { kind, name, content, revision, machine })
}

/// What is from another set of files than it was.
fn moved(inventory: &Inventory, meant: &[Meant], source: Option<&Name>) -> Vec<(Kind, Name, Name)> {
    let Some(source) = source else { return Vec::new() };
    let resources = meant.iter().map(|one| (one.spec.kind(), one.name.clone()));
    let moved = resources.filter(|resource| inventory.sources.get(resource) != Some(source));
    moved.map(|(kind, name)| (kind, name, source.clone())).collect()
}
