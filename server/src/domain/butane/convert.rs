//! From Butane's tree to Ignition's, by the table of fields.
use super::{
    Files,
    dialect::{DIALECTS, Dialect},
    resource,
};
use crate::domain::{
    ignition::{
        closest,
        place::{is_empty, join, shown},
        schema::{CONFIG, Field, Kind, Same, Sugar, TREE},
    },
    yaml::{Key, Located, Node, Position, Value as Yaml},
};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// Nobody reads more errors than this.
const MOST: usize = 500;

/// A translation under way.
pub(super) struct Converter<'n> {
    pub(super) dialect: Dialect,
    /// What lies beside the text.
    pub(super) files: &'n Files,
    /// For each path in the result, what it came from.
    pub(super) places: HashMap<String, &'n Node>,
    /// Filesystems that get a mount unit: their path in the result, and the word that asks for it.
    pub(super) mounts: Vec<(String, &'n Node)>,
    /// Folders that become part of the config, each with the entry that asks for it.
    pub(super) trees: Vec<(Value, &'n Node)>,
    /// `boot_device` and `grub`, if they are there.
    pub(super) boot_device: Option<&'n Node>,
    pub(super) grub: Option<&'n Node>,
    pub(super) errors: Vec<Located>,
    pub(super) warnings: Vec<Located>,
    /// Paths in the result with something in or under them that was not understood.
    pub(super) doubtful: HashSet<String>,
}

impl<'n> Converter<'n> {
    pub(super) fn new(dialect: Dialect, files: &'n Files) -> Self {
        Self {
            dialect,
            files,
            places: HashMap::new(),
            mounts: Vec::new(),
            trees: Vec::new(),
            boot_device: None,
            grub: None,
            errors: Vec::new(),
            warnings: Vec::new(),
            doubtful: HashSet::new(),
        }
    }

    /// Translates the whole.
    pub(super) fn config(&mut self, root: &'n Node) -> Value {
        self.map(root, CONFIG, "")
    }

    /// Notes an error; `path` is what it leaves in doubt.
    pub(super) fn error(&mut self, pos: Position, path: &str, message: impl Into<String>) {
        self.doubtful.insert(path.to_owned());
        if self.errors.len() < MOST {
            self.errors.push(Located::new(pos, message));
        }
    }

    /// Translates a map by its table.
    pub(super) fn map(&mut self, node: &'n Node, fields: &'static [Field], path: &str) -> Value {
        self.places.insert(path.to_owned(), node);
        let Yaml::Map(entries) = &node.value else {
            if node.value != Yaml::Null {
                self.mistyped("a map", node, path);
            }
            return Value::Null;
        };
        let mut found: HashMap<&'static str, Value> = HashMap::new();
        let mut sugars: Vec<(Sugar, &'n Key, &'n Node)> = Vec::new();
        for (key, value) in entries {
            let Some(field) = self.field(key, fields, path) else { continue };
            match field.kind {
                Kind::Sugar(Sugar::Header) => {}
                Kind::Sugar(_) if value.value == Yaml::Null => {}
                Kind::Sugar(sugar) => sugars.push((sugar, key, value)),
                kind => {
                    let here = join(path, field.json);
                    found.insert(field.json, self.value(value, kind, &here));
                }
            }
        }
        if fields.iter().any(|field| field.json == "source") {
            resource::check_sources(self, node, path);
        }
        for (sugar, key, value) in sugars {
            self.sugar(sugar, key, value, path, &mut found);
        }
        // In the order of the table, without what is empty.
        let filled = fields.iter().filter_map(|field| Some((field.json, found.remove(field.json)?)));
        Value::Object(
            filled
                .filter(|(_, value)| !is_empty(value))
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// The field of a key, if this version has it.
    fn field(&mut self, key: &Key, fields: &'static [Field], path: &str) -> Option<&'static Field> {
        let Some(field) = fields.iter().find(|field| !field.yaml.is_empty() && field.yaml == key.text) else {
            let known = fields.iter().filter(|field| knows(self.dialect, field)).map(|field| field.yaml);
            let near = closest(&key.text, known.filter(|name| !name.is_empty()));
            let hint = near.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
            self.error(key.pos, path, format!("`{}` is not known here{hint}", shown(&key.text)));
            return None;
        };
        let variant = self.dialect.variant;
        if !knows(self.dialect, field) {
            let newer = DIALECTS.iter().find(|dialect| dialect.variant == variant && knows(**dialect, field));
            let message = match newer {
                Some(newer) => {
                    format!("`{}` came with version {} of the variant `{variant}`", key.text, newer.version)
                }
                None => format!(
                    "`{}` is not in any version of the variant `{variant}` that is supported",
                    key.text
                ),
            };
            self.error(key.pos, path, message);
            return None;
        }
        if field.json == "clevis" && variant == "flatcar" {
            self.error(key.pos, path, "Flatcar does not have Clevis");
            return None;
        }
        Some(field)
    }

    fn sugar(
        &mut self,
        sugar: Sugar,
        key: &'n Key,
        value: &'n Node,
        path: &str,
        found: &mut HashMap<&'static str, Value>,
    ) {
        match sugar {
            Sugar::Header => {}
            Sugar::Inline => resource::inline(self, value, path, found),
            Sugar::Local => resource::local(self, value, path, found),
            Sugar::ContentsLocal => resource::contents(self, key, value, path, found),
            Sugar::KeysLocal => resource::keys(self, value, path, found),
            Sugar::MountUnit => {
                if self.flag(value, path) == Value::Bool(true) {
                    self.mounts.push((path.to_owned(), value));
                }
            }
            Sugar::Trees => {
                let trees = self.value(value, Kind::Maps(TREE, Same::Never), "storage.trees");
                if let (Value::Array(trees), Yaml::Seq(nodes)) = (trees, &value.value) {
                    self.trees = trees.into_iter().zip(nodes).collect();
                }
            }
            Sugar::BootDevice => self.boot_device = Some(value),
            Sugar::Grub => self.grub = Some(value),
        }
    }

    fn value(&mut self, node: &'n Node, kind: Kind, path: &str) -> Value {
        self.places.insert(path.to_owned(), node);
        match (kind, &node.value) {
            (_, Yaml::Null) => Value::Null,
            (Kind::Text, _) => self.text(node, path),
            (Kind::Whole, Yaml::Int(number)) => Value::from(*number),
            (Kind::Whole, Yaml::Str(text)) if text.parse::<i64>().is_ok() => {
                let message = format!(
                    "a number is expected here, not the text \"{}\": write it without quotes",
                    shown(text)
                );
                self.error(node.pos, path, message);
                Value::Null
            }
            (Kind::Whole, _) => self.mistyped("a whole number", node, path),
            (Kind::Flag, _) => self.flag(node, path),
            (Kind::Map(fields), _) => self.map(node, fields, path),
            (Kind::Maps(..) | Kind::Texts(_), Yaml::Seq(items)) => {
                let items = items.iter().enumerate().map(|(at, item)| {
                    let here = format!("{path}[{at}]");
                    match kind {
                        Kind::Maps(fields, _) => match self.map(item, fields, &here) {
                            Value::Null => Value::Object(Map::new()),
                            value => value,
                        },
                        _ => {
                            self.places.insert(here.clone(), item);
                            self.text(item, &here)
                        }
                    }
                });
                Value::Array(items.collect())
            }
            (Kind::Maps(..) | Kind::Texts(_), _) => self.mistyped("a list", node, path),
            (Kind::Sugar(_), _) => Value::Null,
        }
    }

    /// A text; numbers and the like count as they are written, as in go-yaml.
    pub(super) fn text(&mut self, node: &'n Node, path: &str) -> Value {
        match node.text() {
            Some(text) => Value::String(text.to_owned()),
            None => self.mistyped("a text", node, path),
        }
    }

    /// True or false, which go-yaml takes in the many words of YAML 1.1 where it knows that a flag is meant.
    fn flag(&mut self, node: &'n Node, path: &str) -> Value {
        match &node.value {
            Yaml::Bool(flag) => Value::Bool(*flag),
            Yaml::Null => Value::Null,
            Yaml::Str(text) => match text.as_str() {
                "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
                "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
                _ => self.mistyped("true or false", node, path),
            },
            _ => self.mistyped("true or false", node, path),
        }
    }

    /// Notes that something of another type stands there.
    pub(super) fn mistyped(&mut self, expected: &str, node: &Node, path: &str) -> Value {
        let found = match (&node.value, node.text()) {
            (Yaml::Str(text), _) => format!("the text \"{}\"", shown(text)),
            (_, Some(text)) => shown(text),
            _ => node.kind().to_owned(),
        };
        self.error(node.pos, path, format!("{expected} is expected here, not {found}"));
        Value::Null
    }
}

/// Whether a version of Butane has a field. The minor of the spec that it makes decides, but for what is no part of any spec.
fn knows(dialect: Dialect, field: &Field) -> bool {
    field.since <= dialect.minor
        && match field.kind {
            Kind::Sugar(Sugar::BootDevice) => dialect.is_fcos(3),
            Kind::Sugar(Sugar::Grub) => dialect.is_fcos(5),
            _ => true,
        }
}
