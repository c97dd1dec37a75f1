//! A boot that was: what the machine got then, as far as it is kept.
use super::print_reasons;
use pilotlight_types::api::{Boot, Phase, PhaseRecord};
use serde_json::Value;

/// The files of an image that a boot is served, by their keys in the decision.
const FILES: [&str; 3] = ["kernel", "initramfs", "rootfs"];

/// Prints it: decision, image, phases, outcome; and what is not kept of it.
pub(super) fn print(boot: &Boot) {
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
    println!("\nphases");
    boot.phases.iter().for_each(phase);
    if pinned.is_some() {
        println!("\nnot kept");
        println!(
            "  its script and its kernel line: they were made of this decision, this image and this revision of the profile"
        );
        println!(
            "  its config: it has the agent's token, and may have secrets; what is kept is how many bytes it was"
        );
        if let Some(profile) = text("/pinned/profile/profile") {
            println!(
                "  `pilotlight revisions profiles {profile}` has the profile as it was; layers and group are as they were then"
            );
        }
    }
    if boot.phase(Phase::Ignition).is_none() && pinned.is_some() {
        println!("  it never fetched its config");
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
