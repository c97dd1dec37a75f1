//! `trees`: folders beside the text that become files, directories and links of the machine.
use super::{
    convert::Converter,
    files::{Entry, Files},
    resource::data_url,
    sugar::Made,
};
use crate::domain::ignition::place::{join, upwards};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Adds what is in the trees to the config.
pub(super) fn add<'n>(converter: &mut Converter<'n>, files: &Files, config: &mut Value) {
    let trees = std::mem::take(&mut converter.trees);
    let mut nodes = Nodes::of(config);
    for (at, (tree, node)) in trees.iter().enumerate() {
        let text = |name: &str| tree.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let path = format!("storage.trees[{at}]");
        let Some(local) = text("local") else {
            if !converter.doubtful.iter().any(|doubt| doubt.starts_with(&path)) {
                converter.error(node.pos, &path, "`local` is missing: the folder to take");
            }
            continue;
        };
        let pos = converter.places.get(&join(&path, "local")).map_or(node.pos, |node| node.pos);
        let steps = match files.walk(local) {
            Ok(steps) => steps,
            Err(error) => {
                converter.error(pos, &path, error.to_string());
                continue;
            }
        };
        let base = text("path").unwrap_or("/").trim_end_matches('/');
        for (inner, entry) in steps {
            let to = if inner.is_empty() { base.to_owned() } else { format!("{base}/{}", inner.join("/")) };
            let to = if to.is_empty() { "/".to_owned() } else { to };
            let added = match entry {
                None if ["dir_mode", "user", "group"].iter().all(|name| tree.get(name).is_none()) => continue,
                None => nodes.directory(&to, tree),
                Some(Entry::File { contents, executable }) => nodes.file(&to, tree, contents, *executable),
                Some(Entry::Link { target }) => nodes.link(&to, tree, target),
            };
            match added {
                Some((list, number)) => {
                    let made = config_entry(&nodes, list, number);
                    let mut said = Made::default();
                    said.say(&format!("storage.{list}[{number}]"), &made, node);
                    // What the user wrote of it stands where it was written.
                    for (path, node) in said.places {
                        converter.places.entry(path).or_insert(node);
                    }
                }
                None => {
                    let message =
                        format!("`{to}` is in the config already, with contents or as something else");
                    converter.error(pos, &path, message);
                }
            }
        }
    }
    if !trees.is_empty() {
        nodes.into_config(config);
    }
    converter.places.retain(|path, _| !upwards(path).any(|up| up == "storage.trees"));
}

fn config_entry(nodes: &Nodes, list: &str, number: usize) -> Value {
    nodes.lists.get(list).and_then(|list| list.get(number)).cloned().unwrap_or_default()
}

const LISTS: [&str; 3] = ["directories", "files", "links"];

/// The files, directories and links of a config, and where each path is.
struct Nodes {
    lists: HashMap<&'static str, Vec<Value>>,
    paths: HashMap<String, (&'static str, usize)>,
}

type Added = Option<(&'static str, usize)>;

impl Nodes {
    fn of(config: &Value) -> Self {
        let mut nodes = Self { lists: HashMap::new(), paths: HashMap::new() };
        for list in LISTS {
            let items = config.pointer(&format!("/storage/{list}")).and_then(Value::as_array);
            let items = items.cloned().unwrap_or_default();
            for (at, item) in items.iter().enumerate() {
                if let Some(path) = item.get("path").and_then(Value::as_str) {
                    nodes.paths.insert(path.to_owned(), (list, at));
                }
            }
            nodes.lists.insert(list, items);
        }
        nodes
    }

    fn into_config(self, config: &mut Value) {
        let Some(config) = config.as_object_mut() else { return };
        let storage = config.entry("storage").or_insert_with(|| json!({}));
        for (list, items) in self.lists.into_iter().filter(|(_, items)| !items.is_empty()) {
            if let Some(storage) = storage.as_object_mut() {
                storage.insert(list.to_owned(), Value::Array(items));
            }
        }
    }

    /// The entry at that path: the one in this list that there is, or a new one; none if the path is in another list.
    fn entry(
        &mut self,
        list: &'static str,
        to: &str,
        tree: &Value,
    ) -> Option<(usize, &mut Map<String, Value>)> {
        let items = self.lists.entry(list).or_default();
        let number = match self.paths.get(to) {
            Some((other, _)) if *other != list => return None,
            Some((_, number)) => *number,
            None => {
                let mut entry = Map::new();
                entry.insert("path".to_owned(), Value::String(to.to_owned()));
                for owner in ["user", "group"] {
                    if let Some(value) = tree.get(owner) {
                        entry.insert(owner.to_owned(), value.clone());
                    }
                }
                items.push(Value::Object(entry));
                self.paths.insert(to.to_owned(), (list, items.len() - 1));
                items.len() - 1
            }
        };
        Some((number, items.get_mut(number)?.as_object_mut()?))
    }

    fn directory(&mut self, to: &str, tree: &Value) -> Added {
        if self.paths.contains_key(to) {
            return None;
        }
        let mode = tree.get("dir_mode").cloned().unwrap_or_else(|| json!(0o755));
        let (number, entry) = self.entry("directories", to, tree)?;
        entry.insert("mode".to_owned(), mode);
        Some(("directories", number))
    }

    fn file(&mut self, to: &str, tree: &Value, contents: &[u8], executable: bool) -> Added {
        let usual = if executable { 0o755 } else { 0o644 };
        let mode = tree.get("file_mode").cloned().unwrap_or_else(|| json!(usual));
        let (number, entry) = self.entry("files", to, tree)?;
        let text = |name: &str| entry.get("contents").and_then(|c| c.get(name)).and_then(Value::as_str);
        if text("source").is_some_and(|source| !source.is_empty()) {
            return None;
        }
        let compressed = text("compression").is_some_and(|name| !name.is_empty());
        let (source, compression) = data_url(contents, compressed);
        let resource = entry.entry("contents").or_insert_with(|| json!({}));
        if let Some(resource) = resource.as_object_mut() {
            resource.insert("source".to_owned(), Value::String(source));
            if let Some(compression) = compression {
                resource.insert("compression".to_owned(), Value::String(compression.to_owned()));
            }
        }
        entry.entry("mode").or_insert(mode);
        Some(("files", number))
    }

    fn link(&mut self, to: &str, tree: &Value, target: &str) -> Added {
        let (number, entry) = self.entry("links", to, tree)?;
        if entry.get("target").and_then(Value::as_str).is_some_and(|target| !target.is_empty()) {
            return None;
        }
        entry.insert("target".to_owned(), Value::String(target.to_owned()));
        Some(("links", number))
    }
}
