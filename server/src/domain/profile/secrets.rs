//! Secrets in profiles: which of them a machine's config may hold, where their values are, and the masks that stand for them.
//!
//! Everything that people see is made with masks from the start: a value that was base64'd, compressed or cut in pieces cannot be
//! found in a finished config again. Only what goes to the machine itself is made with values.
use super::{Context, Wrong, template, wrong};
use pilotlight_types::resource::{GroupSpec, MachineSpec, Name, ProfileSpec, SecretName, SecretRef};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// The most secrets of one profile, group or machine.
const MOST: usize = 100;
/// The longest reference, in bytes.
const LONGEST: usize = 512;
/// What the names of the environment's variables begin with that may hold secrets: the daemon's own settings do not.
pub const VARIABLES: &str = "PILOTLIGHT_SECRET_";

/// What templates find under `secrets`: values, or the masks that stand for them. It never prints itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecretValues {
    values: BTreeMap<SecretName, String>,
    /// Values, to which no mask is ever added: a machine would take it for one.
    real: bool,
}

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} secrets)", self.values.len())
    }
}

impl Serialize for SecretValues {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.values.iter().map(|(name, value)| (name.as_str(), value)))
    }
}

impl SecretValues {
    /// These values.
    pub fn new(values: impl IntoIterator<Item = (SecretName, String)>) -> Self {
        Self { values: values.into_iter().collect(), real: true }
    }

    /// A mask for each of these names: `<secret NAME>`.
    pub fn masks<'a>(names: impl IntoIterator<Item = &'a SecretName>) -> Self {
        Self { values: names.into_iter().map(|name| (name.clone(), mask(name))).collect(), real: false }
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.values.keys().any(|known| known.as_str() == name)
    }

    /// The same, with a mask for each of these names that it does not have; values stay as they are.
    pub(super) fn or_masks<'a>(mut self, names: impl IntoIterator<Item = &'a SecretName>) -> Self {
        for name in names.into_iter().filter(|_| !self.real) {
            self.values.entry(name.clone()).or_insert_with(|| mask(name));
        }
        self
    }
}

/// What stands for a secret wherever people look.
pub fn mask(name: &SecretName) -> String {
    format!("<secret {name}>")
}

/// A secret of a machine's config: its name in templates, where its value is, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// Its name in templates.
    pub name: SecretName,
    /// Where its value is, as it was written.
    pub reference: SecretRef,
    /// Who says so: `profile worker`.
    pub from: String,
}

/// The secrets that are declared for a machine: those of the layers, lowest first, then its group's, then its own. Of those of one
/// name the last one counts.
pub fn declared<'a>(
    layers: impl IntoIterator<Item = &'a (Name, Arc<ProfileSpec>)>,
    group: Option<(&Name, &'a GroupSpec)>,
    machine: Option<(&Name, &'a MachineSpec)>,
) -> BTreeMap<SecretName, SecretUse> {
    let mut all = BTreeMap::new();
    let mut add = |secrets: &BTreeMap<SecretName, SecretRef>, from: String| {
        for (name, reference) in secrets {
            let one = SecretUse { name: name.clone(), reference: reference.clone(), from: from.clone() };
            all.insert(name.clone(), one);
        }
    };
    for (name, spec) in layers {
        add(&spec.secrets, format!("profile {name}"));
    }
    if let Some((name, group)) = group {
        add(&group.secrets, format!("group {name}"));
    }
    if let Some((name, machine)) = machine {
        add(&machine.secrets, format!("machine {name}"));
    }
    all
}

/// Those of the declared secrets that the layers' templates use. All of them, where a template does not say which.
pub fn used<'a>(
    layers: impl IntoIterator<Item = &'a (Name, Arc<ProfileSpec>)>,
    declared: &BTreeMap<SecretName, SecretUse>,
) -> Vec<SecretUse> {
    let mut names = BTreeSet::new();
    for (_, spec) in layers {
        names.extend(spec.butane.as_deref().map(template::secrets).unwrap_or_default());
    }
    let all = names.contains("");
    declared.values().filter(|one| all || names.contains(one.name.as_str())).cloned().collect()
}

