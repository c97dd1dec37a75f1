//! `get`, `delete`, `machine …`.
use super::{
    DeleteArgs, GetArgs, MachineArgs, MachineCommand, Output,
    client::{Client, segment},
    export, table,
};
use crate::domain::yaml;
use anyhow::{Context, Result, bail};
use pilotlight_types::{
    api::{
        AcceptRequest, Boot, HoldRequest, Machine, MachineAction, MachineResult, MachinesAnswer,
        MachinesRequest, PowerRequest, Resource,
    },
    resource::{Kind, Labels},
};
use serde::Serialize;
use serde_json::json;

pub(super) async fn run(args: GetArgs) -> Result<()> {
    let client = Client::new(&args.server)?;
    let name = args.name.as_deref().map(segment).transpose()?;
    let query: Vec<(&str, String)> =
        args.selector.map(|selector| ("selector", selector)).into_iter().collect();
    if ["boot", "boots"].contains(&args.kind.as_str()) {
        let boots: Vec<Boot> = match name {
            Some(id) => vec![client.get(&format!("/boots/{id}"), &[]).await?],
            None => client.list("/boots", &query).await?,
        };
        show(args.output, &boots, print_boots)?;
        if let (Some(_), Output::Table, [boot]) = (name, args.output, boots.as_slice()) {
            if let Some(diagnosis) = &boot.diagnosis {
                println!();
                super::describe::diagnosed(diagnosis);
            }
            print_last_words(&client, boot).await?;
        }
        return Ok(());
    }
    let kinds = export::kinds(&args.kind)?;
    let &[kind] = kinds.as_slice() else {
        if name.is_some() {
            bail!("a name is of one kind: `get machine n1`");
        }
        return export::run(&client, &kinds, &query, args.output).await;
    };
    let path = format!("/{}", kind.plural());
    if kind == Kind::Machine {
        let machines: Vec<Machine> = match name {
            Some(name) => vec![client.get(&format!("{path}/{name}"), &[]).await?],
            None => client.list(&path, &query).await?,
        };
        return show(args.output, &machines, print_machines);
    }
    let resources: Vec<Resource> = match name {
        Some(name) => vec![client.get(&format!("{path}/{name}"), &[]).await?],
        None => client.list(&path, &query).await?,
    };
    show(args.output, &resources, print_resources)
}

fn show<T: Serialize>(output: Output, items: &[T], print: impl FnOnce(&[T])) -> Result<()> {
    match output {
        Output::Table => print(items),
        Output::Json => println!("{}", serde_json::to_string_pretty(items)?),
        Output::Yaml => {
            for item in items {
                print!("---\n{}", yaml::write_exactly(&export::declared(&serde_json::to_value(item)?)));
            }
        }
    }
    Ok(())
}

fn print_machines(machines: &[Machine]) {
    let row = |machine: &Machine| {
        let boot = machine.boot.as_ref();
        let doing = boot.map_or_else(String::new, |boot| match (&boot.outcome, boot.furthest()) {
            (Some(outcome), _) => outcome.to_string(),
            (None, Some(phase)) => phase.to_string(),
            (None, None) => "begun".into(),
        });
        let stage =
            if machine.hold.is_some() { format!("{} (held)", machine.stage) } else { machine.stage.clone() };
        let profile = machine.profile.as_ref().map_or_else(String::new, |p| match p.running {
            Some(running) if running != p.desired => format!("{}@{running} (wanted {})", p.name, p.desired),
            _ => format!("{}@{}", p.name, p.desired),
        });
        let drift = if machine.profile.as_ref().is_some_and(|profile| profile.drift) { "yes" } else { "" };
        let address = boot.and_then(|boot| boot.address).map(|ip| ip.to_string()).unwrap_or_default();
        [machine.name.clone(), stage, doing, address, profile, drift.to_owned()]
    };
    table::print(
        ["NAME", "STAGE", "BOOT", "ADDRESS", "PROFILE", "DRIFT"],
        &machines.iter().map(row).collect::<Vec<_>>(),
    );
}

fn print_resources(resources: &[Resource]) {
    let labels = |resource: &Resource| {
        resource.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    };
    let row = |r: &Resource| [r.name.clone(), r.revision.to_string(), r.updated.to_string(), labels(r)];
    table::print(["NAME", "REVISION", "UPDATED", "LABELS"], &resources.iter().map(row).collect::<Vec<_>>());
}

fn print_boots(boots: &[Boot]) {
    let row = |boot: &Boot| {
        let outcome = boot.outcome.as_ref().map_or_else(|| "goes on".to_owned(), ToString::to_string);
        let furthest = boot.furthest().map(|phase| phase.to_string()).unwrap_or_default();
        [boot.id.to_string(), boot.machine.clone(), boot.started.to_string(), furthest, outcome]
    };
    table::print(
        ["ID", "MACHINE", "STARTED", "FURTHEST", "OUTCOME"],
        &boots.iter().map(row).collect::<Vec<_>>(),
    );
}

