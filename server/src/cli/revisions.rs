//! `revisions`, `diff`: what a resource was, and what differs.
use super::{
    DiffArgs, Output, RevisionsArgs,
    client::{Client, segment},
    table,
};
use crate::domain::{diff, yaml};
use anyhow::{Result, bail};
use pilotlight_types::{api::Revision, resource::Kind};
use serde_json::json;

pub(super) async fn list(args: RevisionsArgs) -> Result<()> {
    let (kind, client) = (args.kind.parse::<Kind>()?, Client::new(&args.server)?);
    let path = format!("/{}/{}/revisions", kind.plural(), segment(&args.name)?);
    if let Some(revision) = args.revision {
        let one: Revision = client.get(&format!("{path}/{revision}"), &[]).await?;
        match args.output {
            Output::Json => println!("{}", serde_json::to_string_pretty(&one)?),
            // As `apply` takes it.
            Output::Table | Output::Yaml => {
                let document =
                    json!({"kind": kind, "name": args.name, "labels": one.labels, "spec": one.spec});
                print!("---\n{}", yaml::write_exactly(&document));
            }
        }
        return Ok(());
    }
    let all: Vec<Revision> = client.list(&path, &[]).await?;
    match args.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&all)?),
        Output::Yaml => print!("{}", yaml::write_exactly(&serde_json::to_value(&all)?)),
        Output::Table => {
            let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
            let row = |one: &Revision| {
                let message = one.message.as_deref().map(first).unwrap_or_default();
                [one.revision.to_string(), one.at.to_string(), one.by.clone(), message]
            };
            table::print(["REVISION", "AT", "BY", "MESSAGE"], &all.iter().map(row).collect::<Vec<_>>());
        }
    }
    Ok(())
}

pub(super) async fn diff(args: DiffArgs) -> Result<()> {
    let (kind, client) = (args.kind.parse::<Kind>()?, Client::new(&args.server)?);
    let path = format!("/{}/{}/revisions", kind.plural(), segment(&args.name)?);
    let newest = match args.to {
        Some(to) => to,
        None => {
            let all: pilotlight_types::api::List<Revision> =
                client.get(&path, &[("limit", "1".into())]).await?;
            let Some(newest) = all.items.first() else { bail!("it has no revisions") };
            newest.revision
        }
    };
    let of = async |revision: i64| -> Result<serde_json::Value> {
        let one: Revision = client.get(&format!("{path}/{revision}"), &[]).await?;
        Ok(json!({"labels": one.labels, "spec": one.spec}))
    };
    let (before, after) = (of(args.from).await?, of(newest).await?);
    println!("--- {}/{}@{}", kind.name().to_lowercase(), args.name, args.from);
    println!("+++ {}/{}@{newest}", kind.name().to_lowercase(), args.name);
    for line in diff::values(Some(&before), Some(&after)) {
        println!("{line}");
    }
    Ok(())
}
