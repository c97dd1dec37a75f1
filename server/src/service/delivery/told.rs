//! Where what a machine gets is from, for people: each value of its config, and each of its kernel arguments.
use super::{Asked, Delivery, Spot};
use crate::{
    domain::{
        boot::Plan,
        delivery,
        inventory::Inventory,
        profile::{self, Limit},
        script::{self, ArgumentFrom},
    },
    service::configs::{Draft, Makings},
};
use pilotlight_types::{
    api::{ConfigValue, KernelArgument, TemplateVariable},
    resource::Name,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, net::IpAddr};

/// Where the values of a config are from.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    /// Each value, in the order of the config.
    pub values: Vec<ConfigValue>,
    /// Its Ignition spec, and why it is that one; none, if the profile has no config.
    pub version: Option<String>,
}

impl Delivery {
    /// Where each value of the profile's part of a config is from.
    pub(super) fn parts(&self, asked: &Asked, draft: &Draft) -> Provenance {
        let Makings { layers, limit, context, .. } = draft.makings();
        let Ok(parts) = profile::parts(layers, context, limit.as_ref()) else { return Provenance::default() };
        let whole = profile::merged(&parts, context);
        let version = whole.ignition.pointer("/ignition/version").and_then(Value::as_str);
        let version = version.map(|version| match limit {
            Some(Limit { image, newest }) => format!("{version}; image {image} takes up to {newest}"),
            None => format!("{version}; its image does not say what it takes"),
        });
        Provenance { values: values(group_of(asked), draft.makings(), whole.lines), version }
    }

    /// The kernel arguments of the script that a decision leads to, each with where it is from.
    pub fn kernel_arguments(&self, asked: &Asked, local: IpAddr) -> Vec<KernelArgument> {
        let Plan::Boot { image, .. } = &asked.decision.plan else { return Vec::new() };
        let own = asked.machine.as_ref().and_then(|machine| machine.spec.ip).map(IpAddr::V4);
        let at = Spot { mac: asked.request.mac, address: own, from: own };
        let base = format!("{}/boot/BOOT", self.ports.http(local));
        self.roster.read(|inventory| {
            let args = self.with_script(inventory, asked, "", (at, (&base, "")), script::kernel_args);
            let own = self.own_arguments(inventory, asked, at);
            let told = |(argument, from): (String, ArgumentFrom)| {
                let (from, variables) = match from {
                    ArgumentFrom::Os => (format!("image {image}: its OS needs it"), Vec::new()),
                    ArgumentFrom::Interface => ("the interface that boots".to_owned(), Vec::new()),
                    ArgumentFrom::Profile(number) => own.get(number).cloned().unwrap_or_default(),
                };
                KernelArgument { argument, from, variables }
            };
            args.into_iter().map(told).collect()
        })
    }

    /// Where the profile's own arguments are from: those that its templates do not leave empty.
    fn own_arguments(
        &self,
        inventory: &Inventory,
        asked: &Asked,
        at: Spot,
    ) -> Vec<(String, Vec<TemplateVariable>)> {
        let (Plan::Boot { profile, .. }, Some(machine)) = (&asked.decision.plan, &asked.machine) else {
            return Vec::new();
        };
        let Some(spec) = inventory.profile_revisions.get(profile) else { return Vec::new() };
        let place = |number: usize| format!("profile {}, spec.kernelArgs[{number}]", profile.profile);
        match self.configs.makings(inventory, machine, at, profile) {
            Ok(makings) => {
                let told = Variables::of(group_of(asked), &makings);
                let places = profile::kernel_arg_places(spec, &makings.context);
                places.into_iter().map(|(number, names)| (place(number), told.all(&names))).collect()
            }
            Err(_) => (0..spec.kernel_args.len()).map(|number| (place(number), Vec::new())).collect(),
        }
    }
}

/// The group that the machine who asked has its profile from.
fn group_of(asked: &Asked) -> Option<&Name> {
    asked.known.armed.as_ref().and_then(|armed| armed.group.as_ref())
}

/// Values of a config for people: each with where it is from, and with masks for secrets. `group` is the machine's.
pub(in crate::service) fn values(
    group: Option<&Name>,
    makings: &Makings,
    lines: Vec<profile::Line>,
) -> Vec<ConfigValue> {
    let told = Variables::of(group, makings);
    let value = |line: profile::Line| {
        let is_masked = delivery::is_secret(&line.path);
        let mut variables = told.all(&line.variables);
        if is_masked {
            variables.iter_mut().for_each(|variable| variable.value = json!("(masked)"));
        }
        ConfigValue {
            value: if is_masked { json!("(masked)") } else { line.value },
            path: line.path,
            profile: line.profile.to_string(),
            field: line.field,
            line: line.position.map(|(line, _)| line),
            column: line.position.map(|(_, column)| column),
            variables,
        }
    };
    lines.into_iter().map(value).collect()
}

/// What templates found, and who said it.
struct Variables<'a> {
    group: Option<&'a Name>,
    makings: &'a Makings,
    found: Value,
}

impl<'a> Variables<'a> {
    fn of(group: Option<&'a Name>, makings: &'a Makings) -> Self {
        Self { group, makings, found: makings.context.to_json() }
    }

    fn all(&self, names: &BTreeSet<String>) -> Vec<TemplateVariable> {
        let told = |name: &String| {
            let value = name.split('.').try_fold(&self.found, |value, part| value.get(part));
            TemplateVariable {
                name: name.clone(),
                value: value.cloned().unwrap_or_default(),
                from: self.from(name),
            }
        };
        names.iter().map(told).collect()
    }

    fn from(&self, name: &str) -> String {
        let machine = &self.makings.machine;
        let mut ways = name.split('.');
        match (ways.next().unwrap_or_default(), ways.next()) {
            ("machine", Some("facts")) => format!("what the agent of {machine} measured"),
            ("machine", Some("mac")) => "the interface that boots".to_owned(),
            ("machine", Some("ip")) => format!("the address of {machine}: reserved, or of its newest boot"),
            ("machine", Some("labels")) => format!("machine {machine}, labels"),
            ("machine", _) => format!("machine {machine}"),
            ("vars", _) => match self.group {
                Some(group) => format!("group {group}, variables"),
                None => "no group gives variables".to_owned(),
            },
            ("subnet", _) => match &self.makings.context.subnet {
                Some(subnet) => format!("subnet {}", subnet.name),
                None => "no subnet".to_owned(),
            },
            ("site", _) => "the daemon's configuration, site.name".to_owned(),
            ("cluster", _) => "the profile's cluster".to_owned(),
            ("secrets", Some(secret)) => {
                let found = self.makings.secrets.iter().find(|(one, _)| one.name.as_str() == secret);
                found.map_or_else(String::new, |(one, place)| format!("{}, {place}", one.from))
            }
            _ => "the template".to_owned(),
        }
    }
}
