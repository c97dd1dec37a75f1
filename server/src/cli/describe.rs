//! `describe`: everything that there is to know of one thing, for people.
use super::{
    Server,
    client::{Client, segment},
    explain,
};
use crate::domain::{diff, yaml};
use anyhow::Result;
use clap::Args;
use pilotlight_types::{
    BootId,
    api::{Boot, Diagnosis, Event, Evidence, LadderStep, List, Machine, Resource, Revision, WebhookStatus},
    resource::{Kind, Labels},
};
use serde_json::Value;

/// How many of the newest events, boots and revisions are shown.
const NEWEST: usize = 10;

/// How many names stand in one line.
const NAMES: usize = 20;

/// Show everything that there is to know of one thing: what is declared, what it is now, who uses it, and what happened to it lately.
///
/// It is for people: scripts use `get -o json`, `revisions -o json` and `events -o json`. Secrets are masked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pilotlight describe machine n1
      its stage, profile, facts, newest boots and events
  pilotlight describe profile worker
      what is declared, its revisions, and the groups, profiles and machines that use it
  pilotlight describe boot 0199cb4f-8d30-7b6a-8a4e-3f6b8a1f2c01
      what a machine got in a boot that was, and why")]
pub(super) struct DescribeArgs {
    /// role, firmware, subnet, image, profile, group, machine, webhook or boot
    kind: String,
    /// Which one; of a boot, its id
    name: String,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(args: DescribeArgs) -> Result<()> {
    if ["boot", "boots"].contains(&args.kind.as_str()) {
        let id: BootId = args.name.parse()?;
        return explain::boot(&Client::new(&args.server)?, id).await;
    }
    let kind: Kind = args.kind.parse()?;
    let (client, name) = (Client::new(&args.server)?, segment(&args.name)?);
    let path = format!("/{}/{name}", kind.plural());
    if kind == Kind::Machine {
        machine(&client, &client.get(&path, &[]).await?).await?;
    } else {
        resource(&client, &client.get(&path, &[]).await?).await?;
    }
    events(&client, &format!("{}/{name}", kind.name().to_lowercase())).await
}

/// One line: what it is about, and what there is to say.
fn say(what: &str, value: impl std::fmt::Display) {
    println!("{:<11} {value}", format!("{what}:"));
}

fn labels(labels: &Labels) {
    let all: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    say("Labels", if all.is_empty() { "none".to_owned() } else { all.join(", ") });
}

/// A heading, and what is under it, each line further in.
fn part(heading: &str, lines: impl IntoIterator<Item = String>) {
    println!("{heading}:");
    let mut any = false;
    for line in lines {
        any = true;
        println!("{}", format!("  {line}").trim_end());
    }
    if !any {
        println!("  none");
    }
}

/// What is declared, as files have it, without what is secret in it.
fn spec(spec: &Value) {
    let text = diff::masked(&yaml::write(spec));
    part("Spec", text.lines().map(diff::plain));
}

async fn machine(client: &Client, machine: &Machine) -> Result<()> {
    say("Name", &machine.name);
    say("Kind", machine.kind);
    labels(&machine.labels);
    let why = machine.why.as_ref().map(|why| format!(": {}", diff::plain(why))).unwrap_or_default();
    say("Stage", format!("{}, since {}{why}", machine.stage, machine.since));
    if let Some(diagnosis) = &machine.diagnosis {
        diagnosed(diagnosis);
    }
    if let Some(ladder) = &machine.ladder {
        let end = ladder.ended.map(|at| format!("{at}  held: nothing is left to try"));
        let step = |one: &LadderStep| format!("{}  {} ({})", one.at, one.step, one.for_what);
        part("Ladder", ladder.tried.iter().map(step).chain(end));
    }
    say("Power", &machine.power);
    if let Some(hold) = &machine.hold {
        say("Hold", format!("by {} since {}: {}", hold.by, hold.since, diff::plain(&hold.reason)));
    }
    say("Profile", profile(machine));
    if let Some(seen) = machine.seen {
        say("Agent", format!("heard at {seen}"));
    }
    if !machine.learned_macs.is_empty() {
        let macs: Vec<String> = machine.learned_macs.iter().map(ToString::to_string).collect();
        say("Learned", format!("MACs that it booted from and that are not declared: {}", macs.join(", ")));
    }
    for conflict in &machine.conflicts {
        say("Conflict", diff::plain(conflict));
    }
    spec(&serde_json::to_value(&machine.spec)?);
    if let Some(facts) = &machine.facts {
        let at = machine.facts_at.map(|at| format!(", of {at}")).unwrap_or_default();
        let text = yaml::write(&serde_json::to_value(facts)?);
        part(&format!("Facts{at}"), text.lines().map(diff::plain));
    }
    let limit = ("limit", NEWEST.to_string());
    let boots: List<Boot> = client.get("/boots", &[("machine", machine.name.clone()), limit]).await?;
    let told = |boot: &Boot| {
        let outcome = boot.outcome.as_ref().map_or_else(|| "goes on".to_owned(), ToString::to_string);
        let furthest = boot.furthest().map(|phase| format!(", got to {phase}")).unwrap_or_default();
        format!("{}  {}  {}{furthest}", boot.id, boot.started, diff::plain(&outcome))
    };
    part("Newest boots", boots.items.iter().map(told));
    Ok(())
}

/// Why it does not get on, what to look at, and what that was told by.
pub(super) fn diagnosed(diagnosis: &Diagnosis) {
    say("Diagnosis", format!("{}: {}", diagnosis.code, diff::plain(&diagnosis.text)));
    say("Look at", diff::plain(&diagnosis.look));
    let told = |one: &Evidence| {
        let link = one.link.as_ref().map(|link| format!("  ({link})")).unwrap_or_default();
        diff::plain(&format!("{}{link}", one.seen))
    };
    part("Evidence", diagnosis.evidence.iter().map(told));
}

fn profile(machine: &Machine) -> String {
    let Some(profile) = &machine.profile else { return "none: no group takes it".to_owned() };
    let runs = match profile.running {
        Some(running) => format!("runs revision {running}"),
        None => "does not run it".to_owned(),
    };
    let drift = if profile.drift { ", which is drift" } else { "" };
    format!("{}, revision {} is wanted; it {runs}{drift}", profile.name, profile.desired)
}

async fn resource(client: &Client, resource: &Resource) -> Result<()> {
    say("Name", &resource.name);
    say("Kind", resource.kind);
    labels(&resource.labels);
    say(
        "Revision",
        match resource.revision {
            0 => "none: it is built in".to_owned(),
            revision => format!("{revision}, of {}", resource.updated),
        },
    );
    if resource.kind == Kind::Webhook {
        let status: WebhookStatus =
            client.get(&format!("/webhooks/{}/status", segment(&resource.name)?), &[]).await?;
        if let Some(why) = &status.paused {
            say("Paused", diff::plain(why));
        }
        let WebhookStatus { pending, delivered, dead, .. } = status;
        say("Deliveries", format!("{pending} pending, {delivered} delivered, {dead} dead"));
    }
    spec(&resource.spec);
    used_by(client, resource).await?;
    if resource.revision > 0 {
        let path = format!("/{}/{}/revisions", resource.kind.plural(), segment(&resource.name)?);
        let limit = ("limit", NEWEST.to_string());
        let revisions: List<Revision> = client.get(&path, &[limit]).await?;
        let told = |one: &Revision| {
            let message = one.message.as_deref().and_then(|message| message.lines().next());
            let message = message.map(|message| format!(": {}", diff::plain(message))).unwrap_or_default();
            format!("{}  {}  by {}{message}", one.revision, one.at, one.by)
        };
        part("Newest revisions", revisions.items.iter().map(told));
    }
    Ok(())
}

/// Who stands on it, as far as the caller may see that.
async fn used_by(client: &Client, resource: &Resource) -> Result<()> {
    let (name, has) = (resource.name.as_str(), |spec: &Value, key: &str| spec.get(key).cloned());
    let is = |spec: &Value, key: &str| has(spec, key).is_some_and(|value| value == name);
    match resource.kind {
        Kind::Image => {
            let profiles: Vec<Resource> = client.list("/profiles", &[]).await?;
            users("profile", profiles.iter().filter(|profile| is(&profile.spec, "image")));
        }
        Kind::Profile => {
            let (groups, profiles): (Vec<Resource>, Vec<Resource>) =
                (client.list("/groups", &[]).await?, client.list("/profiles", &[]).await?);
            let layered = |profile: &&Resource| {
                let layers = has(&profile.spec, "layers").unwrap_or_default();
                layers.as_array().is_some_and(|layers| layers.iter().any(|layer| layer == name))
            };
            users("group", groups.iter().filter(|group| is(&group.spec, "profile")));
            users("profile", profiles.iter().filter(layered));
            let machines: Vec<Machine> = client.list("/machines", &[]).await?;
            let of =
                |machine: &&Machine| machine.profile.as_ref().is_some_and(|profile| profile.name == name);
            named("machine", machines.iter().filter(of).map(|machine| machine.name.as_str()));
        }
        _ => {}
    }
    Ok(())
}

fn users<'a>(kind: &str, users: impl Iterator<Item = &'a Resource>) {
    named(kind, users.map(|user| user.name.as_str()));
}

fn named<'a>(kind: &str, names: impl Iterator<Item = &'a str>) {
    let names: Vec<&str> = names.collect();
    let shown = names.iter().take(NAMES).copied().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(NAMES);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    match names.len() {
        0 => say("Used by", format!("no {kind}")),
        1 => say("Used by", format!("{kind} {shown}")),
        number => say("Used by", format!("{number} {kind}s: {shown}{more}")),
    }
}

async fn events(client: &Client, object: &str) -> Result<()> {
    let query = [("object", object.to_owned()), ("limit", NEWEST.to_string())];
    let events: List<Event> = client.get("/events", &query).await?;
    let told = |event: &Event| {
        format!("{}  {}: {}  ({})", event.at, event.kind, diff::plain(&event.message), event.actor)
    };
    part("Newest events", events.items.iter().map(told));
    Ok(())
}