/// Where the value of a secret is, for one machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In a file, by its absolute path.
    File(String),
    /// In a variable of the environment.
    Env(String),
    /// In Vault's key-value store, version 2.
    Vault {
        /// The path as Vault's policies have it: `secret/data/pilotlight/n1`.
        path: String,
        /// The key of what is there.
        key: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {path}"),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Vault { path, key } => write!(f, "Vault {path}#{key}"),
        }
    }
}

/// What references may use: only what operators declared. What a machine says of itself would let it choose another's secret.
#[derive(Serialize)]
struct Declared<'a> {
    machine: Value,
    vars: &'a BTreeMap<String, Value>,
    site: &'a super::SiteContext,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: &'a Option<super::ClusterContext>,
}

/// The place that a reference means for the machine of this context.
pub fn place(reference: &SecretRef, context: &Context) -> Result<Place, String> {
    let mut machine = serde_json::to_value(&context.machine).unwrap_or_default();
    if let Some(machine) = machine.as_object_mut() {
        machine.retain(|key, _| !["mac", "ip", "facts"].contains(&key.as_str()));
    }
    let declared = Declared { machine, vars: &context.vars, site: &context.site, cluster: &context.cluster };
    let text = template::fill(reference.text(), &declared).map_err(|bad| {
        format!("{}; a reference may use what is declared of a machine (name, labels, rack, unit, uuid, serial), vars, site and cluster", bad.message)
    })?;
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(format!("up to {LONGEST} printable bytes are expected"));
    }
    match reference {
        SecretRef::File(_) => {
            let Some(inside) = text.strip_prefix('/') else {
                return Err(format!("`{text}` is no absolute path"));
            };
            simple(inside, &text)?;
            Ok(Place::File(text))
        }
        SecretRef::Env(_) => {
            let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
            let good = text.strip_prefix(VARIABLES).is_some_and(|rest| !rest.is_empty());
            if !good || !text.bytes().all(plain) {
                return Err(format!(
                    "`{text}` is no variable for secrets: {VARIABLES} and A-Z, 0-9 or _ are expected"
                ));
            }
            Ok(Place::Env(text))
        }
        SecretRef::Vault(_) => {
            let Some((path, key)) = text.split_once('#').filter(|(_, key)| !key.is_empty()) else {
                return Err(format!("`{text}` names no key: `path#key` is expected"));
            };
            simple(path, path)?;
            let inner = path.split('/').skip(1).position(|part| part == "data");
            if inner.is_none_or(|at| path.split('/').count() <= at + 2) {
                return Err(format!(
                    "`{path}` is no path of the key-value store, version 2: it is written as in Vault's policies, MOUNT/data/PATH"
                ));
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.:@+~".contains(c);
            if let Some(odd) = path.chars().find(|c| !plain(*c)) {
                return Err(format!("`{path}` holds `{odd}`: letters, digits and _-.:@+~ are expected"));
            }
            Ok(Place::Vault { path: path.to_owned(), key: key.to_owned() })
        }
    }
}

/// A path without parts that lead elsewhere than it looks.
fn simple(path: &str, shown: &str) -> Result<(), String> {
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(format!(
            "`{shown}` is not written simply: without `..`, `.`, double slashes and one at its end"
        ));
    }
    Ok(())
}

/// What is wrong with the secrets that a resource declares, as far as it can be told without a machine.
pub fn check(secrets: &BTreeMap<SecretName, SecretRef>, context: &Context) -> Vec<Wrong> {
    if secrets.len() > MOST {
        return vec![wrong(
            "spec.secrets",
            format!("at most {MOST} secrets are expected, these are {}", secrets.len()),
        )];
    }
    let told = |(name, reference): (&SecretName, &SecretRef)| {
        let bad = place(reference, context).err()?;
        Some(wrong(&format!("spec.secrets.{name}.{}", reference.source()), bad))
    };
    secrets.iter().filter_map(told).collect()
}

/// Whether two configs differ in texts only. A value that changes more than the text that it stands in was not quoted where it is
/// used: it would end the text, and add to the config what no profile says.
pub fn differ_in_texts_only(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(_), Value::String(_)) => true,
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| differ_in_texts_only(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|((key, one), (name, other))| key == name && differ_in_texts_only(one, other))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests;
