//! What is to be rendered: from a file that holds a config, or from documents as if they were all there is.
use super::{Origin, RenderArgs};
use crate::{
    cli::{
        beside,
        sources::{documents, place, read},
    },
    domain::{
        document::{Meant, Spec, understand},
        inventory::{Declared, Inventory, check},
        machine::Machine,
        profile::{Context, Limit, MachineContext, SecretUse, Wrong, declared_secrets},
        stage::Stage,
        yaml::Position,
    },
};
use anyhow::{Context as _, Result, bail};
use pilotlight_types::{
    MachineId, Timestamp,
    resource::{BootMode, Kind, Labels, MachineSpec, Name, ProfileSpec, SecretName},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A profile with its layers, and how to tell where something in it stands.
pub(super) struct Subject {
    pub(super) layers: Vec<(Name, Arc<ProfileSpec>)>,
    pub(super) limit: Option<Limit>,
    pub(super) context: Context,
    pub(super) secrets: BTreeMap<SecretName, SecretUse>,
    pub(super) origin: Origin,
}

/// A file that holds a config: Butane, or Ignition as JSON. Nothing if it holds documents.
pub(super) fn of_config_file(path: &Path, args: &RenderArgs) -> Result<Option<Subject>> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("{file} cannot be read"))?;
    let json: Option<Value> = serde_json::from_str(&text).ok();
    if json.as_ref().is_some_and(|json| json.get("kind").is_some())
        || text.lines().any(|line| line.starts_with("kind:"))
    {
        return Ok(None);
    }
    let mut spec = ProfileSpec {
        image: None,
        boot: BootMode::Local,
        kernel_args: Vec::new(),
        layers: Vec::new(),
        butane: None,
        ignition: None,
        files: BTreeMap::new(),
        secrets: BTreeMap::new(),
        cluster: None,
    };
    match json {
        Some(Value::Object(config)) if config.contains_key("ignition") => spec.ignition = Some(config),
        _ => {
            let folder = args.files_dir.as_deref().or_else(|| path.parent()).unwrap_or(Path::new("."));
            let at = |pos: Position| format!("{file}:{}:{}", pos.line, pos.column);
            spec.files = beside::gather(&text, folder, at, |_| false, &mut HashSet::new())?;
            spec.butane = Some(text);
        }
    }
    let name: Name = "config".parse().map_err(|_| anyhow::anyhow!("no name"))?;
    let context = context(&Inventory::default(), args, None, None);
    Ok(Some(Subject {
        layers: vec![(name, Arc::new(spec))],
        limit: None,
        context,
        secrets: BTreeMap::new(),
        origin: Origin::File(file),
    }))
}

pub(super) fn of_documents(args: &RenderArgs, also: Option<&Path>) -> Result<Subject> {
    let paths: Vec<PathBuf> =
        also.map(Path::to_owned).into_iter().chain(args.documents.iter().cloned()).collect();
    if paths.is_empty() {
        bail!(
            "{} is no file; a profile is looked for in the documents of -f",
            args.target.as_deref().unwrap_or_default()
        );
    }
    let sources = read(&paths)?;
    let meant = understand(&documents(&sources)).map_err(|mistakes| {
        mistakes.iter().for_each(|mistake| eprintln!("{}", place(mistake, &sources)));
        anyhow::anyhow!("nothing was rendered: {} mistakes", mistakes.len())
    })?;
    let inventory = inventory(meant);
    let machine = match (&args.machine, args.mac) {
        (Some(name), _) => Some(
            inventory.machine_named(name).with_context(|| format!("there is no machine {name}"))?.clone(),
        ),
        (None, Some(mac)) => inventory.by_mac(mac).cloned(),
        (None, None) => None,
    };
    let name = profile_name(args, also.is_some(), &inventory, machine.as_deref())?;
    let profile = inventory.profiles.get(&name).with_context(|| format!("there is no profile {name}"))?;
    let layers = inventory.layers(&name, &profile.spec);
    let origin = Origin::Documents(sources);
    let wrongs = references(&inventory, &layers);
    if !wrongs.is_empty() {
        return Err(origin.refused(&wrongs));
    }
    let context = context(&inventory, args, machine.as_deref(), Some((&name, &profile.spec)));
    let secrets = match machine.as_deref() {
        Some(machine) => inventory.secrets(&layers, machine),
        None => {
            let group = inventory.groups.iter().find(|(_, group)| group.spec.profile == name);
            declared_secrets(&layers, group.map(|(name, group)| (name, &*group.spec)), None)
        }
    };
    Ok(Subject { limit: inventory.limit(&profile.spec), layers, context, secrets, origin })
}

