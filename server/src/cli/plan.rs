//! `plan`, `apply`, `rollback`: what a change would do, and doing it.
mod markdown;
mod text;

use super::{
    ApplyArgs, PlanArgs, PlanOutput, RollbackArgs,
    client::{Client, Refused, segment},
    operation,
    sources::{Source, documents, place, read},
};
use anyhow::{Context, Result, bail};
use pilotlight_types::{
    api::{Applied, Change, Plan, Revision},
    resource::Kind,
};
use serde_json::{Value, json};
use std::process::ExitCode;

/// The exit code of a plan that would change something; one that would not ends with 0, and a failure with 1.
const CHANGES: u8 = 2;

pub(super) async fn plan(args: PlanArgs) -> Result<ExitCode> {
    let sources = sources(&args.files.files)?;
    let client = Client::new(&args.server)?;
    let query = args.files.query();
    let asked = client.post_with("/plan", &query, &documents(&sources)).await;
    let plan: Plan = asked.map_err(|error| located(error, &sources))?;
    show(&plan, args.output, args.detailed)
}

pub(super) async fn apply(args: ApplyArgs) -> Result<ExitCode> {
    let sources = sources(&args.files.files)?;
    let client = Client::new(&args.server)?;
    let (documents, mut query) = (documents(&sources), args.files.query());
    if args.dry_run {
        let asked = client.post_with("/plan", &query, &documents).await;
        let plan: Plan = asked.map_err(|error| located(error, &sources))?;
        return show(&plan, PlanOutput::Text, false);
    }
    if documents.iter().any(|document| document.get("kind").and_then(Value::as_str) == Some("Image")) {
        eprintln!("taking images in: the server fetches each file that it does not have yet, and checks it");
    }
    query.extend(args.change.query()?);
    let asked = operation::done(&client, "/apply", &query, &documents).await;
    let applied: Applied = asked.map_err(|error| located(error, &sources))?;
    told(&applied);
    eprintln!("{} documents, {} changed", documents.len(), changed(&applied));
    Ok(ExitCode::SUCCESS)
}

/// Makes an older revision the newest once more. It is applied like any other document.
pub(super) async fn rollback(args: RollbackArgs) -> Result<ExitCode> {
    let kind: Kind = args.kind.parse()?;
    let (name, to) = (segment(&args.name)?, args.to);
    let client = Client::new(&args.server)?;
    let path = format!("/{}/{name}/revisions/{to}", kind.plural());
    let old: Revision = client.get(&path, &[]).await?;
    let documents = [json!({"kind": kind, "name": name, "labels": old.labels, "spec": old.spec})];
    if args.dry_run {
        let plan: Plan = client.post_with("/plan", &[], &documents).await?;
        return show(&plan, PlanOutput::Text, false);
    }
    let mut change = args.change;
    change.message.get_or_insert_with(|| format!("rolled back to revision {to}"));
    let applied: Applied = operation::done(&client, "/apply", &change.query()?, &documents).await?;
    told(&applied);
    Ok(ExitCode::SUCCESS)
}

/// The hash of a plan, given as such or by the file that it was written to.
pub(super) fn hash(given: &str) -> Result<String> {
    if given.len() == 64 && given.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(given.to_owned());
    }
    let of_plan = || format!("`{given}` is neither a plan's hash nor a file that `plan -o json` wrote");
    let text = std::fs::read_to_string(given).with_context(of_plan)?;
    let plan: Plan = serde_json::from_str(&text).with_context(of_plan)?;
    Ok(plan.hash)
}

fn sources(files: &[std::path::PathBuf]) -> Result<Vec<Source>> {
    let sources = read(files)?;
    if sources.is_empty() {
        bail!("there is no document in what was given");
    }
    Ok(sources)
}

pub(super) fn show(plan: &Plan, output: PlanOutput, detailed: bool) -> Result<ExitCode> {
    match output {
        PlanOutput::Text => print!("{}", text::render(plan, detailed)),
        PlanOutput::Json => println!("{}", serde_json::to_string_pretty(plan)?),
        PlanOutput::Markdown => print!("{}", markdown::render(plan)),
    }
    Ok(if plan.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CHANGES) })
}

pub(super) fn told(applied: &Applied) {
    for item in &applied.items {
        println!("{}/{} {}", item.kind.name().to_lowercase(), item.name, item.change);
        for warning in &item.warnings {
            eprintln!("warning: {}/{}: {warning}", item.kind.name().to_lowercase(), item.name);
        }
    }
}

pub(super) fn changed(applied: &Applied) -> usize {
    applied.items.iter().filter(|item| item.change != Change::Unchanged).count()
}

/// The server's mistakes, each with its file, line and column.
fn located(error: anyhow::Error, sources: &[Source]) -> anyhow::Error {
    let Some(refused) = error.downcast_ref::<Refused>() else { return error };
    let lines: Vec<String> = refused.0.errors.iter().map(|mistake| place(mistake, sources)).collect();
    if lines.is_empty() { error } else { anyhow::anyhow!("{}\n{}", refused.0.detail, lines.join("\n")) }
}

/// How a change is marked in a list.
const fn sign(change: Change) -> char {
    match change {
        Change::Created => '+',
        Change::Updated => '~',
        Change::Unchanged => ' ',
        Change::Deleted => '-',
    }
}

/// What is counted, in words: `1 machine`, `3 machines`.
fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// The last line of a plan.
fn summary(plan: &Plan) -> String {
    if plan.is_empty() {
        return format!("No change: {} as they are.", count(plan.unchanged, "document"));
    }
    let of = |change| plan.count(change);
    let later: usize = plan.provision.iter().map(|group| group.machines.len()).sum();
    let next = match plan.machines {
        0 => "No machine's next boot differs.".to_owned(),
        1 => "The next boot of 1 machine differs.".to_owned(),
        many => format!("The next boots of {many} machines differ."),
    };
    let hidden = match plan.hidden {
        0 => String::new(),
        hidden => format!(" {} out of the token's scope, and not shown.", count(hidden, "machine")),
    };
    let later = match later {
        0 => String::new(),
        later => format!(" {} get something else once provisioned again.", count(later, "machine")),
    };
    format!(
        "Plan: {} to create, {} to update, {} to delete, {} unchanged. {next}{hidden}{later}",
        of(Change::Created),
        of(Change::Updated),
        of(Change::Deleted),
        plan.unchanged
    )
}

/// What must be typed for it to be applied, if anything.
fn guarded(plan: &Plan) -> Option<String> {
    let needs = plan.guard.needs?;
    Some(format!(
        "To apply it, --allow-machines {needs} is needed: the guard lets {} through at once.",
        plan.guard.limit
    ))
}

#[cfg(test)]
mod tests;
