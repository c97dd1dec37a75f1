//! The whole that Ignition makes of a profile and its layers, and where each value of it comes from.
use super::{Config, Context, Limit, Trace, Wrong, config, lowered, template};
use crate::domain::ignition::{self, merge::merge_all};
use pilotlight_types::resource::{Name, ProfileSpec};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

/// A profile's part in a machine's config.
#[derive(Debug, Clone)]
pub struct Part {
    /// The profile.
    pub profile: Name,
    /// The config, as the image takes it.
    pub ignition: Value,
    /// What is odd about it, in words.
    pub warnings: Vec<String>,
    spec: Arc<ProfileSpec>,
    config: Config,
}

/// How long a config may be, as it is sent.
const MOST_CONFIG_BYTES: usize = 8 << 20;

/// The parts of a profile and its layers for one machine, lowest first. Paths of what is wrong begin with the profile's name. Secrets
/// that the layers declare and the context does not have are masked.
pub fn parts<'a>(
    layers: impl IntoIterator<Item = &'a (Name, Arc<ProfileSpec>)>,
    context: &Context,
    limit: Option<&Limit>,
) -> Result<Vec<Part>, Vec<Wrong>> {
    let layers: Vec<_> = layers.into_iter().collect();
    let context = &masked(context, layers.iter().map(|(_, spec)| &**spec));
    let mut parts = Vec::new();
    for (name, spec) in layers {
        let named = |wrongs: Vec<Wrong>| -> Vec<Wrong> {
            wrongs.into_iter().map(|w| Wrong { path: format!("{name}: {}", w.path), ..w }).collect()
        };
        let Some(config) = config(spec, context).map_err(named)? else { continue };
        let ignition = match limit {
            Some(limit) => lowered(&config, spec, context, limit).map_err(named)?,
            None => config.ignition.clone(),
        };
        let warnings = config.warnings.clone();
        parts.push(Part { profile: name.clone(), ignition, warnings, spec: spec.clone(), config });
    }
    Ok(parts)
}

/// The context with a mask for each secret of these specs that it does not have.
fn masked<'a>(context: &Context, specs: impl IntoIterator<Item = &'a ProfileSpec>) -> Context {
    let names = specs.into_iter().flat_map(|spec| spec.secrets.keys());
    Context { secrets: context.secrets.clone().or_masks(names), ..context.clone() }
}

/// What Ignition makes of the parts on the machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// The config.
    pub ignition: Value,
    /// Where each of its values comes from, in the order of the config.
    pub lines: Vec<Line>,
}

/// A value of the whole, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Its path in the whole: `storage.files[0].mode`.
    pub path: String,
    /// The value.
    pub value: Value,
    /// The profile that it is from.
    pub profile: Name,
    /// The field of the profile: `spec.butane`, or `spec.ignition` with the path in it.
    pub field: String,
    /// Line and column in the text of that field, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<(usize, usize)>,
    /// The template variables that these lines of the text use.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub variables: BTreeSet<String>,
}

/// Merges the parts, as Ignition does.
pub fn merged(parts: &[Part], context: &Context) -> Whole {
    let configs: Vec<Value> = parts.iter().map(|part| part.ignition.clone()).collect();
    let whole = merge_all(&configs);
    let context = &masked(context, parts.iter().map(|part| &*part.spec));
    let origins: Vec<Origin<'_>> = parts.iter().map(|part| Origin::of(part, context)).collect();
    let mut lines = Vec::new();
    leaves("", &whole.config, &mut |path, value| {
        let Some(source) = whole.sources.get(path) else { return };
        let Some(origin) = origins.get(source.layer) else { return };
        lines.push(origin.line(path, value, &source.path));
    });
    Whole { ignition: whole.config, lines }
}

/// What is wrong with the whole though each part is right: one writes below what another made a link, and the like.
pub fn check_whole(parts: &[Part], context: &Context) -> Vec<Wrong> {
    // As it is sent: the parts are in `data:` URLs, in base64.
    let bytes: usize = parts.iter().map(|part| part.ignition.to_string().len().div_ceil(3) * 4).sum();
    if bytes > MOST_CONFIG_BYTES {
        let detail = format!(
            "with its layers, the config is {bytes} bytes as it is sent, and {MOST_CONFIG_BYTES} at the most: a machine holds it in the \
             memory of its initramfs, several times over. Let it fetch what is large: `source` with a URL and a `hash`"
        );
        let path = if parts.len() > 1 { "spec.layers" } else { "spec" };
        return vec![Wrong { path: path.to_owned(), position: None, detail }];
    }
    if parts.len() < 2 {
        return Vec::new();
    }
    let configs: Vec<Value> = parts.iter().map(|part| part.ignition.clone()).collect();
    let context = &masked(context, parts.iter().map(|part| &*part.spec));
    let whole = merge_all(&configs);
    let told = |problem: ignition::Problem| {
        let source = ignition::place::upwards(&problem.path).find_map(|path| whole.sources.get(path));
        let part = source.and_then(|source| Some((source, parts.get(source.layer)?)));
        let detail = format!("with its layers, the config is wrong: {problem}");
        match part {
            Some((source, part)) => {
                let at = part.config.wrong_at(&source.path, &part.spec, context);
                Wrong { path: format!("{}: {}", part.profile, at.path), detail, ..at }
            }
            None => Wrong { path: "spec.layers".to_owned(), position: None, detail },
        }
    };
    ignition::validate(&whole.config).errors.into_iter().map(told).collect()
}

/// All that it takes to trace the values of one part.
struct Origin<'p> {
    part: &'p Part,
    trace: Trace<'p>,
    variables: Vec<BTreeSet<String>>,
}

impl<'p> Origin<'p> {
    fn of(part: &'p Part, context: &Context) -> Self {
        let text = part.spec.butane.as_deref().unwrap_or_default();
        Self {
            part,
            trace: Trace::of(text, context, &part.config.filled),
            variables: template::variables(text),
        }
    }

    fn line(&self, path: &str, value: &Value, from: &str) -> Line {
        let part = self.part;
        let Some(span) = part.config.span(from) else {
            let field = format!("spec.ignition.{from}");
            return Line {
                path: path.to_owned(),
                value: value.clone(),
                profile: part.profile.clone(),
                field,
                position: None,
                variables: BTreeSet::new(),
            };
        };
        let position = self.trace.position(span.pos.line, span.pos.column);
        let variables = (span.pos.line..=span.last_line)
            .filter_map(|line| self.variables.get(self.trace.position(line, 1).0.saturating_sub(1)))
            .flatten()
            .cloned()
            .collect();
        Line {
            path: path.to_owned(),
            value: value.clone(),
            profile: part.profile.clone(),
            field: "spec.butane".to_owned(),
            position: Some(position),
            variables,
        }
    }
}

fn leaves(path: &str, value: &Value, found: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                leaves(&ignition::place::join(path, name), value, found);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                leaves(&format!("{path}[{at}]"), value, found);
            }
        }
        value => found(path, value),
    }
}
