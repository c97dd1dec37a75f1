//! `render`: what a profile or a Butane file makes, without a server.
mod secrets;
mod subject;

use super::sources::{Source, place};
use crate::domain::{
    ignition::Version,
    profile::{self, Context, Limit, Line, Part, Wrong},
    yaml::Position,
};
use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use pilotlight_types::{Mac, api::Mistake, facts::Facts, resource::Name};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use subject::{Subject, of_config_file, of_documents};

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RenderOutput {
    /// The Ignition config
    Ignition,
    /// The kernel arguments, one a line
    KernelArgs,
    /// Config, kernel arguments, warnings and provenance, for programs
    Json,
}

/// Make the Ignition config of a profile or a Butane file, here, without a server.
///
/// A profile's layers are merged as Ignition merges them on the machine. What Pilotlight adds when a machine boots (its hostname and
/// the agent) is not in it. Warnings go to standard error; what is wrong is told as FILE:LINE:COLUMN, and ends with exit code 1.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pilotlight render worker.bu
      Butane to Ignition; files beside it are taken along
  pilotlight render -f site/ worker
      a profile of the documents in site/, for an example machine
  pilotlight render -f site/ --machine n1 --provenance
      what n1 gets, and which layer, line and variable each value is from")]
pub(super) struct RenderArgs {
    /// A Butane or Ignition file, a file of resource documents, or the name of a profile among those of -f
    #[arg(required_unless_present = "documents")]
    target: Option<String>,
    /// A file or a folder of resource documents, or - for standard input; may be given several times
    #[arg(short = 'f', long = "file", value_name = "PATH", id = "documents")]
    documents: Vec<PathBuf>,
    /// For this machine of the documents; without one, for an example machine
    #[arg(long, value_name = "NAME", conflicts_with = "mac")]
    machine: Option<String>,
    /// For the machine with this MAC, or one that nobody declared
    #[arg(long)]
    mac: Option<Mac>,
    /// What its agent is to have measured, for templates: JSON, as `facts` of `get machine NAME -o json`
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Where the files of a Butane file are, if not beside it
    #[arg(short = 'd', long, value_name = "FOLDER")]
    files_dir: Option<PathBuf>,
    /// The name of the site, for templates
    #[arg(long, value_name = "NAME", default_value = "example")]
    site: Name,
    /// The newest Ignition spec to write, such as 3.3.0; for a profile, its image says it
    #[arg(long, value_name = "VERSION")]
    ignition: Option<Version>,
    /// Put in the values of secrets that are in files or in the environment of this command; without this, and for those in Vault,
    /// the mask `<secret NAME>`
    #[arg(long)]
    with_secrets: bool,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = RenderOutput::Ignition)]
    output: RenderOutput,
    /// Print where each value comes from instead: its layer, line and template variables
    #[arg(long)]
    provenance: bool,
}

/// Where profiles were read.
enum Origin {
    /// In a file that holds the config itself.
    File(String),
    /// In documents.
    Documents(Vec<Source>),
}

pub(super) fn run(args: &RenderArgs) -> Result<()> {
    let mut subject = match args.target.as_deref().map(Path::new).filter(|path| path.is_file()) {
        Some(path) => match of_config_file(path, args)? {
            Some(subject) => subject,
            None => of_documents(args, Some(path))?,
        },
        None => of_documents(args, None)?,
    };
    if let (Some(newest), Some((name, _))) = (args.ignition, subject.layers.last()) {
        let image = subject.limit.map_or_else(|| name.clone(), |limit| limit.image);
        subject.limit = Some(Limit { image, newest });
    }
    if let Some(file) = &args.facts {
        let facts = facts(file)?;
        subject.context.machine = subject.context.machine.with_facts(Some(&facts));
    }
    let with = secrets::values(&subject, args.with_secrets)?;
    let Subject { layers, limit, context, origin, .. } = &subject;
    let context = &context.clone().with_secrets(with);
    let made = profile::parts(layers, context, limit.as_ref());
    let arguments = layers.last().map_or_else(
        || Ok(Vec::new()),
        |(name, spec)| {
            let named = |w: Wrong| Wrong { path: format!("{name}: {}", w.path), ..w };
            profile::kernel_args(spec, context)
                .map_err(|wrongs| wrongs.into_iter().map(named).collect::<Vec<_>>())
        },
    );
    let (parts, arguments) = match (made, arguments) {
        (Ok(parts), Ok(arguments)) => (parts, arguments),
        (parts, arguments) => {
            let wrongs: Vec<Wrong> = parts
                .err()
                .unwrap_or_default()
                .into_iter()
                .chain(arguments.err().unwrap_or_default())
                .collect();
            return Err(origin.refused(&wrongs));
        }
    };
    let wrongs = profile::check_whole(&parts, context);
    if !wrongs.is_empty() {
        return Err(origin.refused(&wrongs));
    }
    for part in &parts {
        for warning in &part.warnings {
            eprintln!("warning: {}: {warning}", part.profile);
        }
    }
    print(args, origin, &parts, context, &arguments)
}

