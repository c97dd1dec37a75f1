//! Whether a changed inventory makes sense: what documents cannot say of themselves, because it takes the others to know.
mod bmc;
mod contested;
mod discovery;
mod firmware;
mod ipv6;
mod machine;
mod role;
mod subnet;
mod webhook;

use super::Inventory;
use crate::domain::{
    dhcp_options,
    firmware::table,
    ignition::Version,
    machine::Machine,
    profile::{self, Context, Limit, SecretValues, Wrong},
};
use contested::contested;
use pilotlight_types::resource::{
    BootMode, DhcpOptions, GroupSpec, ImageOs, ImageSpec, Kind, Name, ProfileSpec,
};
use std::sync::Arc;

/// How deep layers may go.
pub const MOST_LAYERS: usize = 16;

/// From how many bytes on a profile's text alone may make a config that is too large.
const LARGE_TEXT: usize = 1 << 20;

/// Something that does not make sense, in one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where in the resource: `spec.ranges[1]`.
    pub path: String,
    /// Line and column in the text at that path.
    pub position: Option<(usize, usize)>,
    /// What is wrong.
    pub detail: String,
}

/// What was found in one resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// What must not be.
    pub errors: Vec<Finding>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<String>,
}

impl Findings {
    fn wrongs(&mut self, wrongs: impl IntoIterator<Item = Wrong>) {
        self.errors.extend(wrongs.into_iter().map(|w| Finding {
            path: w.path,
            position: w.position,
            detail: w.detail,
        }));
    }

    fn error(&mut self, path: impl Into<String>, detail: impl Into<String>) {
        self.errors.push(Finding { path: path.into(), position: None, detail: detail.into() });
    }
}

/// Checks resources against the whole inventory that they are part of: what was found in each, in their order.
pub fn check<'a>(
    inventory: &Inventory,
    resources: impl IntoIterator<Item = (Kind, &'a Name)>,
) -> Vec<Findings> {
    // Looked for once, and only if there is a machine among them.
    let mut clashes = None;
    let mut check = |(kind, name)| match kind {
        Kind::Machine => {
            check_one(inventory, kind, name, clashes.get_or_insert_with(|| contested(inventory)))
        }
        _ => check_one(inventory, kind, name, &[]),
    };
    resources.into_iter().map(&mut check).collect()
}

fn check_one(inventory: &Inventory, kind: Kind, name: &Name, contested: &[&Arc<Machine>]) -> Findings {
    let mut found = Findings::default();
    match kind {
        Kind::Role => {
            if let Some(role) = inventory.roles.get(name) {
                role::check(name, &role.spec, &mut found);
            }
        }
        Kind::Firmware => {
            if let Some(row) = inventory.firmware.get(name) {
                firmware::check_row(&row.spec, &mut found);
            }
        }
        Kind::Subnet => {
            if let Some(subnet) = inventory.subnets.get(name) {
                subnet::check(inventory, name, &subnet.spec, &mut found);
            }
        }
        Kind::Image => {
            if let Some(image) = inventory.images.get(name) {
                check_image(&image.spec, &mut found);
            }
        }
        Kind::Profile => {
            if let Some(profile) = inventory.profiles.get(name) {
                check_profile(inventory, name, &profile.spec, &mut found);
            }
        }
        Kind::Group => {
            if let Some(group) = inventory.groups.get(name) {
                check_group(inventory, name, &group.spec, &mut found);
            }
        }
        Kind::HardwareClass => {
            if let Some(class) = inventory.classes.get(name) {
                discovery::check_hardware(&class.spec, &mut found);
            }
        }
        Kind::ExpectedMachine => {
            if let Some(expected) = inventory.expected.get(name) {
                discovery::check_expected(inventory, name, &expected.spec, &mut found);
            }
        }
        Kind::AcceptRule => {
            if let Some(rule) = inventory.accept_rules.get(name) {
                discovery::check_rule(inventory, &rule.spec, &mut found);
            }
        }
        Kind::Webhook => {
            if let Some(webhook) = inventory.webhooks.get(name) {
                webhook::check(&webhook.spec, &mut found);
            }
        }
        Kind::Machine => {
            if let Some(machine) = inventory.machine_named(name.as_str()) {
                machine::check(inventory, contested, name, &machine.spec, &mut found);
            }
        }
    }
    found
}

