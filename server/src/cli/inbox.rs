//! `inbox`, `expected import`: what waits for somebody, and the machines that are to come.
mod csv;

use super::{
    ChangeArgs, Output, PlanOutput, Server, client::Client, client::Refused, operation, plan, table,
};
use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use pilotlight_types::{
    api::{Applied, HardwareSummary, Inbox, InboxRow, InboxState, Mistake, Plan},
    resource::ByteSize,
};
use serde_json::Value;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Args)]
pub(super) struct InboxArgs {
    /// Only what is discovered, unexpected, missing, duplicate, held or mismatch
    #[arg(long, value_parser = state, value_name = "STATE")]
    state: Option<InboxState>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Subcommand)]
pub(super) enum ExpectedCommand {
    /// Declare the machines that a CSV file lists as expected
    Import(ImportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The file: a line with the columns' names, then one for each machine. Columns: name, serial, uuid, macs, bmc-mac, rack, unit,
    /// class, accept, labels
    file: PathBuf,
    /// Only show what it would do, as `plan` does
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    change: ChangeArgs,
    #[command(flatten)]
    server: Server,
}

fn state(text: &str) -> Result<InboxState, String> {
    let names = InboxState::ALL.map(InboxState::name).join(", ");
    let found = InboxState::ALL.into_iter().find(|state| state.name() == text);
    found.ok_or_else(|| format!("one of {names} is expected"))
}

pub(super) async fn run(args: InboxArgs) -> Result<()> {
    let client = Client::new(&args.server)?;
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    let counts = loop {
        let state = args.state.map(|state| ("state", state.name().to_owned()));
        let query: Vec<(&str, String)> =
            state.into_iter().chain(cursor.map(|cursor| ("cursor", cursor))).collect();
        let page: Inbox = client.get("/inbox", &query).await?;
        rows.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break page.counts;
        }
    };
    match args.output {
        Output::Table => print(&rows),
        Output::Json => println!("{}", serde_json::to_string_pretty(&rows)?),
        Output::Yaml => bail!("the inbox is nothing to apply: say -o json, or -o table"),
    }
    if let Output::Table = args.output {
        let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
        eprintln!("{}", counts.join(", "));
    }
    Ok(())
}

fn print(rows: &[InboxRow]) {
    let row = |row: &InboxRow| {
        let states: Vec<&str> = row.states.iter().map(|state| state.name()).collect();
        let next = row.accept.as_ref().map_or_else(String::new, |accept| match &accept.profile {
            Some(profile) => format!("{}, armed for {profile}", accept.name),
            None => accept.name.to_string(),
        });
        [row.name.to_string(), states.join(","), hardware(&row.summary), next, row.why.join("; ")]
    };
    table::print(
        ["NAME", "STATE", "HARDWARE", "ACCEPTED AS", "WHY"],
        &rows.iter().map(row).collect::<Vec<_>>(),
    );
}

fn hardware(summary: &HardwareSummary) -> String {
    let size = |bytes: u64| match bytes {
        _ if bytes >= 1 << 30 => format!("{}GiB", bytes >> 30),
        _ => ByteSize::bytes(bytes).to_string(),
    };
    let parts = [
        summary.model.clone(),
        summary.serial.clone(),
        summary.cores.map(|cores| format!("{cores} cores")),
        summary.memory_bytes.map(size),
        summary.disks.map(|disks| format!("{disks} disks")),
        summary.rack.clone(),
        summary.unit.map(|unit| format!("u{unit}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub(super) async fn expected(command: ExpectedCommand) -> Result<ExitCode> {
    let ExpectedCommand::Import(args) = command;
    let file = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("{file} cannot be read"))?;
    let rows = csv::rows(&file, &text).map_err(|wrongs| anyhow!(wrongs.join("\n")))?;
    if rows.is_empty() {
        bail!("{file} lists no machine");
    }
    let documents: Vec<Value> = rows.iter().map(|row| row.document.clone()).collect();
    let client = Client::new(&args.server)?;
    let located = |error: anyhow::Error| match error.downcast_ref::<Refused>() {
        Some(refused) if !refused.0.errors.is_empty() => {
            let line = |mistake: &Mistake| {
                let at =
                    rows.get(mistake.document).map_or(file.clone(), |row| row.place(&file, &mistake.path));
                format!("{at}: {}", mistake.detail)
            };
            let lines: Vec<String> = refused.0.errors.iter().map(line).collect();
            anyhow!("{}\n{}", refused.0.detail, lines.join("\n"))
        }
        _ => error,
    };
    if args.dry_run {
        let foreseen: Plan = client.post_with("/plan", &[], &documents).await.map_err(located)?;
        return plan::show(&foreseen, PlanOutput::Text, false);
    }
    let applied: Applied =
        operation::done(&client, "/apply", &args.change.query()?, &documents).await.map_err(located)?;
    plan::told(&applied);
    eprintln!("{} machines are listed, {} changed", documents.len(), plan::changed(&applied));
    Ok(ExitCode::SUCCESS)
}
