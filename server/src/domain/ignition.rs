//! Ignition configs, specs 3.0.0 to 3.6.0: whether one would be taken by the machine, and if not, what is wrong with it.
//!
//! Judged is what Ignition itself judges before it starts; a config that passes here does not fail there. What Ignition
//! takes though it cannot be meant is a warning. <https://coreos.github.io/ignition/specs/>
mod disks;
pub mod merge;
#[cfg(test)]
mod oracle;
pub(in crate::domain) mod place;
mod rules;
pub(in crate::domain) mod schema;
mod shape;
#[cfg(test)]
mod tests;
mod unit;
mod url;

use super::yaml::{self, Located, Position};
use serde_json::Value;
use std::{fmt, str::FromStr};

pub(in crate::domain) use shape::closest;

/// A spec that we know: 3.x.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    minor: u8,
    name: &'static str,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Version; 7] = [
        Version { minor: 0, name: "3.0.0" },
        Version { minor: 1, name: "3.1.0" },
        Version { minor: 2, name: "3.2.0" },
        Version { minor: 3, name: "3.3.0" },
        Version { minor: 4, name: "3.4.0" },
        Version { minor: 5, name: "3.5.0" },
        Version { minor: 6, name: "3.6.0" },
    ];

    /// The newest of them.
    pub const NEWEST: Version = {
        let [.., newest] = Self::ALL;
        newest
    };

    /// Its name: `3.4.0`.
    pub fn as_str(self) -> &'static str {
        self.name
    }

    pub(in crate::domain) fn of_minor(minor: u8) -> Option<Version> {
        Self::ALL.into_iter().find(|version| version.minor == minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|version| version.name == text).ok_or_else(|| {
            match text.split('.').next() {
                Some("1" | "2") if text.split('.').count() == 3 => {
                    format!("Ignition spec {} is not supported: write it anew for spec 3", place::shown(text))
                }
                _ => format!(
                    "`{}` is no Ignition spec that is supported: 3.0.0 to {}",
                    place::shown(text),
                    Self::NEWEST
                ),
            }
        })
    }
}

/// One thing that is wrong, or odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `storage.files[0].mode`; empty for the whole.
    pub path: String,
    /// Inside of the text there (a unit's contents), the line, from 1.
    pub line: Option<usize>,
    /// What.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path.as_str(), self.line) {
            ("", _) => f.write_str(&self.message),
            (path, None) => write!(f, "{path}: {}", self.message),
            (path, Some(line)) => write!(f, "{path}, line {line}: {}", self.message),
        }
    }
}

/// What [`validate`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Ignition would refuse the config.
    pub errors: Vec<Problem>,
    /// Ignition would take it, but not as it looks.
    pub warnings: Vec<Problem>,
}

/// Nobody reads more errors, or more warnings, than this.
const MOST: usize = 500;

impl Report {
    fn error(&mut self, path: &str, message: impl Into<String>) {
        self.push_error(Problem { path: path.to_owned(), line: None, message: message.into() });
    }

    fn warning(&mut self, path: &str, message: impl Into<String>) {
        self.push_warning(Problem { path: path.to_owned(), line: None, message: message.into() });
    }

    fn push_error(&mut self, problem: Problem) {
        if self.errors.len() < MOST {
            self.errors.push(problem);
        }
    }

    fn push_warning(&mut self, problem: Problem) {
        if self.warnings.len() < MOST {
            self.warnings.push(problem);
        }
    }
}

/// Judges a config of any version that we know.
pub fn validate(config: &Value) -> Report {
    let mut report = Report::default();
    if !config.is_object() {
        report.error("", "a config is a map that begins with `ignition`");
        return report;
    }
    match version_of(config) {
        Ok(version) => validate_as(config, version, &mut report),
        Err(problem) => report.errors.push(problem),
    }
    report
}

