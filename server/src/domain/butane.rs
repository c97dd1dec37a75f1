//! Butane, which people write, into Ignition, which machines read: variants fcos 1.0.0 to 1.5.0 and flatcar 1.0.0 and 1.1.0.
//!
//! All mistakes are found in one go, each with its line and column. What comes out has been judged by
//! [`super::ignition::validate`], with its findings shown in the Butane text. <https://coreos.github.io/butane/specs/>
mod convert;
mod disks;
mod mount;
mod resource;
#[cfg(test)]
mod tests;

pub use super::yaml::Located;
use super::{
    ignition::{self, Problem, Version, place},
    yaml::{self, Node, Position, Value as Yaml},
};
use convert::Converter;
use serde_json::{Value, json};

/// What a Butane text became.
#[derive(Debug, Clone, PartialEq)]
pub struct Transpiled {
    /// The Ignition config.
    pub ignition: Value,
    /// Its version, such as `3.4.0`.
    pub version: &'static str,
    /// What is odd about it, at its place in the Butane text.
    pub warnings: Vec<Located>,
}

/// One version of one variant of Butane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dialect {
    variant: &'static str,
    version: &'static str,
    /// The minor of the Ignition spec that it makes.
    minor: u8,
}

const fn dialect(variant: &'static str, version: &'static str, minor: u8) -> Dialect {
    Dialect { variant, version, minor }
}

const DIALECTS: [Dialect; 8] = [
    dialect("fcos", "1.0.0", 0),
    dialect("fcos", "1.1.0", 1),
    dialect("fcos", "1.2.0", 2),
    dialect("fcos", "1.3.0", 2),
    dialect("fcos", "1.4.0", 3),
    dialect("fcos", "1.5.0", 4),
    dialect("flatcar", "1.0.0", 3),
    dialect("flatcar", "1.1.0", 4),
];

/// Translates a Butane text. The errors are sorted by their place.
pub fn transpile(text: &str) -> Result<Transpiled, Vec<Located>> {
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
    let dialect = dialect_of(root)?;
    let Some(version) = Version::of_minor(dialect.minor) else { return Err(Vec::new()) };
    let mut converter = Converter::new(dialect);
    let mut config = converter.config(root);
    mount::add_units(&mut converter, &mut config);
    disks::check(&mut converter, &config);
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
        Ok(Transpiled { ignition, version: version.as_str(), warnings })
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

fn dialect_of(root: &Node) -> Result<Dialect, Vec<Located>> {
    if !matches!(root.value, Yaml::Map(_)) {
        return Err(vec![Located::new(root.pos, format!("Butane is a map, this is {}", root.kind()))]);
    }
    let header = |name: &str| match root.get(name) {
        Some(node) => node
            .text()
            .map(|text| (node.pos, text))
            .ok_or_else(|| Located::new(node.pos, format!("`{name}` is a text, this is {}", node.kind()))),
        None => Err(Located::new(
            root.pos,
            format!("`{name}` is missing, as in `variant: fcos`, `version: 1.5.0`"),
        )),
    };
    let (variant, version) = match (header("variant"), header("version")) {
        (Ok(variant), Ok(version)) => (variant, version),
        (variant, version) => return Err([variant.err(), version.err()].into_iter().flatten().collect()),
    };
    let versions: Vec<&Dialect> = DIALECTS.iter().filter(|dialect| dialect.variant == variant.1).collect();
    if versions.is_empty() {
        let message = format!("the variant `{}` is not supported: fcos, flatcar", place::shown(variant.1));
        return Err(vec![Located::new(variant.0, message)]);
    }
    versions.iter().find(|dialect| dialect.version == version.1).map(|found| **found).ok_or_else(|| {
        let known: Vec<&str> = versions.iter().map(|dialect| dialect.version).collect();
        let message = format!(
            "the version `{}` of the variant `{}` is not supported: {}",
            place::shown(version.1),
            variant.1,
            known.join(", ")
        );
        vec![Located::new(version.0, message)]
    })
}
