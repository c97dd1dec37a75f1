//! Types, unknown fields and duplicates: all that follows from the table alone.
use super::{
    Report,
    place::{join, kind, shown},
    schema::{CONFIG, Field, Kind, Same},
};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// Judges a config by the table, and gives back only what is known and of the right type, and the paths of what was not.
pub(super) fn check(config: &Value, minor: u8, report: &mut Report) -> (Value, HashSet<String>) {
    let mut shape = Shape { minor, report, mistyped: HashSet::new() };
    let clean = shape.map(config, CONFIG, "");
    (clean, shape.mistyped)
}

struct Shape<'r> {
    minor: u8,
    report: &'r mut Report,
    mistyped: HashSet<String>,
}

impl Shape<'_> {
    fn map(&mut self, value: &Value, fields: &'static [Field], path: &str) -> Value {
        let given = match value {
            Value::Object(given) => given,
            Value::Null => return Value::Null,
            other => return self.mistyped("a map", other, path),
        };
        let mut clean = Map::new();
        for (name, value) in given {
            let here = join(path, name);
            match fields.iter().find(|field| !field.json.is_empty() && field.json == name) {
                Some(field) if field.since <= self.minor => {
                    clean.insert(name.clone(), self.value(value, field.kind, &here));
                }
                Some(field) => {
                    let message =
                        format!("`{name}` is ignored: it came with Ignition spec 3.{}.0", field.since);
                    self.report.warning(&here, message);
                }
                None => {
                    let known = fields.iter().map(|field| field.json).filter(|json| !json.is_empty());
                    let hint = closest(name, known)
                        .map_or(String::new(), |near| format!(", did you mean `{near}`?"));
                    self.report
                        .warning(&here, format!("`{}` is ignored: it is not known here{hint}", shown(name)));
                }
            }
        }
        self.duplicates(&clean, fields, path);
        Value::Object(clean)
    }

    fn value(&mut self, value: &Value, kind: Kind, path: &str) -> Value {
        match (kind, value) {
            (_, Value::Null) | (Kind::Text, Value::String(_)) | (Kind::Flag, Value::Bool(_)) => value.clone(),
            (Kind::Whole, Value::Number(number)) if number.is_i64() => value.clone(),
            (Kind::Whole, Value::Number(_)) => self.mistyped("a whole number", value, path),
            (Kind::Text, other) => self.mistyped("a text", other, path),
            (Kind::Whole, other) => self.mistyped("a number", other, path),
            (Kind::Flag, other) => self.mistyped("true or false", other, path),
            (Kind::Map(fields), other) => self.map(other, fields, path),
            (Kind::Texts(_) | Kind::Maps(..), Value::Array(items)) => {
                let items = items.iter().enumerate().map(|(at, item)| {
                    let here = format!("{path}[{at}]");
                    match kind {
                        Kind::Maps(fields, _) => self.map(item, fields, &here),
                        _ => self.value(item, Kind::Text, &here),
                    }
                });
                Value::Array(items.collect())
            }
            (Kind::Texts(_) | Kind::Maps(..), other) => self.mistyped("a list", other, path),
            (Kind::Sugar(_), _) => Value::Null,
        }
    }

    fn mistyped(&mut self, expected: &str, found: &Value, path: &str) -> Value {
        self.report.error(path, format!("{expected} is expected here, not {}", found_kind(found)));
        self.mistyped.insert(path.to_owned());
        Value::Null
    }

    fn duplicates(&mut self, map: &Map<String, Value>, fields: &[Field], path: &str) {
        let mut seen: HashMap<(&str, String), String> = HashMap::new();
        for field in fields {
            let (Kind::Texts(same) | Kind::Maps(_, same)) = field.kind else { continue };
            let together = match same {
                Same::Never => continue,
                Same::Path | Same::Argument => "",
                _ => field.json,
            };
            let items = map.get(field.json).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for (at, item) in items.iter().enumerate() {
                let key = key(item, same);
                let here = format!("{}[{at}]", join(path, field.json));
                if self.mistyped.contains(&here) {
                    continue;
                }
                if let Some(first) = seen.get(&(together, key.clone())) {
                    self.report
                        .error(&here, format!("{} is given twice, first at {first}", named(&key, same)));
                } else {
                    seen.insert((together, key), here);
                }
            }
        }
    }
}

fn found_kind(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("{number}"),
        Value::String(text) => format!("the text \"{}\"", shown(text)),
        Value::Bool(flag) => flag.to_string(),
        other => kind(other).to_owned(),
    }
}

/// What makes an entry of a list the same one as another.
pub(super) fn key(item: &Value, same: Same) -> String {
    let field = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match same {
        Same::Never | Same::Text | Same::Argument => item.as_str().unwrap_or_default().to_owned(),
        Same::Field(name) => field(name),
        Same::Path => field("path"),
        Same::Partition => match item.get("number").and_then(Value::as_i64) {
            Some(number) if number != 0 => format!("number {number}"),
            _ => format!("label {}", field("label")),
        },
    }
}

fn named(key: &str, same: Same) -> String {
    match (key, same) {
        ("", Same::Field(name)) => format!("an entry without `{name}`"),
        ("", Same::Path) => "an entry without `path`".to_owned(),
        ("", _) => "an empty entry".to_owned(),
        _ => format!("`{}`", shown(key)),
    }
}

/// The known name that someone may have meant, if one is near.
pub(in crate::domain) fn closest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if name.len() > 64 {
        return None;
    }
    let plain = |text: &str| {
        text.chars().filter(|c| *c != '_' && *c != '-').flat_map(char::to_lowercase).collect::<Vec<_>>()
    };
    let name = plain(name);
    let near = known.map(|candidate| (distance(&name, &plain(candidate)), candidate));
    let (steps, candidate) = near.min_by_key(|(steps, _)| *steps)?;
    (steps <= name.len().div_ceil(4).min(3)).then_some(candidate)
}

/// How many letters to change, add, leave out or swap with their neighbour (Damerau and Levenshtein, restricted).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, x) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, y) in b.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut least = (at(&last, column) + usize::from(x != y))
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = column > 0 && previous == Some(y) && b.get(column - 1) == Some(x);
            if swapped {
                least = least.min(at(&before_last, column - 1) + 1);
            }
            current.push(least);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(x);
    }
    last.last().copied().unwrap_or(usize::MAX)
}
