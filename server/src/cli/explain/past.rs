//! A boot that was: what the machine got then, as far as it is kept.
use super::{Output, Show, print_reasons};
use crate::cli::client::Client;
use anyhow::{Context, Result, bail};
use pilotlight_types::{
    BootId,
    api::{Boot, BootServed, Phase, PhaseRecord},
};
use serde::Serialize;
use serde_json::{Value, json};

/// The files of an image that a boot is served, by their keys in the decision.
const FILES: [&str; 3] = ["kernel", "initramfs", "rootfs"];

/// A boot, and what its machine was handed in it.
#[derive(Debug, Serialize)]
pub(super) struct Past {
    #[serde(flatten)]
    boot: Boot,
    served: BootServed,
}

impl Past {
    /// Asks for both.
    pub(super) async fn of(client: &Client, id: BootId) -> Result<Self> {
        let boot = client.get(&format!("/boots/{id}"), &[]).await?;
        let served = client.get(&format!("/boots/{id}/served"), &[]).await?;
        Ok(Self { boot, served })
    }

    /// Prints one part of what it was handed.
    pub(super) fn part(&self, output: Output, part: Show) -> Result<()> {
        let BootServed { script, kernel_args, ignition } = &self.served;
        let missing = || format!("it is not kept of boot {}", self.boot.id);
        let value = match part {
            Show::Dhcp => {
                bail!("of DHCP's answers, no more than their phase is kept: `explain --boot` shows it")
            }
            Show::Script => json!(script.as_ref().with_context(missing)?),
            Show::KernelArgs => json!(script.as_ref().map(|_| kernel_args).with_context(missing)?),
            Show::Ignition => ignition.clone().with_context(missing)?,
        };
        match (output, part) {
            (Output::Json, _) => println!("{}", serde_json::to_string_pretty(&value)?),
            (Output::Yaml, _) => print!("{}", serde_saphyr::to_string(&value)?),
            (Output::Table, Show::Script) => print!("{}", script.as_deref().unwrap_or_default()),
            (Output::Table, Show::KernelArgs) => {
                kernel_args.iter().for_each(|argument| println!("{argument}"))
            }
            (Output::Table, _) => println!("{}", serde_json::to_string_pretty(&value)?),
        }
        Ok(())
    }

    /// Prints it: decision, image, what was handed out, phases, outcome.
    pub(super) fn print(&self) {
        let boot = &self.boot;
        let made: Value = boot.decision.read().unwrap_or_default();
        let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str);
        println!("boot {} of {}, by {}", boot.id, boot.machine, boot.mac);
        println!("began {}", boot.started);
        match (&boot.outcome, boot.ended) {
            (Some(outcome), Some(ended)) => println!("ended {ended}: {outcome}"),
            _ => println!("goes on"),
        }
        let reasons = made.pointer("/decision/because").and_then(Value::as_array);
        let reasons: Vec<String> =
            reasons.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        print_reasons(&reasons);
        let pinned = made.get("pinned").filter(|pinned| !pinned.is_null());
        match pinned {
            Some(pinned) => {
                let revision = pinned.pointer("/profile/revision").unwrap_or(&Value::Null);
                println!(
                    "\nit was given\n  profile {}, revision {revision}\n  image {}",
                    text("/pinned/profile/profile").unwrap_or("(not kept)"),
                    text("/pinned/image").unwrap_or("(not kept)"),
                );
                for file in FILES {
                    if let Some(hash) = pinned.get(file).and_then(Value::as_str) {
                        println!("  {file:<10} {hash}");
                    }
                }
            }
            None => println!("\nit was given no image: it did not get as far, or had none to get"),
        }
        self.print_served(pinned.is_some());
        println!("\nphases");
        boot.phases.iter().for_each(phase);
    }

    fn print_served(&self, expected: bool) {
        let BootServed { script, kernel_args, ignition } = &self.served;
        if let Some(script) = script {
            println!("\nscript");
            script.lines().for_each(|line| println!("  {line}"));
        }
        if !kernel_args.is_empty() {
            println!("\nkernel arguments");
            kernel_args.iter().for_each(|argument| println!("  {argument}"));
        }
        match ignition {
            Some(ignition) => {
                println!("\nIgnition config (secrets masked)");
                let text = serde_json::to_string_pretty(ignition).unwrap_or_default();
                text.lines().for_each(|line| println!("  {line}"));
            }
            None if expected && self.boot.phase(Phase::Ignition).is_none() => {
                println!("\nit never fetched its config");
            }
            None => {}
        }
        if expected && script.is_none() {
            println!(
                "\nits script and its config are not kept any more: they are of a machine's newest boots"
            );
        }
    }
}

fn phase(record: &PhaseRecord) {
    let took = record.ended.map(|ended| format!("{:.1} s", ended.since(record.started).as_secs_f32()));
    let again =
        if record.requests > 1 { format!(", asked {} times", record.requests) } else { String::new() };
    let detail = record.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    println!(
        "  {} {:<13} {:>9}  {} bytes{again}{detail}",
        record.started,
        record.phase.to_string(),
        took.unwrap_or_else(|| "not ended".to_owned()),
        record.bytes,
    );
}
