//! Which profile a machine gets: the most specific group that takes it.
use pilotlight_types::{
    Mac,
    resource::{GroupSpec, Labels, Name},
};
use std::fmt;

/// A group, as the matcher sees it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a Name,
    /// What it takes and gives.
    pub spec: &'a GroupSpec,
}

/// The group that a machine belongs to. More specific wins: one that names a MAC of the machine, then the one with more
/// labels; then the higher priority; then the name that sorts first.
pub fn group_of<'a>(
    labels: &Labels,
    macs: &[Mac],
    groups: impl IntoIterator<Item = Candidate<'a>>,
) -> Option<Candidate<'a>> {
    groups.into_iter().filter(|group| takes(group.spec, labels, macs)).min_by(|a, b| rank(*a).cmp(&rank(*b)))
}

/// What a group has over another one that takes the same machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// It names a MAC, and the other does not.
    Mac,
    /// It asks for more labels: for how many, and for how many the other does.
    Labels(usize, usize),
    /// Its priority is higher: what it is, and the other's.
    Priority(i32, i32),
    /// Nothing but that its name sorts first.
    Name,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac => f.write_str("it names a MAC of the machine"),
            Self::Labels(own, other) => write!(f, "it asks for more labels ({own} to {other})"),
            Self::Priority(own, other) => write!(f, "its priority is higher ({own} to {other})"),
            Self::Name => f.write_str("both say equally much, and its name sorts first"),
        }
    }
}

/// What the group that wins has over another one that takes the machine.
pub fn over(winner: Candidate<'_>, other: Candidate<'_>) -> Over {
    let (own, others) = (&winner.spec.matches, &other.spec.matches);
    if own.macs.is_empty() != others.macs.is_empty() {
        Over::Mac
    } else if own.labels.len() != others.labels.len() {
        Over::Labels(own.labels.len(), others.labels.len())
    } else if winner.spec.priority != other.spec.priority {
        Over::Priority(winner.spec.priority, other.spec.priority)
    } else {
        Over::Name
    }
}

/// Whether a group takes a machine with these labels and MACs.
pub fn takes(group: &GroupSpec, labels: &Labels, macs: &[Mac]) -> bool {
    let by_mac = group.matches.macs.is_empty() || macs.iter().any(|mac| group.matches.macs.contains(mac));
    by_mac && labels.contain(&group.matches.labels)
}

/// The order of groups that take the same machine: the first one counts.
pub fn rank<'a>(group: Candidate<'a>) -> impl Ord + use<'a> {
    use std::cmp::Reverse;
    let matches = &group.spec.matches;
    (
        Reverse(!matches.macs.is_empty()),
        Reverse(matches.labels.len()),
        Reverse(group.spec.priority),
        group.name,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn group(spec: serde_json::Value) -> GroupSpec {
        serde_json::from_value(spec).unwrap()
    }

    fn chosen(groups: &[(&str, GroupSpec)], labels: &serde_json::Value) -> Option<String> {
        let groups: Vec<(Name, &GroupSpec)> =
            groups.iter().map(|(n, spec)| (n.parse().unwrap(), spec)).collect();
        let labels: Labels = serde_json::from_value(labels.clone()).unwrap();
        let macs = ["52:54:00:00:00:01".parse().unwrap()];
        group_of(&labels, &macs, groups.iter().map(|(name, spec)| Candidate { name, spec }))
            .map(|g| g.name.to_string())
    }

    #[test]
    fn the_most_specific_group_wins_then_priority_then_name() {
        let all = [
            ("everything", group(json!({"profile": "p"}))),
            ("workers", group(json!({"match": {"labels": {"role": "worker"}}, "profile": "p"}))),
            (
                "workers-r1",
                group(json!({"match": {"labels": {"role": "worker", "rack": "r1"}}, "profile": "p"})),
            ),
            (
                "others-r1",
                group(
                    json!({"match": {"labels": {"role": "other", "rack": "r1"}}, "profile": "p", "priority": 9}),
                ),
            ),
            (
                "this-one",
                group(
                    json!({"match": {"macs": ["52:54:00:00:00:01"], "labels": {"role": "storage"}}, "profile": "p"}),
                ),
            ),
            ("b", group(json!({"match": {"labels": {"role": "x"}}, "profile": "p"}))),
            ("a", group(json!({"match": {"labels": {"role": "x"}}, "profile": "p"}))),
            ("c", group(json!({"match": {"labels": {"role": "y"}}, "profile": "p"}))),
            ("d", group(json!({"match": {"labels": {"role": "y"}}, "profile": "p", "priority": 1}))),
        ];
        for (labels, expected) in [
            (json!({}), "everything"),
            (json!({"role": "worker"}), "workers"),
            (json!({"role": "worker", "rack": "r1"}), "workers-r1"),
            (json!({"role": "storage"}), "this-one"),
            (json!({"role": "x"}), "a"),
            (json!({"role": "y"}), "d"),
        ] {
            assert_eq!(chosen(&all, &labels).as_deref(), Some(expected), "{labels}");
            let reversed: Vec<_> = all.iter().rev().cloned().collect();
            assert_eq!(
                chosen(&reversed, &labels).as_deref(),
                Some(expected),
                "order must not matter: {labels}"
            );
        }
        assert_eq!(chosen(&all[1..3], &json!({})), None);
    }

    #[test]
    fn the_winner_says_what_it_has_over_another() {
        let spec = |spec| group(spec);
        let by_mac = spec(json!({"match": {"macs": ["52:54:00:00:00:01"]}, "profile": "p"}));
        let two = spec(json!({"match": {"labels": {"a": "1", "b": "2"}}, "profile": "p"}));
        let one = spec(json!({"match": {"labels": {"a": "1"}}, "profile": "p"}));
        let high = spec(json!({"match": {"labels": {"b": "2"}}, "profile": "p", "priority": 5}));
        let (first, second): (Name, Name) = ("first".parse().unwrap(), "second".parse().unwrap());
        for (winner, other, expected) in [
            (&by_mac, &two, Over::Mac),
            (&two, &high, Over::Labels(2, 1)),
            (&high, &one, Over::Priority(5, 0)),
            (&one, &one, Over::Name),
        ] {
            let [winner, other] =
                [(&first, winner), (&second, other)].map(|(name, spec)| Candidate { name, spec });
            assert!(rank(winner) < rank(other));
            assert_eq!(over(winner, other), expected);
        }
    }
}
