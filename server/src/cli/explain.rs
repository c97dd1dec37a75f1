//! `explain`.
use super::{
    ExplainArgs, Output,
    client::{Client, segment},
};
use anyhow::Result;
use pilotlight_types::{Mac, api::Explanation};

pub(super) async fn run(args: ExplainArgs) -> Result<()> {
    let client = Client::new(&args.server)?;
    let explanation: Explanation = match (&args.machine, &args.mac) {
        (Some(name), _) => client.get(&format!("/machines/{}/explain", segment(name)?), &[]).await?,
        (None, mac) => {
            let mac: Mac = mac.as_deref().unwrap_or_default().parse()?;
            client.get("/explain", &[("mac", mac.to_string())]).await?
        }
    };
    match args.output {
        Output::Table => print(&explanation),
        Output::Json => println!("{}", serde_json::to_string_pretty(&explanation)?),
        Output::Yaml => println!("{}", serde_saphyr::to_string(&explanation)?),
    }
    Ok(())
}

fn print(explanation: &Explanation) {
    let who = explanation.machine.as_deref().unwrap_or("this machine");
    println!("{who}: {}", explanation.answer);
    println!("\nbecause");
    for line in &explanation.because {
        println!("  - {line}");
    }
    if let Some(script) = &explanation.script {
        println!("\nscript");
        script.lines().for_each(|line| println!("  {line}"));
    }
    if let Some(ignition) = &explanation.ignition {
        println!("\nIgnition config (secrets masked)");
        let text = serde_json::to_string_pretty(ignition).unwrap_or_default();
        text.lines().for_each(|line| println!("  {line}"));
    }
}
