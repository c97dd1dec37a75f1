//! A plan for a terminal.
use super::{count, guarded, sign, summary};
use pilotlight_types::api::{BootChange, Plan};
use std::fmt::Write;

/// How many lines of one difference are shown without `--detailed`.
const LINES: usize = 40;
/// How many names of one group of machines are shown without `--detailed`.
const NAMES: usize = 20;

/// The plan; all of it, if `detailed`.
pub(super) fn render(plan: &Plan, detailed: bool) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, plan, detailed);
    text
}

fn write(text: &mut String, plan: &Plan, detailed: bool) -> std::fmt::Result {
    for change in plan.changes.iter().filter(|change| change.danger.is_some()) {
        writeln!(
            text,
            "!!! {} {} would be DELETED: {}",
            change.kind,
            change.name,
            change.danger.as_deref().unwrap_or_default()
        )?;
    }
    for change in &plan.changes {
        let revision = change.revision.map(|revision| format!(" (revision {revision})")).unwrap_or_default();
        writeln!(text, "{} {} {}{revision}", sign(change.change), change.kind, change.name)?;
        lines(text, "    ", &change.diff, detailed)?;
    }
    groups(text, "next boot", &plan.boots, detailed)?;
    groups(text, "once provisioned again", &plan.provision, detailed)?;
    for warning in &plan.warnings {
        writeln!(text, "warning: {warning}")?;
    }
    if !plan.is_empty() {
        writeln!(text)?;
    }
    writeln!(text, "{}", summary(plan))?;
    if let Some(guarded) = guarded(plan) {
        writeln!(text, "{guarded}")?;
    }
    if !plan.is_empty() {
        writeln!(text, "Plan hash: {}", plan.hash)?;
    }
    Ok(())
}

fn groups(text: &mut String, when: &str, groups: &[BootChange], detailed: bool) -> std::fmt::Result {
    for group in groups {
        let shown = if detailed { group.machines.len() } else { NAMES };
        let names = group.machines.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
        let more = group.machines.len().saturating_sub(shown);
        let more = if more > 0 { format!(" and {more} more (--detailed names them)") } else { String::new() };
        writeln!(text, "\n~ {when}, {}: {names}{more}", count(group.machines.len(), "machine"))?;
        for part in &group.parts {
            writeln!(text, "    {}:", part.part)?;
            lines(text, "      ", &part.diff, detailed)?;
        }
        if group.machines.len() > 1 {
            let first = group.machines.first().map(String::as_str).unwrap_or_default();
            writeln!(text, "    (of {first}; for the others the same with their own names and addresses)")?;
        }
    }
    Ok(())
}

fn lines(text: &mut String, indent: &str, diff: &[String], detailed: bool) -> std::fmt::Result {
    let shown = if detailed { diff.len() } else { LINES };
    for line in diff.iter().take(shown) {
        writeln!(text, "{indent}{line}")?;
    }
    match diff.len().saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(text, "{indent}… {more} more lines (--detailed shows them)"),
    }
}
