//! What Butane makes of a few words goes below what is written out, by Ignition's own rules of merging: who wants it otherwise
//! writes it.
use super::convert::Converter;
use crate::domain::{
    ignition::{
        merge::{Side, merge},
        place::{join, upwards},
    },
    yaml::Node,
};
use serde_json::Value;
use std::collections::HashMap;

/// A part of a config that was made, and what each of its values was made from.
#[derive(Debug, Default)]
pub(super) struct Made<'n> {
    pub(super) config: Value,
    pub(super) places: HashMap<String, &'n Node>,
}

impl<'n> Made<'n> {
    /// All of a config was made from one thing.
    pub(super) fn from(config: Value, node: &'n Node) -> Self {
        let mut made = Self { config, places: HashMap::new() };
        let config = made.config.take();
        made.say("", &config, node);
        made.config = config;
        made
    }

    /// What is at `path`, and all in it, was made from `node`.
    pub(super) fn say(&mut self, path: &str, value: &Value, node: &'n Node) {
        self.places.insert(path.to_owned(), node);
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.say(&join(path, name), value, node);
                }
            }
            Value::Array(items) => {
                for (at, value) in items.iter().enumerate() {
                    self.say(&format!("{path}[{at}]"), value, node);
                }
            }
            _ => {}
        }
    }
}

/// Merges what was made with what was written, which wins; what is known of the written moves along with it.
pub(super) fn put_below<'n>(converter: &mut Converter<'n>, made: &Made<'n>, written: &Value) -> Value {
    let merged = merge(&made.config, written);
    let mut places: HashMap<String, &'n Node> = HashMap::new();
    let mut moves: HashMap<String, String> = HashMap::new();
    for origin in merged.origins {
        match origin.side {
            Side::Parent => {
                if let Some(node) = made.places.get(&origin.from) {
                    places.insert(origin.to, *node);
                }
            }
            Side::Child => {
                moves.insert(origin.from, origin.to);
            }
        }
    }
    // What was not understood is not in the config, but it is in something that is.
    let moved = |path: &str| {
        let known = upwards(path).find_map(|up| Some((up, moves.get(up)?)));
        known.map_or_else(
            || path.to_owned(),
            |(up, to)| format!("{to}{}", path.get(up.len()..).unwrap_or_default()),
        )
    };
    for (path, node) in std::mem::take(&mut converter.places) {
        places.insert(moved(&path), node);
    }
    converter.places = places;
    converter.doubtful =
        std::mem::take(&mut converter.doubtful).into_iter().map(|path| moved(&path)).collect();
    merged.config
}
