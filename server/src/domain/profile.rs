//! A profile's configs for one machine: templates filled in, Butane transpiled, everything checked.
use super::{butane, ignition};
use minijinja::{Environment, UndefinedBehavior};
use pilotlight_types::resource::{Labels, MachineSpec, Name, ProfileSpec};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeMap, net::IpAddr};

/// What templates may use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Context {
    /// The machine.
    pub machine: MachineContext,
    /// The variables of its group.
    pub vars: BTreeMap<String, Value>,
}

/// A machine, as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MachineContext {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// The interface that boots.
    pub mac: String,
    /// The address that it was given.
    pub ip: Option<IpAddr>,
    /// Its rack.
    pub rack: Option<String>,
    /// Its rack unit.
    pub unit: Option<u16>,
}

impl MachineContext {
    /// A machine that boots from `mac` with the address `ip`.
    pub fn new(name: &str, labels: &Labels, spec: &MachineSpec, mac: &str, ip: Option<IpAddr>) -> Self {
        Self {
            name: name.to_owned(),
            labels: labels.clone(),
            mac: mac.to_owned(),
            ip,
            rack: spec.rack.clone(),
            unit: spec.unit,
        }
    }

    /// A machine that stands for any, to try templates on before there is one.
    pub fn example() -> Self {
        let spec = MachineSpec { rack: Some("r1".into()), unit: Some(1), ..MachineSpec::default() };
        Self::new(
            "example",
            &Labels::default(),
            &spec,
            "02:00:00:00:00:01",
            Some(std::net::Ipv4Addr::new(192, 0, 2, 1).into()),
        )
    }
}

/// Something wrong with a profile's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Where in the profile: `spec.butane`.
    pub path: String,
    /// Line and column in the text at that path, from 1.
    pub position: Option<(usize, usize)>,
    /// What is wrong.
    pub detail: String,
}

/// A config, and what is allowed in it but probably not meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The Ignition config.
    pub ignition: Value,
    /// In words.
    pub warnings: Vec<String>,
}

/// How much work a template may do: steps of the template engine.
const TEMPLATE_FUEL: u64 = 100_000;

/// How long a template's result may be, in bytes.
const LONGEST_TEXT: usize = 4 << 20;

/// The profile's own config for one machine; none if it has none.
pub fn config(spec: &ProfileSpec, context: &Context) -> Result<Option<Config>, Vec<Wrong>> {
    match (&spec.butane, &spec.ignition) {
        (Some(_), Some(_)) => {
            Err(vec![wrong("spec.ignition", "a profile has `butane` or `ignition`, not both".into())])
        }
        (None, None) => Ok(None),
        (None, Some(ignition)) => raw(&Value::Object(ignition.clone())).map(Some),
        (Some(text), None) => {
            let text = fill(text, context).map_err(|e| vec![e])?;
            transpiled(&text).map(Some)
        }
    }
}

/// Whether the profile's config is the same for every machine.
pub fn is_fixed(spec: &ProfileSpec) -> bool {
    spec.butane.as_ref().is_none_or(|text| !is_template(text))
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

fn fill(text: &str, context: &Context) -> Result<String, Wrong> {
    if !is_template(text) {
        return Ok(text.to_owned());
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(TEMPLATE_FUEL));
    let located = |e: minijinja::Error| Wrong {
        path: "spec.butane".into(),
        position: e.line().map(|line| (line, 1)),
        detail: format!(
            "template: {}",
            e.detail().map_or_else(|| e.kind().to_string(), |d| format!("{}: {d}", e.kind()))
        ),
    };
    let filled = environment.render_str(text, minijinja::value::Serde(context)).map_err(located)?;
    if filled.len() > LONGEST_TEXT {
        return Err(wrong(
            "spec.butane",
            format!("the template makes a text of more than {LONGEST_TEXT} bytes"),
        ));
    }
    Ok(filled)
}

fn transpiled(text: &str) -> Result<Config, Vec<Wrong>> {
    let located = |(line, column, detail): (usize, usize, String)| Wrong {
        path: "spec.butane".into(),
        position: Some((line, column)),
        detail,
    };
    match butane::transpile(text) {
        Ok(done) => Ok(Config {
            ignition: done.ignition,
            warnings: done.warnings.into_iter().map(|w| format!("line {}: {}", w.line, w.message)).collect(),
        }),
        Err(errors) => Err(errors.into_iter().map(|e| located((e.line, e.column, e.message))).collect()),
    }
}

fn raw(ignition: &Value) -> Result<Config, Vec<Wrong>> {
    let report = ignition::validate(ignition);
    if !report.errors.is_empty() {
        let at = |path: &str| format!("spec.ignition.{path}").trim_end_matches('.').to_owned();
        return Err(report.errors.into_iter().map(|e| wrong(&at(&e.path), e.message)).collect());
    }
    let warnings = report.warnings.into_iter().map(|w| format!("{}: {}", w.path, w.message)).collect();
    Ok(Config { ignition: ignition.clone(), warnings })
}

fn wrong(path: &str, detail: String) -> Wrong {
    Wrong { path: path.to_owned(), position: None, detail }
}

/// The configs of a profile and its layers for one machine, lowest first.
pub fn configs<'a>(
    layers: impl IntoIterator<Item = &'a (Name, std::sync::Arc<ProfileSpec>)>,
    context: &Context,
) -> Result<Vec<Value>, Vec<Wrong>> {
    let mut all = Vec::new();
    for (name, spec) in layers {
        let made = config(spec, context).map_err(|wrongs| {
            wrongs.into_iter().map(|w| Wrong { path: format!("{name}: {}", w.path), ..w }).collect::<Vec<_>>()
        })?;
        all.extend(made.map(|config| config.ignition));
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