/// Why a resource cannot go: others need it.
pub fn needed_by(inventory: &Inventory, kind: Kind, name: &Name) -> Option<String> {
    match kind {
        Kind::Image => inventory
            .profiles
            .iter()
            .find(|(_, profile)| profile.spec.image.as_ref() == Some(name))
            .map(|(profile, _)| format!("profile {profile} boots it")),
        Kind::Profile => {
            let layer = inventory.profiles.iter().find(|(_, profile)| profile.spec.layers.contains(name));
            let group = inventory.groups.iter().find(|(_, group)| group.spec.profile == *name);
            let machine =
                inventory.machines().find(|m| m.stage.armed().is_some_and(|armed| armed.profile == *name));
            layer
                .map(|(other, _)| format!("it is a layer of profile {other}"))
                .or_else(|| group.map(|(group, _)| format!("group {group} gives it to its machines")))
                .or_else(|| machine.map(|machine| format!("machine {} is armed for it", machine.name)))
        }
        Kind::Role => role::needed(name),
        Kind::Firmware if table::shipped().iter().any(|(shipped, _)| shipped == name) => None,
        Kind::Firmware => {
            let names = |firmware: &Option<Name>| firmware.as_ref() == Some(name);
            let subnet = inventory.subnets.iter().find(|(_, subnet)| names(&subnet.spec.firmware));
            let machine = inventory.machines().find(|machine| names(&machine.spec.firmware));
            subnet
                .map(|(subnet, _)| format!("subnet {subnet} names it"))
                .or_else(|| machine.map(|machine| format!("machine {} names it", machine.name)))
        }
        Kind::HardwareClass => discovery::class_needed(inventory, name),
        Kind::Subnet => inventory
            .accept_rules
            .iter()
            .find(|(_, rule)| rule.spec.matches.subnets.contains(name))
            .map(|(rule, _)| format!("accept rule {rule} names it")),
        Kind::Group | Kind::Machine | Kind::Webhook | Kind::ExpectedMachine | Kind::AcceptRule => None,
    }
}

fn check_image(spec: &ImageSpec, found: &mut Findings) {
    if spec.initrd.is_empty() {
        found.error("spec.initrd", "an image has at least one initramfs file");
    }
    if spec.arch != "x86_64" {
        found.error(
            "spec.arch",
            format!("`{}` cannot be booted yet: x86_64 is expected", spec.arch.escape_default()),
        );
    }
    if spec.version.is_empty() || spec.version.len() > 100 || spec.version.contains(|c: char| c.is_control())
    {
        found.error("spec.version", "a version is up to 100 printable characters");
    }
    if spec.os == ImageOs::FedoraCoreos && spec.rootfs.is_none() {
        found
            .warnings
            .push("fedora-coreos without `rootfs`: the initramfs must hold the root file system".into());
    }
    if let Some(Err(why)) = spec.ignition.as_deref().map(str::parse::<Version>) {
        found.error("spec.ignition", why);
    }
    let files = spec.initrd.iter().enumerate().map(|(i, file)| (format!("spec.initrd[{i}].url"), file));
    let files = files.chain([("spec.kernel.url".into(), &spec.kernel)]);
    let rootfs = spec.rootfs.iter().map(|file| ("spec.rootfs.url".to_owned(), file));
    for (path, file) in files.chain(rootfs) {
        let known = ["https://", "http://", "/"].iter().any(|start| file.url.starts_with(start));
        if !known || file.url.contains(|c: char| c.is_control()) {
            found.error(path, "https://…, http://… or an absolute path on the server is expected");
        }
    }
}

fn check_profile(inventory: &Inventory, name: &Name, spec: &ProfileSpec, found: &mut Findings) {
    match (&spec.image, spec.boot) {
        (Some(image), _) if !inventory.images.contains_key(image) => {
            found.error("spec.image", format!("there is no image {image}"));
        }
        (None, BootMode::Live | BootMode::Discovery) => {
            found.error("spec.image", "a profile that boots over the network names an image");
        }
        _ => {}
    }
    if spec.boot == BootMode::Discovery
        && let Some((other, _)) =
            inventory.profiles.iter().find(|(other, p)| *other != name && p.spec.boot == BootMode::Discovery)
    {
        found.error("spec.boot", format!("profile {other} is the discovery profile already; there is one"));
    }
    for (index, layer) in spec.layers.iter().enumerate() {
        if !inventory.profiles.contains_key(layer) {
            found.error(format!("spec.layers[{index}]"), format!("there is no profile {layer}"));
        } else if reaches(inventory, layer, name, 0) {
            found.error(format!("spec.layers[{index}]"), format!("{layer} has {name} among its own layers"));
        }
    }
    check_config(inventory, name, spec, found);
}

/// Whether `to` is `from` or among its layers.
fn reaches(inventory: &Inventory, from: &Name, to: &Name, depth: usize) -> bool {
    from == to
        || depth >= MOST_LAYERS
        || inventory.profiles.get(from).is_some_and(|profile| {
            profile.spec.layers.iter().any(|layer| reaches(inventory, layer, to, depth + 1))
        })
}