/// Layers that are missing, or go round in a circle. An image may be declared elsewhere.
fn references(inventory: &Inventory, layers: &[(Name, Arc<ProfileSpec>)]) -> Vec<Wrong> {
    let mut names: Vec<&Name> = layers.iter().map(|(name, _)| name).collect();
    names.sort();
    // In a circle, a layer is met more than once.
    names.dedup();
    let found = check::check(inventory, names.iter().map(|name| (Kind::Profile, *name)));
    let mut wrongs = Vec::new();
    for (name, found) in names.iter().zip(found) {
        for finding in found.errors {
            if finding.path.starts_with("spec.layers[") || finding.path == "spec.files" {
                wrongs.push(Wrong {
                    path: format!("{name}: {}", finding.path),
                    position: finding.position,
                    detail: finding.detail,
                });
            }
        }
    }
    wrongs
}

fn profile_name(
    args: &RenderArgs,
    target_is_file: bool,
    inventory: &Inventory,
    machine: Option<&Machine>,
) -> Result<Name> {
    if let Some(target) = args.target.as_deref().filter(|_| !target_is_file) {
        return target.parse().map_err(|error| {
            anyhow::anyhow!("`{}` is no file, and no profile's name: {error}", target.escape_default())
        });
    }
    if let Some(machine) = machine {
        let assigned = inventory
            .assigned(machine)
            .with_context(|| format!("no group gives {} a profile", machine.name))?;
        return Ok(assigned.revision.profile);
    }
    let mut names = inventory.profiles.keys();
    match (names.next(), names.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => bail!("there is no profile in the documents"),
        _ => bail!("there are several profiles in the documents: name one, or a machine"),
    }
}

fn context(
    inventory: &Inventory,
    args: &RenderArgs,
    machine: Option<&Machine>,
    profile: Option<(&Name, &ProfileSpec)>,
) -> Context {
    let cluster = profile.and_then(|(_, spec)| spec.cluster.as_ref());
    let site = args.site.as_str();
    let Some(machine) = machine else {
        // The variables of a group that hands the profile out stand for those of any.
        let group =
            profile.and_then(|(name, _)| inventory.groups.values().find(|group| group.spec.profile == *name));
        let mut context =
            Context::example(group.map(|group| group.spec.variables.clone()).unwrap_or_default());
        context.site.name = site.to_owned();
        if let Some(mac) = args.mac {
            context.machine = MachineContext::new(
                &mac.to_string(),
                &Labels::default(),
                &MachineSpec::default(),
                &mac.to_string(),
                None,
            );
        }
        return context.joining(cluster);
    };
    let mac = args.mac.or_else(|| machine.macs().next()).map(|mac| mac.to_string()).unwrap_or_default();
    let ip = machine.spec.ip.map(Into::into);
    let about = MachineContext::new(machine.name.as_str(), &machine.labels, &machine.spec, &mac, ip);
    let subnet = ip.and_then(|ip: std::net::IpAddr| inventory.subnet_of(ip));
    Context::new(about, inventory.variables(machine), site)
        .on(subnet.map(|(name, subnet)| (name, &*subnet.spec)))
        .joining(cluster)
}

/// What the documents declare, as if it were all there is.
fn inventory(meant: Vec<Meant>) -> Inventory {
    fn declared<T>(labels: Labels, spec: T) -> Declared<T> {
        Declared { labels, spec: Arc::new(spec), revision: 1, updated: Timestamp::default() }
    }
    let mut inventory = Inventory::default();
    for (number, Meant { name, labels, spec, .. }) in (0_u64..).zip(meant) {
        match spec {
            Spec::Role(spec) => drop(inventory.roles.insert(name, declared(labels, spec))),
            Spec::Firmware(spec) => drop(inventory.firmware.insert(name, declared(labels, spec))),
            Spec::Subnet(spec) => drop(inventory.subnets.insert(name, declared(labels, spec))),
            Spec::Image(spec) => drop(inventory.images.insert(name, declared(labels, spec))),
            Spec::Profile(spec) => drop(inventory.profiles.insert(name, declared(labels, spec))),
            Spec::Group(spec) => inventory.groups.insert(name, declared(labels, spec)),
            Spec::Webhook(spec) => drop(inventory.webhooks.insert(name, declared(labels, spec))),
            Spec::HardwareClass(spec) => drop(inventory.classes.insert(name, declared(labels, spec))),
            Spec::ExpectedMachine(spec) => inventory.expected.insert(name, declared(labels, spec)),
            Spec::AcceptRule(spec) => drop(inventory.accept_rules.insert(name, declared(labels, spec))),
            Spec::Machine(spec) => {
                let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
                let id = MachineId::new(Timestamp::default(), [0, 0, a, b, c, d, e, f, g, h]);
                inventory.put(Arc::new(Machine::new(
                    id,
                    name,
                    labels,
                    spec,
                    Stage::Ready,
                    Timestamp::default(),
                )));
            }
        }
    }
    inventory
}
