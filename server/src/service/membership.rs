//! Which groups take a machine, which of them counts, and why.
use super::{roster::Roster, scopes::permits};
use crate::domain::{
    inventory::Inventory,
    matcher::{Candidate, over, takes},
    rights::Rights,
};
use pilotlight_types::{
    Mac,
    api::{GroupMachine, MachineGroup},
    resource::{Kind, Name, Verb},
};

/// Looks who wins for whom.
#[derive(Debug, Clone)]
pub struct Membership {
    roster: Roster,
}

impl Membership {
    /// Looks there.
    pub const fn new(roster: Roster) -> Self {
        Self { roster }
    }

    /// Every group that takes a machine, the one that counts first; none, if there is no such machine. Those that may not be seen are
    /// left out, but for the one that counts: it is part of what the machine gets.
    pub fn of_machine(&self, machine: &str, rights: &Rights) -> Option<Vec<MachineGroup>> {
        self.roster.read(|inventory| {
            let machine = inventory.machine_named(machine)?;
            let all = inventory.groups_of(machine);
            let Some(winner) = all.first().copied() else { return Some(Vec::new()) };
            let shown = |(place, group): (usize, &Candidate<'_>)| {
                (place == 0 || seen(inventory, rights, Kind::Group, group.name)).then(|| MachineGroup {
                    group: group.name.to_string(),
                    profile: group.spec.profile.to_string(),
                    priority: group.spec.priority,
                    wins: place == 0,
                    because: match place {
                        0 => wins(all.get(1).copied(), winner, |name| {
                            seen(inventory, rights, Kind::Group, name)
                        }),
                        _ => loses(winner, *group),
                    },
                })
            };
            Some(all.iter().enumerate().filter_map(shown).collect())
        })
    }

    /// The machines behind a name that a group takes and that may be seen, by name, and who wins for each; none, if there is no such
    /// group.
    pub fn of_group(
        &self,
        group: &str,
        rights: &Rights,
        after: Option<&Name>,
        limit: usize,
    ) -> Option<Vec<GroupMachine>> {
        let name: Name = group.parse().ok()?;
        self.roster.read(|inventory| {
            let spec = &inventory.groups.get(&name)?.spec;
            let own = Candidate { name: &name, spec };
            let taken = inventory.machines_after(after).filter(|machine| {
                let macs: Vec<Mac> = machine.macs().collect();
                takes(spec, &machine.labels, &macs) && seen(inventory, rights, Kind::Machine, &machine.name)
            });
            let told = taken.take(limit).filter_map(|machine| {
                let all = inventory.groups_of(machine);
                let winner = all.first().copied()?;
                let is_own = *winner.name == name;
                Some(GroupMachine {
                    machine: machine.name.to_string(),
                    wins: is_own,
                    winner: winner.name.to_string(),
                    because: if is_own {
                        wins(all.get(1).copied(), winner, |name| seen(inventory, rights, Kind::Group, name))
                    } else {
                        loses(winner, own)
                    },
                })
            });
            Some(told.collect())
        })
    }
}

fn seen(inventory: &Inventory, rights: &Rights, kind: Kind, name: &Name) -> bool {
    permits(inventory, rights, Verb::Get, (kind, name.as_str())).is_some_and(|seen| seen.is_ok())
}

/// Why a group counts: what it has over the next one.
fn wins(next: Option<Candidate<'_>>, winner: Candidate<'_>, seen: impl Fn(&Name) -> bool) -> String {
    match next {
        None => "no other group takes the machine".to_owned(),
        Some(next) if seen(next.name) => format!("over {}: {}", next.name, over(winner, next)),
        Some(next) => format!("over another group: {}", over(winner, next)),
    }
}

/// Why a group does not count: what the winner has over it.
fn loses(winner: Candidate<'_>, group: Candidate<'_>) -> String {
    format!("{} wins: {}", winner.name, over(winner, group))
}
