//! `system`, `tasks`, `support-bundle`: the daemon itself.
use super::{Output, Server, client::Client, network::printed, table};
use anyhow::{Context, Result};
use clap::Args;
use pilotlight_types::api::{Daemon, SupportBundle, Task};
use std::{fs, path::PathBuf};

#[derive(Debug, Args)]
pub(super) struct SystemArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
pub(super) struct BundleArgs {
    /// The file to write; without it, standard output
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn system(args: SystemArgs) -> Result<()> {
    let system: Daemon = Client::new(&args.server)?.get("/system", &[]).await?;
    match args.output {
        Output::Table => {
            let Daemon { version, site, started, database, listens, .. } = &system;
            let mut rows = vec![
                ["version".into(), version.clone()],
                ["site".into(), site.clone()],
                ["started".into(), started.to_string()],
                [
                    "database".into(),
                    format!("{}, {} bytes, migration {}", database.kind, database.bytes, database.migration),
                ],
            ];
            rows.extend(listens.iter().map(|one| [one.service.clone(), one.at.clone()]));
            rows.extend(system.resources.iter().map(|(kind, count)| [kind.clone(), count.to_string()]));
            table::print(["WHAT", ""], &rows);
        }
        Output::Json => println!("{}", serde_json::to_string_pretty(&system)?),
        Output::Yaml => print!("{}", serde_saphyr::to_string(&system)?),
    }
    Ok(())
}

pub(super) async fn tasks(args: SystemArgs) -> Result<()> {
    let tasks: Vec<Task> = Client::new(&args.server)?.list("/tasks", &[]).await?;
    printed(args.output, &tasks, |tasks| {
        let row = |task: &Task| {
            [
                task.name.clone(),
                format!("{} s", task.every),
                task.last.map_or_else(|| "not yet".to_owned(), |last| last.to_string()),
                task.millis.map(|millis| format!("{millis} ms")).unwrap_or_default(),
                task.passes.to_string(),
                task.failed.to_string(),
                task.error.clone().unwrap_or_else(|| task.does.clone()),
            ]
        };
        let rows: Vec<_> = tasks.iter().map(row).collect();
        table::print(["TASK", "EVERY", "LAST", "TOOK", "PASSES", "FAILED", "DOES, OR WHY IT FAILED"], &rows);
    })
}

pub(super) async fn bundle(args: BundleArgs) -> Result<()> {
    let bundle: SupportBundle = Client::new(&args.server)?.get("/support-bundle", &[]).await?;
    let text = format!("{}\n", serde_json::to_string_pretty(&bundle)?);
    match args.file {
        Some(file) => {
            fs::write(&file, &text).with_context(|| format!("{} cannot be written", file.display()))?;
            eprintln!(
                "{}: {} bytes; configs, templates, variables, headers and URLs are not in it",
                file.display(),
                text.len()
            );
        }
        None => print!("{text}"),
    }
    Ok(())
}
