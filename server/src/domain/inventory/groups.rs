//! The groups, found by what they ask of a machine: with hundreds of them, nobody looks at each for each packet.
use super::{ByName, Declared};
use crate::domain::matcher::{Candidate, group_of, rank, takes};
use pilotlight_types::{
    Mac,
    resource::{GroupSpec, Labels, Name},
};
use std::{
    collections::{BTreeSet, HashMap},
    ops::Deref,
};

/// All groups, by name.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    by_name: ByName<GroupSpec>,
    by_need: HashMap<Need, BTreeSet<Name>>,
}

/// One thing that a group's machines have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Need {
    Mac(Mac),
    /// Key and value.
    Label(String, String),
    Nothing,
}

/// What a group's machines have: one of these.
fn needs(group: &GroupSpec) -> Vec<Need> {
    if !group.matches.macs.is_empty() {
        return group.matches.macs.iter().copied().map(Need::Mac).collect();
    }
    let label = group.matches.labels.iter().next();
    vec![label.map_or(Need::Nothing, |(key, value)| Need::Label(key.to_owned(), value.to_owned()))]
}

impl Groups {
    /// Puts a group in, in place of the one that had its name.
    pub fn insert(&mut self, name: Name, group: Declared<GroupSpec>) {
        self.remove(&name);
        for need in needs(&group.spec) {
            self.by_need.entry(need).or_default().insert(name.clone());
        }
        self.by_name.insert(name, group);
    }

    /// Takes a group out.
    pub fn remove(&mut self, name: &Name) {
        let Some(group) = self.by_name.remove(name) else { return };
        for need in needs(&group.spec) {
            if let Some(names) = self.by_need.get_mut(&need) {
                names.remove(name);
                if names.is_empty() {
                    self.by_need.remove(&need);
                }
            }
        }
    }

    /// The group that a machine with these labels and MACs belongs to.
    pub fn of(&self, labels: &Labels, macs: &[Mac]) -> Option<Candidate<'_>> {
        group_of(labels, macs, self.candidates(labels, macs))
    }

    /// Every group that takes such a machine, the one that it belongs to first.
    pub fn all_of(&self, labels: &Labels, macs: &[Mac]) -> Vec<Candidate<'_>> {
        let taken = self.candidates(labels, macs).filter(|group| takes(group.spec, labels, macs));
        let mut all: Vec<_> = taken.collect();
        all.sort_by(|a, b| rank(*a).cmp(&rank(*b)));
        // One that names several MACs of the machine is found by each.
        all.dedup_by(|a, b| a.name == b.name);
        all
    }

    /// The groups that may take such a machine.
    fn candidates(&self, labels: &Labels, macs: &[Mac]) -> impl Iterator<Item = Candidate<'_>> {
        let has = labels.iter().map(|(key, value)| Need::Label(key.to_owned(), value.to_owned()));
        let has = has.chain(macs.iter().copied().map(Need::Mac)).chain([Need::Nothing]);
        let has: Vec<Need> = has.collect();
        let names = has.into_iter().filter_map(|need| self.by_need.get(&need)).flatten();
        let groups = names.filter_map(|name| self.by_name.get_key_value(name));
        groups.map(|(name, group)| Candidate { name, spec: &group.spec })
    }
}

impl Deref for Groups {
    type Target = ByName<GroupSpec>;

    fn deref(&self) -> &Self::Target {
        &self.by_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotlight_types::Timestamp;
    use proptest::prelude::*;
    use serde_json::json;
    use std::sync::Arc;

    fn labels() -> impl Strategy<Value = Labels> {
        let some = proptest::collection::btree_map("[ab]", "[xy]", 0..3);
        some.prop_map(|labels| serde_json::from_value(json!(labels)).unwrap())
    }

    fn macs() -> impl Strategy<Value = Vec<Mac>> {
        proptest::collection::vec((0_u8..4).prop_map(|last| Mac::new([2, 0, 0, 0, 0, last])), 0..3)
    }

    fn group() -> impl Strategy<Value = Declared<GroupSpec>> {
        (labels(), macs(), -1_i32..2).prop_map(|(labels, macs, priority)| {
            let spec =
                json!({"match": {"labels": labels, "macs": macs}, "profile": "p", "priority": priority});
            let spec = Arc::new(serde_json::from_value(spec).unwrap());
            Declared { labels: Labels::default(), spec, revision: 1, updated: Timestamp::default() }
        })
    }

    proptest! {
        #[test]
        fn the_group_that_is_found_is_the_one_that_a_look_at_all_of_them_finds(
            changes in proptest::collection::vec(("[a-h]", proptest::option::of(group())), 0..20),
            labels in labels(),
            macs in macs(),
        ) {
            let mut groups = Groups::default();
            for (name, group) in changes {
                let name: Name = name.parse().unwrap();
                match group {
                    Some(group) => groups.insert(name, group),
                    None => groups.remove(&name),
                }
            }
            let all = groups.iter().map(|(name, group)| Candidate { name, spec: &group.spec });
            let expected = group_of(&labels, &macs, all).map(|group| group.name);
            prop_assert_eq!(groups.of(&labels, &macs).map(|group| group.name), expected);
            let order = groups.all_of(&labels, &macs);
            prop_assert_eq!(order.first().map(|group| group.name), expected, "who wins is the first of all");
            let taken = groups.iter().filter(|(_, group)| takes(&group.spec, &labels, &macs)).count();
            prop_assert_eq!(order.len(), taken, "each that takes it is there once");
        }
    }
}
