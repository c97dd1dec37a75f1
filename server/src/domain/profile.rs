//! A profile's configs for one machine: templates filled in, Butane transpiled, everything checked.
mod context;
mod files;
mod kept;
mod provenance;
mod secrets;
mod template;

pub use context::{ClusterContext, Context, MachineContext, SiteContext, SubnetContext};
pub use files::{MOST_BYTES, MOST_FILES};
pub use kept::Kept;
pub use provenance::{Line, Part, Whole, check_whole, merged, parts};
pub use secrets::{
    Place, SecretUse, SecretValues, VARIABLES, check as check_secrets, declared as declared_secrets,
    differ_in_texts_only, mask, place, used as used_secrets,
};
pub use template::{UNKNOWN, filled, without_tags};

use super::{
    butane::{self, Located, Span},
    ignition::{self, Version, place},
    script::check_argument,
};
use pilotlight_types::resource::{ImageOs, ImageSpec, Name, ProfileSpec};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

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
    /// For each path in the config, where it stands in the Butane text that the template made; nothing for raw Ignition.
    places: Option<BTreeMap<String, Span>>,
    /// The Butane text that the template made.
    filled: String,
}

/// The newest Ignition spec that an image takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The image.
    pub image: Name,
    /// The spec.
    pub newest: Version,
}

impl Limit {
    /// An image's limit: what it says of itself, else what is known of its OS.
    pub fn of(image: &Name, spec: &ImageSpec) -> Option<Self> {
        let said = spec.ignition.as_deref().and_then(|text| text.parse().ok());
        let newest = said.or(match spec.os {
            ImageOs::FedoraCoreos => Some(Version::NEWEST),
            // What Butane's newest version for it makes.
            ImageOs::Flatcar => "3.4.0".parse().ok(),
            ImageOs::ContainerLinux | ImageOs::Generic => None,
        })?;
        Some(Self { image: image.clone(), newest })
    }
}

/// The profile's own config for one machine; none if it has none.
pub fn config(spec: &ProfileSpec, context: &Context) -> Result<Option<Config>, Vec<Wrong>> {
    match (&spec.butane, &spec.ignition) {
        (Some(_), Some(_)) => {
            Err(vec![wrong("spec.ignition", "a profile has `butane` or `ignition`, not both".into())])
        }
        (None, _) if !spec.files.is_empty() => {
            Err(vec![wrong("spec.files", "files are for `butane`, which this profile does not have".into())])
        }
        (None, None) => Ok(None),
        (None, Some(ignition)) => raw(&Value::Object(ignition.clone())).map(Some),
        (Some(text), None) => transpiled(spec, text, context).map(Some),
    }
}

/// Why kernel arguments take no secrets.
const NO_SECRETS: &str = "kernel arguments cannot hold secrets: they cross the network in plain HTTP, and every program on the machine can read \
                          them; write the secret to a file in `butane`";

/// How long the profile's kernel arguments may be together. COMMAND_LINE_SIZE is 2,048 on x86 and ARM; ours are up to 400.
const MOST_ARGUMENT_BYTES: usize = 1_600;

/// The profile's kernel arguments for one machine. One that its template leaves empty is left out.
pub fn kernel_args(spec: &ProfileSpec, context: &Context) -> Result<Vec<String>, Vec<Wrong>> {
    let (mut args, mut wrongs) = (Vec::new(), Vec::new());
    for (index, argument) in spec.kernel_args.iter().enumerate() {
        let path = format!("spec.kernelArgs[{index}]");
        if !template::secrets(argument).is_empty() {
            wrongs.push(wrong(&path, NO_SECRETS.to_owned()));
            continue;
        }
        match template::fill(argument, context) {
            Ok(filled) if filled.is_empty() && template::is_template(argument) => {}
            Ok(filled) => match check_argument(&filled) {
                Ok(()) => args.push(filled),
                Err(bad) => wrongs.push(wrong(&path, bad.to_string())),
            },
            Err(bad) => wrongs.push(Wrong { position: bad.position, ..wrong(&path, bad.message) }),
        }
    }
    let bytes: usize = args.iter().map(|argument| argument.len() + 1).sum();
    if bytes > MOST_ARGUMENT_BYTES {
        let detail = format!(
            "the kernel arguments are {bytes} bytes together, and {MOST_ARGUMENT_BYTES} at the most: a kernel reads 2,047 bytes of its \
             line and drops the rest without a word, and Pilotlight adds its own"
        );
        wrongs.push(wrong("spec.kernelArgs", detail));
    }
    if wrongs.is_empty() { Ok(args) } else { Err(wrongs) }
}

/// For each of the kernel arguments that [`kernel_args`] makes, its number in the profile, and the variables in its template.
pub fn kernel_arg_places(spec: &ProfileSpec, context: &Context) -> Vec<(usize, BTreeSet<String>)> {
    let is_left_out = |text: &str| {
        template::is_template(text) && template::fill(text, context).is_ok_and(|filled| filled.is_empty())
    };
    let variables = |text: &str| template::variables(text).into_iter().flatten().collect();
    let all = spec.kernel_args.iter().enumerate().filter(|(_, text)| !is_left_out(text));
    all.map(|(number, text)| (number, variables(text))).collect()
}

/// Whether the profile's kernel arguments are the same for every machine.
pub fn has_fixed_args(spec: &ProfileSpec) -> bool {
    !spec.kernel_args.iter().any(|text| template::is_template(text))
}

/// Whether what the profile makes is the same for every machine.
pub fn is_fixed(spec: &ProfileSpec) -> bool {
    let is_fixed = |text: &str| !template::is_template(text);
    has_fixed_args(spec)
        && spec.butane.as_deref().is_none_or(is_fixed)
        && spec.secrets.values().all(|reference| is_fixed(reference.text()))
}

