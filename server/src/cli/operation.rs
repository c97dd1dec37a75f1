//! Work that takes long: followed on the terminal until it ends; `operation list`, `operation cancel`.
use super::{
    OperationCommand, Output,
    client::{Begun, Client, Refused, segment},
    table,
};
use anyhow::{Context, Result, bail};
use pilotlight_types::{
    OperationId,
    api::{Operation, OperationState, Transfer},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{IsTerminal, Write, stderr},
    time::Duration,
};

/// How often is looked how far it has come.
const EVERY: Duration = Duration::from_millis(500);

/// How often that is said where no terminal is, in looks.
const SAID_EVERY: u32 = 20;

pub(super) async fn run(command: OperationCommand) -> Result<()> {
    match command {
        OperationCommand::List { output, server } => {
            let operations: Vec<Operation> = Client::new(&server)?.list("/operations", &[]).await?;
            match output {
                Output::Table => print(&operations),
                Output::Json => println!("{}", serde_json::to_string_pretty(&operations)?),
                Output::Yaml => print!("{}", serde_saphyr::to_string(&operations)?),
            }
        }
        OperationCommand::Cancel { id, server } => {
            cancel(&Client::new(&server)?, segment(&id)?).await?;
            println!("operation/{id} called off");
        }
    }
    Ok(())
}

async fn cancel(client: &Client, id: &str) -> Result<()> {
    client.delete(&format!("/operations/{id}"), &[]).await
}

fn print(operations: &[Operation]) {
    let row = |operation: &Operation| {
        let Operation { id, what, by, state, started, transfers, .. } = operation;
        let fetched = transfers.iter().map(|file| file.bytes).sum();
        [id.to_string(), what.clone(), by.clone(), state.to_string(), started.to_string(), size(fetched)]
    };
    table::print(
        ["ID", "WHAT", "BY", "STATE", "STARTED", "FETCHED"],
        &operations.iter().map(row).collect::<Vec<_>>(),
    );
}

/// Asks for something that takes long, and says how far it has come until it is done. Ctrl-C calls it off.
pub(super) async fn done<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    query: &[(&str, String)],
    body: &impl Serialize,
) -> Result<T> {
    let id = match client.begin(path, query, body).await? {
        Begun::Done(answer) => return Ok(answer),
        Begun::GoesOn(operation) => operation.id,
    };
    tokio::select! {
        done = followed(client, id) => done,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            cancel(client, &id.to_string()).await?;
            bail!("called off; nothing was changed")
        }
    }
}

async fn followed<T: DeserializeOwned>(client: &Client, id: OperationId) -> Result<T> {
    let path = format!("/operations/{id}");
    let terminal = stderr().is_terminal();
    let mut looks: u32 = 0;
    loop {
        tokio::time::sleep(EVERY).await;
        let Operation { state, transfers, result, problem, .. } = client.get(&path, &[]).await?;
        looks = looks.wrapping_add(1);
        if terminal && !transfers.is_empty() {
            eprint!("\r\x1b[K{}", progress(&transfers));
            stderr().flush()?;
        } else if looks.is_multiple_of(SAID_EVERY) && !transfers.is_empty() {
            eprintln!("{}", progress(&transfers));
        }
        if state == OperationState::Running {
            continue;
        }
        if terminal && !transfers.is_empty() {
            eprintln!();
        }
        return match problem {
            Some(problem) => Err(Refused(Box::new(problem)).into()),
            None => serde_json::from_value(result.unwrap_or_default())
                .context("what the server says came of it is no answer of a Pilotlight"),
        };
    }
}

/// What is there by now: `vmlinuz 12.3 MB, rootfs.img 40 % of 812.0 MB`.
fn progress(transfers: &[Transfer]) -> String {
    let of = |Transfer { url, bytes, size: whole }: &Transfer| {
        let name = url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).unwrap_or(url);
        match whole.filter(|whole| *whole > 0) {
            Some(whole) if *bytes < whole => {
                format!("{name} {} % of {}", bytes.saturating_mul(100) / whole, size(whole))
            }
            _ => format!("{name} {}", size(*bytes)),
        }
    };
    transfers.iter().map(of).collect::<Vec<_>>().join(", ")
}

fn size(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_named_with_how_much_of_it_is_there() {
        let transfer = |url: &str, bytes, size| Transfer { url: url.into(), bytes, size };
        let said = progress(&[
            transfer("https://mirror/42/vmlinuz?token=x", 12_340_000, Some(12_340_000)),
            transfer("/srv/rootfs.img", 324_800_000, Some(812_000_000)),
            transfer("https://mirror/initramfs", 5, None),
        ]);
        assert_eq!(said, "vmlinuz 12.3 MB, rootfs.img 40 % of 812.0 MB, initramfs 0.0 MB");
    }
}