/// The end of what a machine said in this boot.
async fn print_last_words(client: &Client, boot: &Boot) -> Result<()> {
    const LAST: usize = 20;
    let said = super::boot::lines(client, boot.id).await?;
    let last = said.get(said.len().saturating_sub(LAST)..).unwrap_or_default();
    if !last.is_empty() {
        println!("\nlast lines of {}; `pilotlight boot log {}` has all", said.len(), boot.id);
        super::boot::print(last);
    }
    Ok(())
}

pub(super) async fn delete(args: DeleteArgs) -> Result<()> {
    let kind: Kind = args.kind.parse()?;
    let name = segment(&args.name)?;
    let allow: Vec<_> =
        args.allow_machines.map(|number| ("allow-machines", number.to_string())).into_iter().collect();
    Client::new(&args.server)?.delete(&format!("/{}/{name}", kind.plural()), &allow).await?;
    println!("{}/{name} deleted", kind.name().to_lowercase());
    Ok(())
}

pub(super) async fn machine(command: MachineCommand) -> Result<()> {
    let mut taken = AcceptRequest::default();
    let mut lock = None;
    let mut power = None;
    let (args, action) = match command {
        MachineCommand::Power { action, machine, boot, wait } => {
            let request = PowerRequest { action, boot };
            if machine.name.is_some() && !machine.dry_run {
                return super::power::switch(machine, request, wait).await;
            }
            if wait {
                bail!(
                    "`--wait` is for one machine; `pilotlight events --follow` shows what becomes of several"
                );
            }
            power = Some(request);
            (machine, MachineAction::Power)
        }
        MachineCommand::Bmc { name, log, output, server } => {
            return super::power::bmc(&name, log, output, &server).await;
        }
        MachineCommand::Identify { name, off, server } => {
            return super::power::identify(&name, !off, &server).await;
        }
        MachineCommand::Accept { machine, name_as, labels } => {
            taken.name = name_as.map(|name| name.parse()).transpose()?;
            taken.labels = labels.as_deref().map(pairs).transpose()?.unwrap_or_default();
            (machine, MachineAction::Accept)
        }
        MachineCommand::Provision(args) => (args, MachineAction::Provision),
        MachineCommand::Hold { machine, reason, lasts } => {
            lock = Some(HoldRequest { reason, until: None, lasts });
            (machine, MachineAction::Hold)
        }
        MachineCommand::Release(args) => (args, MachineAction::Release),
        MachineCommand::Retire(args) => (args, MachineAction::Retire),
    };
    let MachineArgs { name, selector, dry_run, server } = args;
    let client = Client::new(&server)?;
    if let (Some(name), false) = (&name, dry_run) {
        let word = serde_json::to_value(action)?;
        let path = format!("/machines/{}/{}", segment(name)?, word.as_str().unwrap_or_default());
        let body = match (action, &lock) {
            (MachineAction::Accept, _) => serde_json::to_value(&taken)?,
            (_, Some(lock)) => serde_json::to_value(lock)?,
            (_, None) => json!({}),
        };
        let machine: Machine = client.post(&path, &body).await?;
        print_machines(&[machine]);
        return Ok(());
    }
    let names = name.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    let (reason, lasts) = lock.map_or((None, None), |lock| (Some(lock.reason), lock.lasts));
    let request = MachinesRequest { action, selector, names, reason, until: None, lasts, power, dry_run };
    let answer: MachinesAnswer = client.post("/machines/actions", &request).await?;
    print_results(&answer)
}

/// Labels as they are written on the command line: `role=worker,zone=a`.
fn pairs(text: &str) -> Result<Labels> {
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), json!(value)));
    let pairs: Option<serde_json::Map<_, _>> = text.split(',').map(pair).collect();
    let pairs = pairs.with_context(|| {
        format!("`{text}` are no labels: key=value is expected, with commas between several")
    })?;
    Ok(serde_json::from_value(pairs.into())?)
}

fn print_results(answer: &MachinesAnswer) -> Result<()> {
    let row = |result: &MachineResult| {
        let done = match (result.done, answer.dry_run) {
            (true, true) => "would be",
            (true, false) => "yes",
            (false, _) => "no",
        };
        let MachineResult { name, stage, detail, .. } = result.clone();
        [name, done.to_owned(), stage.unwrap_or_default(), detail.unwrap_or_default()]
    };
    table::print(["NAME", "DONE", "STAGE", "WHY NOT"], &answer.items.iter().map(row).collect::<Vec<_>>());
    let refused = answer.items.iter().filter(|result| !result.done).count();
    if refused > 0 {
        bail!("{refused} of {} machines did not take it", answer.items.len());
    }
    Ok(())
}
