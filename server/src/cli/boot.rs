//! `boot log`: what a machine said while it booted.
use super::{
    BootCommand, Output,
    client::{Client, segment},
};
use anyhow::{Context, Result};
use pilotlight_types::{
    BootId,
    api::{ConsoleLine, Machine},
};

pub(super) async fn run(command: BootCommand) -> Result<()> {
    let BootCommand::Log { boot, output, server } = command;
    let client = Client::new(&server)?;
    let id = match boot.parse::<BootId>() {
        Ok(id) => id,
        Err(_) => {
            let machine: Machine = client.get(&format!("/machines/{}", segment(&boot)?), &[]).await?;
            machine.boot.with_context(|| format!("{boot} has not booted yet"))?.id
        }
    };
    let lines = lines(&client, id).await?;
    match output {
        Output::Table if lines.is_empty() => {
            eprintln!("nothing was said: is syslog.listen set, and does the machine send to it?");
        }
        Output::Table => print(&lines),
        Output::Json => println!("{}", serde_json::to_string_pretty(&lines)?),
        Output::Yaml => println!("{}", serde_saphyr::to_string(&lines)?),
    }
    Ok(())
}

/// Everything that was said in a boot.
pub(super) async fn lines(client: &Client, id: BootId) -> Result<Vec<ConsoleLine>> {
    client.list(&format!("/boots/{id}/console"), &[]).await
}

/// Lines with their times; says where some were left out.
pub(super) fn print(lines: &[ConsoleLine]) {
    let mut last = None;
    for line in lines {
        if let Some(last) = last.filter(|last| line.line > last + 1) {
            println!("... {} lines are left out", line.line - last - 1);
        }
        last = Some(line.line);
        println!("{} {line}", line.at);
    }
}
