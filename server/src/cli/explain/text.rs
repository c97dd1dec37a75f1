//! What a machine gets, as a text: all of it, or one part; with where each thing is from at the right, if somebody asks.
use super::{Output, Show, print_reasons};
use anyhow::{Context, Result};
use pilotlight_types::api::{ConfigValue, DhcpStep, Explanation, KernelArgument, TemplateVariable};
use serde_json::{Value, json};

/// The longest value that is shown in a line.
const WIDEST: usize = 70;

/// One part, and nothing else: as a text, or as the API has it.
pub(super) fn part(output: Output, explanation: &Explanation, part: Show, provenance: bool) -> Result<()> {
    let missing = || format!("{}: {}", who(explanation), explanation.answer);
    let value = match part {
        Show::Dhcp => json!(explanation.dhcp),
        Show::Script => json!(explanation.script.as_ref().with_context(missing)?),
        Show::KernelArgs => json!(explanation.kernel_args),
        Show::Ignition if provenance => json!(explanation.provenance),
        Show::Ignition => explanation.ignition.clone().with_context(missing)?,
    };
    match (output, part) {
        (Output::Json, _) => println!("{}", serde_json::to_string_pretty(&value)?),
        (Output::Yaml, _) => print!("{}", serde_saphyr::to_string(&value)?),
        (Output::Table, Show::Dhcp) => dhcp(&explanation.dhcp, provenance, ""),
        (Output::Table, Show::Script) => print!("{}", explanation.script.as_deref().unwrap_or_default()),
        (Output::Table, Show::KernelArgs) => arguments(&explanation.kernel_args, provenance, ""),
        (Output::Table, Show::Ignition) if provenance => values(&explanation.provenance, ""),
        (Output::Table, Show::Ignition) => println!("{}", serde_json::to_string_pretty(&value)?),
    }
    Ok(())
}

/// Everything.
pub(super) fn all(explanation: &Explanation, provenance: bool) {
    println!("{}: {}", who(explanation), explanation.answer);
    print_reasons(&explanation.because);
    if provenance && !explanation.dhcp.is_empty() {
        println!("\nDHCP");
        dhcp(&explanation.dhcp, true, "  ");
    }
    if let Some(script) = &explanation.script {
        println!("\nscript");
        script.lines().for_each(|line| println!("  {line}"));
    }
    if !explanation.kernel_args.is_empty() {
        println!("\nkernel arguments");
        arguments(&explanation.kernel_args, provenance, "  ");
    }
    if !explanation.secrets.is_empty() {
        println!("\nsecrets");
    }
    for secret in &explanation.secrets {
        println!("  {}: {}, says {}", secret.name, secret.place, secret.from);
    }
    let Some(ignition) = &explanation.ignition else { return };
    let version = explanation.ignition_version.as_ref().map(|version| format!(", spec {version}"));
    let bytes = explanation.ignition_bytes.map(|bytes| format!(", {bytes} bytes"));
    println!(
        "\nIgnition config (secrets masked){}{}",
        version.unwrap_or_default(),
        bytes.unwrap_or_default()
    );
    if provenance {
        values(&explanation.provenance, "  ");
    } else {
        let text = serde_json::to_string_pretty(ignition).unwrap_or_default();
        text.lines().for_each(|line| println!("  {line}"));
    }
}

fn who(explanation: &Explanation) -> &str {
    explanation.machine.as_deref().unwrap_or("this machine")
}

fn dhcp(steps: &[DhcpStep], provenance: bool, indent: &str) {
    for DhcpStep { asks, answer, fields } in steps {
        println!("{indent}{asks}: {answer}");
        for field in fields {
            let code = field.code.map(|code| format!("{code:>3} ")).unwrap_or_default();
            let line = format!("{indent}  {:<28} {}", format!("{code}{}", field.name), field.value);
            if provenance { aside(&line, &field.from) } else { println!("{line}") }
        }
    }
}

fn arguments(all: &[KernelArgument], provenance: bool, indent: &str) {
    for KernelArgument { argument, from, variables } in all {
        let line = format!("{indent}{argument}");
        if provenance { aside(&line, &format!("{from}{}", with(variables))) } else { println!("{line}") }
    }
}

fn values(all: &[ConfigValue], indent: &str) {
    for value in all {
        let place = match (value.line, value.column) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}", value.field),
            _ => value.field.clone(),
        };
        let line = format!("{indent}{} = {}", value.path, short(&value.value));
        aside(&line, &format!("{} at {place}{}", value.profile, with(&value.variables)));
    }
}

/// A line, with where it is from at its right.
fn aside(line: &str, from: &str) {
    println!("{line:<78}  # {from}");
}

fn with(variables: &[TemplateVariable]) -> String {
    let told = |one: &TemplateVariable| format!(", with {} = {} ({})", one.name, short(&one.value), one.from);
    variables.iter().map(told).collect()
}

/// A value in a line's width.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= WIDEST {
        return text;
    }
    text.chars().take(WIDEST - 1).chain(['…']).collect()
}