/// The config as an image takes it that knows no newer spec than that; or all in it that needs a newer one.
pub fn lowered(
    config: &Config,
    spec: &ProfileSpec,
    context: &Context,
    limit: &Limit,
) -> Result<Value, Vec<Wrong>> {
    ignition::retarget(&config.ignition, limit.newest).map_err(|problems| {
        let told = |problem: ignition::Problem| Wrong {
            detail: format!(
                "image {} takes Ignition specs up to {}: {}",
                limit.image, limit.newest, problem.message
            ),
            ..config.wrong_at(&problem.path, spec, context)
        };
        problems.into_iter().map(told).collect()
    })
}

impl Config {
    /// The place of a path of this config in its profile, with nothing said of it yet.
    fn wrong_at(&self, path: &str, spec: &ProfileSpec, context: &Context) -> Wrong {
        let Some(span) = self.span(path) else {
            return wrong(format!("spec.ignition.{path}").trim_end_matches('.'), String::new());
        };
        let text = spec.butane.as_deref().unwrap_or_default();
        let trace = Trace::of(text, context, &self.filled);
        Wrong {
            position: Some(trace.position(span.pos.line, span.pos.column)),
            ..wrong("spec.butane", String::new())
        }
    }

    /// Where a path, or else what it is in, stands in the Butane text.
    fn span(&self, path: &str) -> Option<Span> {
        let places = self.places.as_ref()?;
        place::upwards(path).chain([""]).find_map(|path| places.get(path)).copied()
    }
}

/// From the lines of a filled-in text back to those of its template.
struct Trace<'t> {
    template: Vec<&'t str>,
    filled: Vec<&'t str>,
    lines: Option<Vec<usize>>,
}

impl<'t> Trace<'t> {
    fn of(template: &'t str, context: &Context, filled: &'t str) -> Self {
        Self {
            template: template.split('\n').collect(),
            filled: filled.split('\n').collect(),
            lines: template::lines(template, context, filled),
        }
    }

    /// A place in the template. The column is kept where the template left the line as it was.
    fn position(&self, line: usize, column: usize) -> (usize, usize) {
        let Some(written) = self.lines.as_ref().and_then(|lines| lines.get(line.saturating_sub(1))) else {
            return (line.min(self.template.len()).max(1), 1);
        };
        let same = self.template.get(written - 1) == self.filled.get(line.saturating_sub(1));
        (*written, if same { column } else { 1 })
    }
}

fn transpiled(spec: &ProfileSpec, text: &str, context: &Context) -> Result<Config, Vec<Wrong>> {
    let files = files::of(&spec.files)?;
    let undeclared = undeclared(text, context);
    if !undeclared.is_empty() {
        return Err(undeclared);
    }
    let filled = template::fill(text, context)
        .map_err(|bad| vec![Wrong { position: bad.position, ..wrong("spec.butane", bad.message) }])?;
    let trace = || Trace::of(text, context, &filled);
    match butane::transpile_with(&filled, &files) {
        Ok(done) => {
            let mut warnings = Vec::new();
            if !done.warnings.is_empty() {
                let trace = trace();
                let told =
                    |w: &Located| format!("line {}: {}", trace.position(w.line, w.column).0, w.message);
                warnings = done.warnings.iter().map(told).collect();
            }
            Ok(Config { ignition: done.ignition, warnings, places: Some(done.places), filled })
        }
        Err(errors) => {
            let trace = trace();
            let told = |e: Located| Wrong {
                position: Some(trace.position(e.line, e.column)),
                ..wrong("spec.butane", e.message)
            };
            Err(errors.into_iter().map(told).collect())
        }
    }
}

/// The secrets that a template uses and nobody declares: some filters would make an empty text of them.
fn undeclared(text: &str, context: &Context) -> Vec<Wrong> {
    let mut missing = template::secrets(text);
    missing.retain(|name| !name.is_empty() && !context.secrets.has(name));
    if missing.is_empty() {
        return Vec::new();
    }
    let lines = template::variables(text);
    let told = |name: String| {
        let line = lines.iter().position(|names| names.contains(&format!("secrets.{name}")));
        let detail = format!("there is no secret `{name}`: declare where it is under `secrets`");
        Wrong { position: line.map(|line| (line + 1, 1)), ..wrong("spec.butane", detail) }
    };
    missing.into_iter().map(told).collect()
}

fn raw(ignition: &Value) -> Result<Config, Vec<Wrong>> {
    let report = ignition::validate(ignition);
    if !report.errors.is_empty() {
        let at = |path: &str| format!("spec.ignition.{path}").trim_end_matches('.').to_owned();
        return Err(report.errors.into_iter().map(|e| wrong(&at(&e.path), e.message)).collect());
    }
    let warnings = report.warnings.into_iter().map(|w| format!("{}: {}", w.path, w.message)).collect();
    Ok(Config { ignition: ignition.clone(), warnings, places: None, filled: String::new() })
}

fn wrong(path: &str, detail: String) -> Wrong {
    Wrong { path: path.to_owned(), position: None, detail }
}

/// The configs of a profile and its layers for one machine, lowest first, as the image takes them.
pub fn configs<'a>(
    layers: impl IntoIterator<Item = &'a (Name, std::sync::Arc<ProfileSpec>)>,
    context: &Context,
    limit: Option<&Limit>,
) -> Result<Vec<Value>, Vec<Wrong>> {
    Ok(parts(layers, context, limit)?.into_iter().map(|part| part.ignition).collect())
}

#[cfg(test)]
mod tests;