/// A config is tried with the variables of each group that hands it out, and on an example machine.
fn check_config(inventory: &Inventory, name: &Name, spec: &ProfileSpec, found: &mut Findings) {
    let uses = |group: &GroupSpec| {
        group.profile == *name
            || inventory.profiles.get(&group.profile).is_some_and(|p| {
                inventory.layers(&group.profile, &p.spec).iter().any(|(layer, _)| layer == name)
            })
    };
    let mut trials: Vec<Option<(&Name, &GroupSpec)>> = inventory
        .groups
        .iter()
        .filter(|(_, group)| uses(&group.spec))
        .map(|(group, declared)| Some((group, &*declared.spec)))
        .collect();
    if trials.is_empty() || profile::is_fixed(spec) {
        trials = vec![None];
    }
    let profile = inventory.profiles.get(name);
    let layers = profile.map(|profile| inventory.layers(name, &profile.spec)).unwrap_or_default();
    check_secrets(spec, &layers, &trials, found);
    let users = image_users(inventory, name);
    for group in trials {
        let context = trial(&layers, group).joining(spec.cluster.as_ref());
        if let Err(wrongs) = profile::kernel_args(spec, &context) {
            found.wrongs(wrongs);
        }
        match profile::config(spec, &context) {
            Ok(Some(config)) => {
                found.warnings.extend(config.warnings.iter().cloned());
                for limit in &users {
                    if let Err(wrongs) = profile::lowered(&config, spec, &context, limit) {
                        found.wrongs(wrongs);
                    }
                }
            }
            Ok(None) => {}
            Err(wrongs) => found.wrongs(wrongs),
        }
        // A text of that size alone may be too much, and so may what lies beside it.
        let is_large = !spec.files.is_empty()
            || spec.ignition.is_some()
            || spec.butane.as_ref().is_some_and(|text| text.len() > LARGE_TEXT);
        if found.errors.is_empty()
            && (is_large || !spec.layers.is_empty())
            // What is wrong with a layer is found where it is written.
            && let Ok(parts) = profile::parts(&layers, &context, None)
        {
            let own = format!("{name}: ");
            found.wrongs(profile::check_whole(&parts, &context).into_iter().map(|wrong| {
                let own = wrong.path.strip_prefix(&own).map(str::to_owned);
                Wrong {
                    position: own.as_ref().and(wrong.position),
                    path: own.unwrap_or("spec.layers".to_owned()),
                    ..wrong
                }
            }));
        }
        if !found.errors.is_empty() {
            return;
        }
    }
}

/// An example machine of a group, with masks for what it and the layers have for secrets.
fn trial(layers: &[(Name, Arc<ProfileSpec>)], group: Option<(&Name, &GroupSpec)>) -> Context {
    let vars = group.map(|(_, group)| group.variables.clone()).unwrap_or_default();
    let secrets = profile::declared_secrets(layers, group, None);
    Context::example(vars).with_secrets(SecretValues::masks(secrets.keys()))
}

/// The references of a profile, and whether it may have any.
fn check_secrets(
    spec: &ProfileSpec,
    layers: &[(Name, Arc<ProfileSpec>)],
    trials: &[Option<(&Name, &GroupSpec)>],
    found: &mut Findings,
) {
    for group in trials {
        let wrongs =
            profile::check_secrets(&spec.secrets, &trial(&[], *group).joining(spec.cluster.as_ref()));
        if !wrongs.is_empty() {
            return found.wrongs(wrongs);
        }
    }
    let declared = profile::declared_secrets(layers, None, None);
    if spec.boot == BootMode::Discovery
        && let Some(secret) = profile::used_secrets(layers, &declared).first()
    {
        found.error(
            "spec.boot",
            format!("machines that nobody declared boot this profile, and whoever asks would have its secret `{}`", secret.name),
        );
    }
}

/// What the images take that this profile is booted with, by itself or as a layer.
fn image_users(inventory: &Inventory, name: &Name) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    for (user, profile) in &inventory.profiles {
        let Some(limit) = inventory.limit(&profile.spec).filter(|limit| !limits.contains(limit)) else {
            continue;
        };
        let stacked = !profile.spec.layers.is_empty();
        if user == name
            || stacked && inventory.layers(user, &profile.spec).iter().any(|(layer, _)| layer == name)
        {
            limits.push(limit);
        }
    }
    limits
}

/// Options that cannot be sent, or not like that.
fn check_options(options: &DhcpOptions, found: &mut Findings) {
    for (code, value) in options.iter() {
        if let Err(bad) = dhcp_options::encode(code, value) {
            found.error(format!("spec.options.{code}"), bad.to_string());
        }
    }
}

fn check_group(inventory: &Inventory, name: &Name, spec: &GroupSpec, found: &mut Findings) {
    check_options(&spec.options, found);
    let Some(profile) = inventory.profiles.get(&spec.profile) else {
        found.error("spec.profile", format!("there is no profile {}", spec.profile));
        return;
    };
    let layers = inventory.layers(&spec.profile, &profile.spec);
    let context = trial(&layers, Some((name, spec))).joining(profile.spec.cluster.as_ref());
    found.wrongs(profile::check_secrets(&spec.secrets, &context));
    let arguments = profile::kernel_args(&profile.spec, &context).err().unwrap_or_default();
    let arguments =
        arguments.into_iter().map(|w| Wrong { path: format!("{}: {}", spec.profile, w.path), ..w }).collect();
    let configs = profile::configs(&layers, &context, None);
    for wrongs in [arguments, configs.err().unwrap_or_default()] {
        for wrong in wrongs {
            found.error(
                "spec.variables",
                format!("with these, profile {} is wrong: {}", wrong.path, wrong.detail),
            );
        }
    }
}

#[cfg(test)]
mod tests;
