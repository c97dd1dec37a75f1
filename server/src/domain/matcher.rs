//! Which profile a machine gets: the most specific group that takes it.
use pilotlight_types::{
    Mac,
    resource::{GroupSpec, Labels, Name},
};

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

fn takes(group: &GroupSpec, labels: &Labels, macs: &[Mac]) -> bool {
    let by_mac = group.matches.macs.is_empty() || macs.iter().any(|mac| group.matches.macs.contains(mac));
    by_mac && labels.contain(&group.matches.labels)
}

fn rank<'a>(group: Candidate<'a>) -> impl Ord + use<'a> {
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
}
