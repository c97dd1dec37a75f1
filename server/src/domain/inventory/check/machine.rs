//! Whether a machine makes sense, and is told from every other.
use super::{Findings, bmc, check_options, discovery::check_class, firmware, ipv6};
use crate::domain::{
    identity::{LONGEST_SERIAL, serial_key, uuid_key},
    inventory::Inventory,
    machine::Machine,
    profile::{self, Context, MachineContext},
    stage::Stage,
};
use pilotlight_types::resource::{MachineSpec, Name, Unknown};
use std::sync::Arc;

/// What to do about a machine that is in the way and that nobody declared.
pub(super) fn advice(other: &Machine) -> &'static str {
    if other.stage == Stage::Discovered { ", which was only seen so far: delete that one first" } else { "" }
}

/// `contested` are the machines that have something that another one has too.
pub(super) fn check(
    inventory: &Inventory,
    contested: &[&Arc<Machine>],
    name: &Name,
    spec: &MachineSpec,
    found: &mut Findings,
) {
    firmware::check_named(inventory, spec.firmware.as_ref(), found);
    check_class(inventory, spec.class.as_ref(), found);
    check_options(&spec.options, found);
    check_secrets(inventory, name, spec, found);
    check_macs(contested, name, spec, found);
    check_smbios(inventory, contested, name, spec, found);
    check_address(inventory, contested, name, spec, found);
    ipv6::check_machine(inventory, contested, name, spec, found);
    if let Some(bmc) = &spec.bmc {
        bmc::check(bmc, found);
    }
    if name.as_str() == "actions" {
        found.error("name", "`actions` is a path of the API: choose another name");
    }
    for (path, text) in [("spec.serial", &spec.serial), ("spec.rack", &spec.rack)] {
        if text.as_ref().is_some_and(|text| {
            text.is_empty() || text.len() > LONGEST_SERIAL || text.contains(char::is_control)
        }) {
            found.error(path, "up to 128 printable characters are expected");
        }
    }
}

/// Its references, with its own name, labels and variables.
fn check_secrets(inventory: &Inventory, name: &Name, spec: &MachineSpec, found: &mut Findings) {
    let Some(machine) =
        inventory.machine_named(name.as_str()).filter(|_| !spec.secrets.is_empty() || spec.bmc.is_some())
    else {
        return;
    };
    let about = MachineContext::new(name.as_str(), &machine.labels, spec, "", None);
    let context = Context::new(about, inventory.variables(machine), "example");
    let assigned =
        inventory.assigned(machine).and_then(|assigned| inventory.profile_revisions.get(&assigned.revision));
    let context = context.joining(assigned.and_then(|profile| profile.cluster.as_ref()));
    found.wrongs(profile::check_secrets(&spec.secrets, &context));
    if let Some(bmc) = &spec.bmc
        && let Err(why) = profile::place(&bmc.password, &context)
    {
        found.error("spec.bmc.password", why);
    }
}

pub(super) fn others<'a>(
    contested: &'a [&Arc<Machine>],
    name: &'a Name,
) -> impl Iterator<Item = &'a Machine> {
    contested.iter().map(|machine| &***machine).filter(move |other| other.name != *name)
}

fn check_macs(contested: &[&Arc<Machine>], name: &Name, spec: &MachineSpec, found: &mut Findings) {
    for (index, mac) in spec.macs.iter().enumerate() {
        let path = format!("spec.macs[{index}]");
        if !mac.is_host() {
            found.error(path, format!("{mac} is no host's address"));
        } else if spec.macs.iter().take(index).any(|other| other == mac) {
            found.error(path, format!("{mac} is here twice"));
        } else if let Some(other) = others(contested, name).find(|other| other.spec.macs.contains(mac)) {
            found.error(path, format!("{mac} is machine {}'s already{}", other.name, advice(other)));
        }
    }
}

/// UUID and serial number: one that many machines have is no error beside what tells this one from them.
fn check_smbios(
    inventory: &Inventory,
    contested: &[&Arc<Machine>],
    name: &Name,
    spec: &MachineSpec,
    found: &mut Findings,
) {
    let uuid = spec.uuid.and_then(uuid_key);
    let serial = spec.serial.as_deref().and_then(serial_key);
    let nothing = spec.macs.is_empty() && uuid.is_none() && serial.is_none();
    match (spec.uuid, uuid) {
        (Some(said), None) => shared(found, "spec.uuid", &said.to_string(), nothing),
        (Some(said), Some(key)) => {
            let same = |other: &&Machine| other.spec.uuid.and_then(uuid_key) == Some(key);
            if let Some(other) = others(contested, name).find(same) {
                found.error(
                    "spec.uuid",
                    format!("{said} is machine {}'s already{}", other.name, advice(other)),
                );
            }
        }
        (None, _) => {}
    }
    match (&spec.serial, serial) {
        (Some(said), None) if !said.is_empty() && !said.contains(char::is_control) => {
            shared(found, "spec.serial", said, nothing);
        }
        (Some(said), Some(key)) => {
            let same =
                |other: &&Machine| other.spec.serial.as_deref().and_then(serial_key).as_ref() == Some(&key);
            if let Some(other) = others(contested, name).find(same) {
                let whose = format!("{said} is machine {}'s already{}", other.name, advice(other));
                found.error("spec.serial", whose);
            }
        }
        _ => {}
    }
    if nothing && spec.uuid.is_none() && spec.serial.is_none() {
        let needed =
            "a machine is recognised by a MAC, by its UUID or by its serial number: one of them is needed";
        found.error("spec.macs", needed);
    }
    let silent = inventory.subnets.iter().find(|(_, subnet)| subnet.spec.unknown == Unknown::Ignore);
    if let (true, None, Some((subnet, _))) = (spec.macs.is_empty(), spec.uuid, silent) {
        found.warnings.push(format!(
            "it is known by its serial number only, which is not told before iPXE asks for its script: subnet {subnet}, which ignores \
             unknown machines, will not let it come so far; declare a MAC or the UUID"
        ));
    }
}

/// An identity that many machines have: an error where the machine has no other.
fn shared(found: &mut Findings, path: &str, said: &str, alone: bool) {
    let what = format!(
        "`{said}` is what firmware says where nobody filled it in: many machines have it, and none is known by it"
    );
    if alone { found.error(path, what) } else { found.warnings.push(format!("{path}: {what}")) }
}

fn check_address(
    inventory: &Inventory,
    contested: &[&Arc<Machine>],
    name: &Name,
    spec: &MachineSpec,
    found: &mut Findings,
) {
    let Some(ip) = spec.ip else { return };
    if let Some(other) = others(contested, name).find(|other| other.spec.ip == Some(ip)) {
        found.error("spec.ip", format!("{ip} is machine {}'s already", other.name));
    }
    match inventory.subnet_of(ip) {
        None => found.error("spec.ip", format!("{ip} is in no subnet")),
        Some((subnet, declared)) => {
            let net = declared.spec.cidr;
            if ip == net.network() || ip == net.broadcast() || declared.spec.gateway == Some(ip) {
                found.error(
                    "spec.ip",
                    format!("{ip} is subnet {subnet}'s network, broadcast or gateway address"),
                );
            }
        }
    }
}
