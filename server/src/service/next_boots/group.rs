//! Machines with the same difference are told of once.
use crate::domain::next_boot::{NextBoot, Own, Shown};
use pilotlight_types::api::{BootChange, BootPart};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, btree_map::Entry};

/// The most lines of differences in all: what is beyond is counted, and its machines are named.
const MOST_LINES: usize = 20_000;

/// Differences, each with its machines.
#[derive(Debug, Default)]
pub(super) struct Groups {
    of: BTreeMap<String, BootChange>,
    /// Each machine, and a hash of its very own difference.
    facts: Vec<(String, String)>,
    shown: Shown,
}

impl Groups {
    /// One more machine. One that is not shown has a fact and no difference to read.
    pub(super) fn add(&mut self, own: &Own, (before, after): (&NextBoot, &NextBoot), shown: bool) {
        let parts = before.parts(after, &mut self.shown);
        let text = text(&parts);
        let hash = hex::encode(Sha256::digest(&text));
        self.facts.push((own.name.clone(), hash.get(..16).unwrap_or_default().to_owned()));
        if !shown {
            return;
        }
        let (before, after) = (before.answer.clone(), after.answer.clone());
        let one = BootChange { machines: vec![own.name.clone()], before, after, parts };
        self.put(own.taken_out(&text), one);
    }

    /// All of others.
    pub(super) fn absorb(&mut self, others: Self) {
        self.facts.extend(others.facts);
        for (key, group) in others.of {
            self.put(key, group);
        }
    }

    fn put(&mut self, key: String, mut new: BootChange) {
        match self.of.entry(key) {
            Entry::Vacant(place) => drop(place.insert(new)),
            Entry::Occupied(mut place) => {
                let group = place.get_mut();
                // What is shown is that of the first by name, which stands first.
                if new.machines.first() < group.machines.first() {
                    std::mem::swap(group, &mut new);
                }
                group.machines.append(&mut new.machines);
            }
        }
    }

    /// One line for each machine.
    pub(super) fn facts(&self, what: &str) -> impl Iterator<Item = String> {
        self.facts.iter().map(move |(name, hash)| format!("machine {name}: {what} ({hash})"))
    }

    /// The groups, those of most machines first.
    pub(super) fn shown(self) -> Vec<BootChange> {
        let mut all: Vec<BootChange> = self.of.into_values().collect();
        for group in &mut all {
            group.machines.sort();
        }
        all.sort_by(|one, other| {
            other.machines.len().cmp(&one.machines.len()).then_with(|| one.machines.cmp(&other.machines))
        });
        let mut left = MOST_LINES;
        for part in all.iter_mut().flat_map(|group| &mut group.parts) {
            if part.diff.len() > left {
                part.diff = vec![format!("@@ {} lines, too many to show here @@", part.diff.len())];
            }
            left = left.saturating_sub(part.diff.len());
        }
        all
    }
}

fn text(parts: &[BootPart]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(&part.part);
        for line in &part.diff {
            text.push('\n');
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}