fn validate_as(config: &Value, version: Version, report: &mut Report) {
    let (clean, mistyped) = shape::check(config, version.minor, report);
    let mut more = Report::default();
    rules::check(&clean, version.minor, &mut more);
    // A field of the wrong type counted as absent: that it is missing must not be said as well.
    more.errors.retain(|problem| !place::upwards(&problem.path).any(|path| mistyped.contains(path)));
    report.errors.append(&mut more.errors);
    report.warnings.append(&mut more.warnings);
    report.errors.truncate(MOST);
    report.warnings.truncate(MOST);
}

/// The version that a config says it is.
pub fn version_of(config: &Value) -> Result<Version, Problem> {
    let problem = |path: &str, message: String| Problem { path: path.to_owned(), line: None, message };
    match config.get("ignition").map(|ignition| (ignition, ignition.get("version"))) {
        Some((_, Some(Value::String(text)))) => {
            text.parse().map_err(|message| problem("ignition.version", message))
        }
        Some((_, Some(other))) if !other.is_null() => {
            Err(problem("ignition.version", format!("a text is expected here, not {}", place::kind(other))))
        }
        Some((ignition, _)) if ignition.is_object() || ignition.is_null() => Err(problem(
            "ignition",
            format!("`version` is missing, like `\"version\": \"{}\"`", Version::NEWEST),
        )),
        Some((other, _)) => {
            Err(problem("ignition", format!("a map is expected here, not {}", place::kind(other))))
        }
        None => Err(problem("", "`ignition` is missing, which says the config's version".to_owned())),
    }
}

/// Reads a config from JSON and judges it: the config and what is odd about it, or else all that is wrong, at its place.
pub fn check_text(text: &str) -> Result<(Value, Vec<Located>), Vec<Located>> {
    let config: Value = serde_json::from_str(text).map_err(|error| {
        let pos = Position { line: error.line().max(1), column: error.column().max(1) };
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        vec![Located::new(pos, format!("this is no JSON: {message}"))]
    })?;
    let report = validate(&config);
    // JSON is YAML too: the reader that remembers places can be had for nothing.
    let tree = yaml::parse_documents(text).ok().and_then(|documents| documents.into_iter().next());
    let place = |problem: &Problem| {
        let pos = tree.as_ref().and_then(|tree| tree.locate(&problem.path)).unwrap_or(Position::START);
        Located::new(pos, problem.to_string())
    };
    if report.errors.is_empty() {
        Ok((config, report.warnings.iter().map(place).collect()))
    } else {
        Err(report.errors.iter().map(place).collect())
    }
}

/// Makes a config one that an Ignition knowing no spec newer than `newest` takes. One that is old enough stays as it is;
/// else only its version changes, and everything in it that needs the newer spec is an error.
pub fn retarget(config: &Value, newest: Version) -> Result<Value, Vec<Problem>> {
    let version = version_of(config).map_err(|problem| vec![problem])?;
    if version <= newest {
        return Ok(config.clone());
    }
    let mut lowered = config.clone();
    if let Some(place) = lowered.pointer_mut("/ignition/version") {
        *place = Value::String(newest.name.to_owned());
    }
    let mut report = Report::default();
    validate_as(&lowered, newest, &mut report);
    let before = validate(config);
    let mut problems: Vec<Problem> =
        report.errors.into_iter().filter(|p| !before.errors.contains(p)).collect();
    // A field that the older spec does not have, or bits of a mode that it does not set, would be lost without a word.
    problems.extend(report.warnings.into_iter().filter(|p| !before.warnings.contains(p)));
    for problem in &mut problems {
        problem.message =
            format!("with Ignition spec {newest}, which is what the image understands: {}", problem.message);
    }
    if problems.is_empty() { Ok(lowered) } else { Err(problems) }
}

/// The oldest spec that has everything that a config uses.
pub fn needed(config: &Value) -> Result<Version, Problem> {
    let version = version_of(config)?;
    let enough = |older: &Version| *older >= version || retarget(config, *older).is_ok();
    Ok(Version::ALL.into_iter().find(enough).unwrap_or(version))
}
