//! Butane, which people write, into Ignition, which machines read: variants fcos 1.0.0 to 1.7.0 and flatcar 1.0.0 and 1.1.0.
//!
//! All mistakes are found in one go, each with its line and column. What comes out has been judged by
//! [`super::ignition::validate`], with its findings shown in the Butane text. <https://coreos.github.io/butane/specs/>
mod boot_device;
mod convert;
mod dialect;
mod disks;
mod files;
mod grub;
mod mount;
mod resource;
mod sugar;
#[cfg(test)]
mod tests;
mod trees;

pub use super::yaml::Located;
use super::{
    ignition::{self, Problem, Version, place},
    yaml::{self, Node, Position, Value as Yaml},
};
use convert::Converter;
use dialect::Dialect;
pub use files::{Entry, FileError, Files};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a Butane text became.
#[derive(Debug, Clone, PartialEq)]
pub struct Transpiled {
    /// The Ignition config.
    pub ignition: Value,
    /// Its version, such as `3.4.0`.
    pub version: &'static str,
    /// What is odd about it, at its place in the Butane text.
    pub warnings: Vec<Located>,
    /// For each path in the config, what it was made from.
    pub places: BTreeMap<String, Span>,
}

/// A part of a Butane text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub pos: Position,
    /// The line that it ends in; for lists and maps, that it begins in.
    pub last_line: usize,
}

impl Span {
    fn of(node: &Node) -> Self {
        let lines = node.text().map_or(1, |text| text.lines().count().max(1));
        let last = node.inner(Position { line: lines, column: 1 }).line;
        Self { pos: node.pos, last_line: last.max(node.pos.line) }
    }
}

/// Translates a Butane text that has no files beside it. The errors are sorted by their place.
pub fn transpile(text: &str) -> Result<Transpiled, Vec<Located>> {
    transpile_with(text, &Files::default())
}

/// Translates a Butane text with the files that lie beside it. The errors are sorted by their place.
pub fn transpile_with(text: &str, files: &Files) -> Result<Transpiled, Vec<Located>> {
    let documents = yaml::parse_documents(text).map_err(|error| vec![error])?;
    let root = match documents.as_slice() {
        [root] => root,
        [] => {
            return Err(vec![Located::new(
                Position::START,
                "the text is empty: it begins with `variant` and `version`",
            )]);
        }
        [_, second, ..] => {
            return Err(vec![Located::new(second.pos, "Butane is one document, this is another one")]);
        }
    };
    let dialect = Dialect::of(root)?;
    let Some(version) = Version::of_minor(dialect.minor) else { return Err(Vec::new()) };
    let mut converter = Converter::new(dialect, files);
    let mut config = converter.config(root);
    // In Butane's order: what is made later is below what is there by then.
    mount::add_units(&mut converter, &mut config);
    trees::add(&mut converter, files, &mut config);
    disks::check_reuse(&mut converter, &config);
    if let Some(node) = converter.boot_device {
        config = boot_device::apply(&mut converter, node, config);
    }
    disks::check_boot_disk(&mut converter, &config);
    if let Some(node) = converter.grub {
        config = grub::apply(&mut converter, node, config);
    }
    let ignition = with_version(config, version);
    let report = ignition::validate(&ignition);
    let Converter { places, mut errors, mut warnings, doubtful, .. } = converter;
    let locate = |problem: &Problem| {
        let mut up = place::upwards(&problem.path);
        let found = up.find_map(|path| places.get(path));
        let exact = places.get(&problem.path);
        let pos = match (exact, problem.line) {
            (Some(node), Some(line)) => node.inner(Position { line, column: 1 }),
            _ => found.map_or(root.pos, |node| node.pos),
        };
        Located::new(pos, problem.message.clone())
    };
    // What was not understood is absent from the result: what follows from its absence must not be said as well.
    let absent = |path: &str| ignition.pointer(&place::pointer(path)).is_none_or(Value::is_null);
    let in_doubt = |path: &str| place::upwards(path).any(|path| doubtful.contains(path)) && absent(path);
    let news = report.errors.iter().filter(|problem| !in_doubt(&problem.path));
    errors.extend(news.map(locate));
    warnings.extend(report.warnings.iter().map(locate));
    for list in [&mut errors, &mut warnings] {
        list.sort();
        list.dedup();
    }
    if errors.is_empty() {
        let places = places.into_iter().map(|(path, node)| (path, Span::of(node))).collect();
        Ok(Transpiled { ignition, version: version.as_str(), warnings, places })
    } else {
        Err(errors)
    }
}

/// The version goes first, for people who look at the result.
fn with_version(config: Value, version: Version) -> Value {
    let mut ignition = json!({"version": version.as_str()});
    let mut result = json!({"ignition": null});
    let (Value::Object(config), Some(ignition_map), Some(map)) =
        (config, ignition.as_object_mut(), result.as_object_mut())
    else {
        return json!({"ignition": {"version": version.as_str()}});
    };
    for (name, value) in config {
        match (name.as_str(), value) {
            ("ignition", Value::Object(fields)) => ignition_map.extend(fields),
            (_, value) => {
                map.insert(name, value);
            }
        }
    }
    map.insert("ignition".to_owned(), ignition);
    result
}
