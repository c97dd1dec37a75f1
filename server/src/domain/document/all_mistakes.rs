//! A value as its type, or all that is wrong with it: a reader stops at the first mistake, so that is taken out and the rest read again.
use pilotlight_types::api::Mistake;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use std::fmt::Write;

/// How many mistakes are told of one document.
pub const MOST: usize = 50;

/// A step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// Reads the value, which is at `prefix` in that document.
pub fn typed<T: DeserializeOwned>(document: usize, prefix: &str, value: &Value) -> Result<T, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut taken_out: Vec<Vec<Step>> = Vec::new();
    let mut rest = None;
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(rest.as_ref().unwrap_or(value)) {
            Ok(typed) if mistakes.is_empty() => return Ok(typed),
            Ok(_) => return Err(mistakes),
            Err(error) => error,
        };
        let rest = rest.get_or_insert_with(|| value.clone());
        let place = steps(error.path(), rest);
        let was_at = as_sent(&place, &taken_out);
        let path = shown(prefix, &was_at);
        let detail = error.into_inner().to_string();
        if !is_ours(&detail, &was_at, &taken_out) {
            mistakes.push(Mistake { document, path, position: None, detail });
        }
        if place.is_empty() || mistakes.len() >= MOST || !take_out(rest, &place) {
            return Err(mistakes);
        }
        taken_out.push(was_at);
    }
}

/// The steps of a path that lead to something; where the reader looked at more than one form of a value, it may not know further.
fn steps(path: &Path, value: &Value) -> Vec<Step> {
    let (mut steps, mut at) = (Vec::new(), value);
    for segment in path {
        let (step, next) = match segment {
            Segment::Seq { index } => (Step::Index(*index), at.get(index)),
            Segment::Map { key } | Segment::Enum { variant: key } => (Step::Key(key.clone()), at.get(key)),
            Segment::Unknown => break,
        };
        let Some(next) = next else { break };
        steps.push(step);
        at = next;
    }
    steps
}

/// The same place in what was sent: items move up where one before them was taken out.
fn as_sent(place: &[Step], taken_out: &[Vec<Step>]) -> Vec<Step> {
    let mut sent: Vec<Step> = Vec::new();
    for step in place {
        let step = match step {
            Step::Key(_) => step.clone(),
            Step::Index(index) => {
                let mut gone: Vec<usize> = taken_out.iter().filter_map(|one| item_of(one, &sent)).collect();
                gone.sort_unstable();
                Step::Index(gone.into_iter().fold(*index, |index, gone| index + usize::from(gone <= index)))
            }
        };
        sent.push(step);
    }
    sent
}

/// Which item of that list this is.
fn item_of(place: &[Step], list: &[Step]) -> Option<usize> {
    match place.split_last() {
        Some((Step::Index(index), of)) if of == list => Some(*index),
        _ => None,
    }
}

/// Whether that is missing which we took out ourselves.
fn is_ours(detail: &str, place: &[Step], taken_out: &[Vec<Step>]) -> bool {
    let missing = detail.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    missing.is_some_and(|name| {
        let step = Step::Key(name.to_owned());
        taken_out.iter().any(|one| one.split_last() == Some((&step, place)))
    })
}

fn shown(prefix: &str, place: &[Step]) -> String {
    let mut path = prefix.to_owned();
    for step in place {
        match step {
            Step::Key(key) if path.is_empty() => path.push_str(key),
            // Writing to a text cannot fail.
            Step::Key(key) => drop(write!(path, ".{key}")),
            Step::Index(index) => drop(write!(path, "[{index}]")),
        }
    }
    path
}

fn take_out(value: &mut Value, place: &[Step]) -> bool {
    let Some((last, of)) = place.split_last() else { return false };
    let mut at = value;
    for step in of {
        let next = match step {
            Step::Key(key) => at.get_mut(key),
            Step::Index(index) => at.get_mut(index),
        };
        let Some(next) = next else { return false };
        at = next;
    }
    match (last, at) {
        // The rest stays in its order.
        (Step::Key(key), Value::Object(map)) => map.shift_remove(key).is_some(),
        (Step::Index(index), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotlight_types::resource::{MachineSpec, SubnetSpec};
    use serde_json::json;

    fn places<T: DeserializeOwned>(value: Value) -> Vec<String> {
        let Err(mistakes) = typed::<T>(0, "spec", &value) else { return Vec::new() };
        mistakes.into_iter().map(|mistake| mistake.path).collect()
    }

    #[test]
    fn every_mistake_is_told_at_the_place_where_it_was_sent() {
        let subnet = json!({
            "cidr": "10.77.0.0/33",
            "gateway": "here",
            "lease": [],
            "mode": "often",
            "ranges": ["10.77.0.1-10.77.0.5", "x", "y", "10.77.0.7-10.77.0.8", "z"],
            "rnages": [],
        });
        let wanted = [
            "spec.cidr",
            "spec.gateway",
            "spec.lease",
            "spec.mode",
            "spec.ranges[1]",
            "spec.ranges[2]",
            "spec.ranges[4]",
            "spec.rnages",
        ];
        assert_eq!(places::<SubnetSpec>(subnet), wanted);
    }

    #[test]
    fn what_is_missing_is_told_beside_what_is_wrong() {
        let found = typed::<SubnetSpec>(0, "spec", &json!({"ranges": 1})).unwrap_err();
        assert_eq!(found[0].path, "spec.ranges");
        assert!(found[1].detail.starts_with("missing field `cidr`"), "{found:?}");
        assert_eq!(found[1].path, "spec");
    }

    #[test]
    fn what_is_right_is_read_and_what_is_nothing_at_all_is_one_mistake() {
        assert!(typed::<MachineSpec>(0, "spec", &json!({})).is_ok());
        for nothing in [json!(null), json!(1), json!("a")] {
            assert_eq!(places::<MachineSpec>(nothing), ["spec"]);
        }
    }

    #[test]
    fn a_thousand_mistakes_are_told_as_the_first_fifty() {
        assert_eq!(places::<MachineSpec>(json!({"macs": vec![1; 1000]})).len(), MOST);
    }
}