fn facts(file: &Path) -> Result<Facts> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut reader = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut reader).with_context(|| format!("{} has no facts", file.display()))
}

fn print(
    args: &RenderArgs,
    origin: &Origin,
    parts: &[Part],
    context: &Context,
    arguments: &[String],
) -> Result<()> {
    let whole = profile::merged(parts, context);
    let lines = || whole.lines.iter().map(|line| (line, origin.place(line)));
    match args.output {
        RenderOutput::Json => {
            let lines: Vec<Value> = lines()
                .map(|(line, place)| {
                    let mut line = serde_json::to_value(line).unwrap_or_default();
                    if let (Some(line), Some(place)) = (line.as_object_mut(), place) {
                        line.insert("source".to_owned(), Value::String(place));
                    }
                    line
                })
                .collect();
            let warnings: Vec<String> = parts
                .iter()
                .flat_map(|part| part.warnings.iter().map(|warning| format!("{}: {warning}", part.profile)))
                .collect();
            let all = json!({"ignition": whole.ignition, "kernelArgs": arguments, "warnings": warnings, "provenance": lines});
            println!("{}", serde_json::to_string_pretty(&all)?);
        }
        _ if args.provenance => {
            for (line, place) in lines() {
                let place = place.unwrap_or_else(|| line.field.clone());
                let with: Vec<&str> = line.variables.iter().map(String::as_str).collect();
                let with =
                    if with.is_empty() { String::new() } else { format!(", with {}", with.join(", ")) };
                println!("{} = {}\n    {} at {place}{with}", line.path, short(&line.value), line.profile);
            }
        }
        RenderOutput::KernelArgs => arguments.iter().for_each(|argument| println!("{argument}")),
        RenderOutput::Ignition => println!("{}", serde_json::to_string_pretty(&whole.ignition)?),
    }
    Ok(())
}

/// A value in a line's width.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 70 {
        text
    } else {
        format!("{}…", text.chars().take(69).collect::<String>())
    }
}

impl Origin {
    /// Where a value was written: `file:line:column`.
    fn place(&self, line: &Line) -> Option<String> {
        match self {
            Self::File(file) => line.position.map(|(line, column)| format!("{file}:{line}:{column}")),
            Self::Documents(sources) => {
                let source = source_of(sources, &line.profile)?;
                let node = source.node.at(&line.field);
                let inner = line
                    .position
                    .zip(node)
                    .map(|((line, column), node)| node.inner(Position { line, column }));
                let pos = inner.or_else(|| source.node.locate(&line.field))?;
                Some(format!("{}:{}:{}", source.file, pos.line, pos.column))
            }
        }
    }

    /// All that is wrong, each at its place. The path of each begins with the profile's name.
    fn refused(&self, wrongs: &[Wrong]) -> anyhow::Error {
        for wrong in wrongs {
            let (name, path) = wrong.path.split_once(": ").unwrap_or(("", &wrong.path));
            let told = match self {
                Self::File(file) => match wrong.position {
                    Some((line, column)) => format!("{file}:{line}:{column}: {}", wrong.detail),
                    None => format!("{file}: {}", wrong.detail),
                },
                Self::Documents(sources) => {
                    let document = name.parse().ok().and_then(|name| number_of(sources, &name));
                    let mistake = Mistake {
                        document: document.unwrap_or(usize::MAX),
                        path: path.to_owned(),
                        position: wrong.position,
                        detail: wrong.detail.clone(),
                    };
                    place(&mistake, sources)
                }
            };
            eprintln!("{told}");
        }
        anyhow::anyhow!("nothing was rendered: {} mistakes", wrongs.len())
    }
}

fn number_of(sources: &[Source], profile: &Name) -> Option<usize> {
    let text =
        |source: &Source, key: &str| source.node.get(key).and_then(|node| node.text().map(str::to_owned));
    sources.iter().position(|source| {
        text(source, "kind").as_deref() == Some("Profile")
            && text(source, "name").as_deref() == Some(profile.as_str())
    })
}

fn source_of<'s>(sources: &'s [Source], profile: &Name) -> Option<&'s Source> {
    sources.get(number_of(sources, profile)?)
}
