//! A plan for a merge request: differences are folded up, and the whole is no longer than a comment may be.
use super::{count, guarded, summary};
use pilotlight_types::api::{BootChange, Change, Plan};
use std::fmt::Write;

/// The longest text, in bytes: GitHub takes 65,536 characters in a comment, GitLab a million.
const LONGEST: usize = 60_000;
/// The most bytes of one difference.
const LONGEST_DIFF: usize = 8_000;
/// How many names of one group of machines are shown.
const NAMES: usize = 50;

/// The plan.
pub(super) fn render(plan: &Plan) -> String {
    let mut text = String::from("### Pilotlight plan\n\n");
    let _ = writeln!(text, "{}", summary(plan));
    for change in plan.changes.iter().filter(|change| change.danger.is_some()) {
        let danger = escaped(change.danger.as_deref().unwrap_or_default());
        let _ =
            writeln!(text, "\n> :warning: **{} {} would be deleted: {danger}**", change.kind, change.name);
    }
    if let Some(guarded) = guarded(plan) {
        let _ = writeln!(text, "\n> :warning: {guarded}");
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "\n> :warning: {}", escaped(warning));
    }
    let mut sections = Vec::new();
    for change in &plan.changes {
        let verb = match change.change {
            Change::Created => "create",
            Change::Updated => "update",
            Change::Unchanged => "keep",
            Change::Deleted => "delete",
        };
        sections.push(folded(&format!("<b>{verb}</b> {} {}", change.kind, change.name), &change.diff));
    }
    sections.extend(plan.boots.iter().map(|group| machines("next boot", group)));
    sections.extend(plan.provision.iter().map(|group| machines("once provisioned again", group)));
    let end = if plan.is_empty() { String::new() } else { format!("\nPlan hash: `{}`\n", plan.hash) };
    for (index, section) in sections.iter().enumerate() {
        let left = sections.len() - index;
        if text.len() + section.len() + end.len() + 200 > LONGEST {
            let _ = writeln!(
                text,
                "\n{} did not fit in here: `pilotlight plan --detailed` shows all.",
                count(left, "part")
            );
            break;
        }
        text.push_str(section);
    }
    text + &end
}

fn machines(when: &str, group: &BootChange) -> String {
    let names = group.machines.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
    let more = group.machines.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let diff: Vec<String> = group
        .parts
        .iter()
        .flat_map(|part| std::iter::once(format!("@@ {} @@", part.part)).chain(part.diff.iter().cloned()))
        .collect();
    folded(&format!("<b>{when}</b>, {}: {names}{more}", count(group.machines.len(), "machine")), &diff)
}

fn folded(title: &str, diff: &[String]) -> String {
    let mut body = String::new();
    for (index, line) in diff.iter().enumerate() {
        if body.len() + line.len() > LONGEST_DIFF {
            let _ = writeln!(body, "@@ {} more lines @@", diff.len() - index);
            break;
        }
        let _ = writeln!(body, "{line}");
    }
    // A fence that is longer than any in what it holds.
    let longest = body.lines().map(|line| line.matches('`').count()).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("\n<details><summary>{title}</summary>\n\n{fence}diff\n{body}{fence}\n\n</details>\n")
}

/// A text in which Markdown and HTML see nothing to obey.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '&' => shown.push_str("&amp;"),
            '*' | '_' | '`' | '[' | ']' | '\\' | '|' | '~' | '#' => shown.extend(['\\', c]),
            '\n' | '\r' => shown.push(' '),
            c => shown.push(c),
        }
    }
    shown
}
