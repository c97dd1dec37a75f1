//! `auth can-i`, `auth rights`.
use super::{AuthCommand, Output, client::Client, table};
use anyhow::Result;
use pilotlight_types::{
    api::{MayI, MayIAnswer, Rights},
    resource::{Wild, Word},
};
use std::process::ExitCode;

pub(super) async fn run(command: AuthCommand) -> Result<ExitCode> {
    match command {
        AuthCommand::CanI { verb, kind, name, server } => {
            let question = MayI { verb, kind, name };
            let answer: MayIAnswer = Client::new(&server)?.post("/me/can-i", &question).await?;
            println!("{}", if answer.allowed { "yes" } else { "no" });
            if let Some(why) = &answer.why {
                eprintln!("{why}");
            }
            return Ok(if answer.allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        AuthCommand::Rights { output, server } => {
            let rights: Rights = Client::new(&server)?.get("/me/rights", &[]).await?;
            match output {
                Output::Table => print(&rights),
                Output::Json => println!("{}", serde_json::to_string_pretty(&rights)?),
                Output::Yaml => print!("{}", serde_saphyr::to_string(&rights)?),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(rights: &Rights) {
    let Rights { name, role, rules, scope } = rights;
    println!("{name} has the role {role}, good for {scope}");
    let rows: Vec<_> =
        rules.iter().map(|rule| [words(&rule.verbs), words(&rule.kinds), rule.selector.clone()]).collect();
    table::print(["VERBS", "KINDS", "SELECTOR"], &rows);
}

fn words<T: Word>(words: &[Wild<T>]) -> String {
    words.iter().map(Wild::to_string).collect::<Vec<_>>().join(",")
}
