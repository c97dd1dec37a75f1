//! `apply`: files to documents, and the server's findings back to file, line and column.
use super::{
    ApplyArgs,
    client::{Client, Refused},
    sources::{Source, documents, place, read},
};
use anyhow::{Result, bail};
use pilotlight_types::api::{Applied, Change};
use serde_json::Value;

pub(super) async fn run(args: ApplyArgs) -> Result<()> {
    let sources = read(&args.files)?;
    if sources.is_empty() {
        bail!("there is no document in what was given");
    }
    let documents = documents(&sources);
    if documents.iter().any(|document| document.get("kind").and_then(Value::as_str) == Some("Image")) {
        eprintln!("taking images in: the server fetches each file that it does not have yet, and checks it");
    }
    let client = Client::new(&args.server)?;
    let applied: Applied =
        client.post("/apply", &documents).await.map_err(|error| located(error, &sources))?;
    for item in &applied.items {
        println!("{}/{} {}", item.kind.name().to_lowercase(), item.name, item.change);
        for warning in &item.warnings {
            eprintln!("warning: {}/{}: {warning}", item.kind.name().to_lowercase(), item.name);
        }
    }
    let changed = applied.items.iter().filter(|item| item.change != Change::Unchanged).count();
    eprintln!("{} documents, {changed} changed", applied.items.len());
    Ok(())
}

/// The server's mistakes, each with its file, line and column.
fn located(error: anyhow::Error, sources: &[Source]) -> anyhow::Error {
    let Some(refused) = error.downcast_ref::<Refused>() else { return error };
    let lines: Vec<String> = refused.0.errors.iter().map(|mistake| place(mistake, sources)).collect();
    if lines.is_empty() { error } else { anyhow::anyhow!("{}\n{}", refused.0.detail, lines.join("\n")) }
}
