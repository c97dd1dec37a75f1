//! How Ignition merges configs on the machine, done here: for previews, for checking the whole, and for Butane's sugar.
//!
//! The rules are those of Ignition's own package `config/merge`
//! (<https://github.com/coreos/ignition/blob/main/config/merge/merge.go>), told in
//! <https://coreos.github.io/ignition/operator-notes/#config-merging>: single values are the child's where it has one,
//! maps are merged, entries of lists are joined by their key, and a path (or a kernel argument) that the child has in
//! another list leaves the parent's.
#[cfg(test)]
mod tests;

use super::{
    place::{self, Place, join},
    schema::{CONFIG, Field, Kind, Same},
    shape::key,
    version_of,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One of the two configs that are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The lower one.
    Parent,
    /// The upper one, which wins.
    Child,
}

/// Where something in the result came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its path in the result.
    pub to: String,
    /// Whose it was.
    pub side: Side,
    /// Its path there.
    pub from: String,
}

/// Two configs merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The config.
    pub config: Value,
    /// Where each value, map and entry came from; what both had a part in is here twice, the parent's first.
    pub origins: Vec<Origin>,
}

/// Merges two configs. Fields that Ignition does not know are left out, as it does. The result has the newer of both versions.
pub fn merge(parent: &Value, child: &Value) -> Merged {
    let mut merge = Merge { origins: Vec::new() };
    let mut config = merge.maps(CONFIG, &Place::root(parent), &Place::root(child), "");
    if let (Ok(parent), Ok(child)) = (version_of(parent), version_of(child))
        && let Some(version) = config.pointer_mut("/ignition/version")
    {
        *version = Value::String(parent.max(child).as_str().to_owned());
    }
    Merged { config, origins: merge.origins }
}

/// A place in one of several configs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The number of the config, from 0.
    pub layer: usize,
    /// The path in it.
    pub path: String,
}

/// Several configs merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// The config.
    pub config: Value,
    /// For each path in it, the place that had the last word.
    pub sources: BTreeMap<String, Source>,
}

/// Merges any number of configs, later ones over earlier ones.
pub fn merge_all(layers: &[Value]) -> Whole {
    let mut whole = Whole { config: json!({}), sources: BTreeMap::new() };
    for (layer, config) in layers.iter().enumerate() {
        let merged = merge(&whole.config, config);
        let mut sources = BTreeMap::new();
        for Origin { to, side, from } in merged.origins {
            let source = match side {
                Side::Parent => whole.sources.get(&from).cloned(),
                Side::Child => Some(Source { layer, path: from }),
            };
            if let Some(source) = source {
                sources.insert(to, source);
            }
        }
        whole = Whole { config: merged.config, sources };
    }
    whole
}

struct Merge {
    origins: Vec<Origin>,
}

impl Merge {
    fn came(&mut self, place: &Place<'_>, side: Side, to: &str) {
        if place.is_set() {
            self.origins.push(Origin { to: to.to_owned(), side, from: place.path.clone() });
        }
    }

    fn maps(&mut self, fields: &[Field], parent: &Place<'_>, child: &Place<'_>, to: &str) -> Value {
        self.came(parent, Side::Parent, to);
        self.came(child, Side::Child, to);
        let lists = lists_of(fields, child);
        let mut result = Map::new();
        for field in fields.iter().filter(|field| !field.json.is_empty()) {
            let (parent, child) = (parent.get(field.json), child.get(field.json));
            if !parent.is_set() && !child.is_set() {
                continue;
            }
            let here = join(to, field.json);
            let value = match field.kind {
                Kind::Text | Kind::Whole | Kind::Flag => self.single(&parent, &child, &here),
                Kind::Map(fields) => self.maps(fields, &parent, &child, &here),
                Kind::Texts(Same::Never) | Kind::Maps(_, Same::Never) => {
                    self.appended(field.kind, &parent, &child, &here)
                }
                Kind::Texts(same) | Kind::Maps(_, same) => {
                    self.keyed(field, same, &parent, &child, &lists, &here)
                }
                Kind::Sugar(_) => Value::Null,
            };
            if !place::is_empty(&value) {
                result.insert(field.json.to_owned(), value);
            }
        }
        Value::Object(result)
    }

    fn single(&mut self, parent: &Place<'_>, child: &Place<'_>, to: &str) -> Value {
        let (place, side) = if child.is_set() { (child, Side::Child) } else { (parent, Side::Parent) };
        self.came(place, side, to);
        place.value.clone()
    }

    /// An entry of a list, from one of the configs or from both.
    fn entry(&mut self, kind: Kind, parent: &Place<'_>, child: &Place<'_>, to: &str) -> Value {
        match kind {
            Kind::Maps(fields, _) => self.maps(fields, parent, child, to),
            _ => self.single(parent, child, to),
        }
    }

    fn appended(&mut self, kind: Kind, parent: &Place<'_>, child: &Place<'_>, to: &str) -> Value {
        let nothing = Place::nothing();
        let mut items = Vec::new();
        for item in parent.items() {
            let here = format!("{to}[{}]", items.len());
            items.push(self.entry(kind, &item, &nothing, &here));
        }
        for item in child.items() {
            let here = format!("{to}[{}]", items.len());
            items.push(self.entry(kind, &nothing, &item, &here));
        }
        Value::Array(items)
    }

    fn keyed(
        &mut self,
        field: &Field,
        same: Same,
        parent: &Place<'_>,
        child: &Place<'_>,
        lists: &HashMap<(&'static str, String), &'static str>,
        to: &str,
    ) -> Value {
        let nothing = Place::nothing();
        let (of_parent, of_child) = (parent.items(), child.items());
        let by_key: HashMap<String, &Place<'_>> =
            of_child.iter().map(|item| (key(item.value, same), item)).collect();
        let known: HashSet<String> = of_parent.iter().map(|item| key(item.value, same)).collect();
        let mut items = Vec::new();
        for item in &of_parent {
            let key = key(item.value, same);
            let here = format!("{to}[{}]", items.len());
            match by_key.get(&key) {
                // A header that the child names without a value is taken away.
                Some(own) if field.json == "httpHeaders" && !own.get("value").is_set() => {}
                Some(own) => items.push(self.entry(field.kind, item, own, &here)),
                None if lists.contains_key(&(handle(field, same), key)) => {}
                None => items.push(self.entry(field.kind, item, &nothing, &here)),
            }
        }
        for item in of_child.iter().filter(|item| !known.contains(&key(item.value, same))) {
            let here = format!("{to}[{}]", items.len());
            items.push(self.entry(field.kind, &nothing, item, &here));
        }
        Value::Array(items)
    }
}

/// Lists whose entries exclude each other have one name for it.
fn handle(field: &Field, same: Same) -> &'static str {
    match same {
        Same::Path => "path",
        Same::Argument => "argument",
        _ => field.json,
    }
}

/// In which list of this map each key is.
fn lists_of(fields: &[Field], map: &Place<'_>) -> HashMap<(&'static str, String), &'static str> {
    let mut lists = HashMap::new();
    for field in fields {
        let (Kind::Texts(same @ Same::Argument) | Kind::Maps(_, same @ Same::Path)) = field.kind else {
            continue;
        };
        for item in map.get(field.json).items() {
            lists.insert((handle(field, same), key(item.value, same)), field.json);
        }
    }
    lists
}
