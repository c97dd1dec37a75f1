//! Whether accept rules, expected machines and hardware classes make sense.
use super::{Findings, Inventory};
use crate::domain::{
    discovery::{About, name_of},
    identity::{LONGEST_SERIAL, serial_key, uuid_key},
    inventory::marks::{self, Mark},
};
use pilotlight_types::resource::{AcceptRuleSpec, Bounds, ExpectedMachineSpec, HardwareClassSpec, Name};

/// How many sorts of something a class may have, and how long a version may be.
const MOST: (usize, usize) = (64, 64);

pub(super) fn check_rule(inventory: &Inventory, spec: &AcceptRuleSpec, found: &mut Findings) {
    check_class(inventory, spec.class.as_ref(), found);
    if let Some(template) = &spec.name
        && let Err(why) = name_of(template, &About::example())
    {
        found.error("spec.name", why);
    }
    if spec.limit == Some(0) {
        found.error("spec.limit", "at least 1 is expected; `paused: true` lets it accept none");
    }
    let wanted = &spec.matches;
    for (index, subnet) in wanted.subnets.iter().enumerate() {
        if !inventory.subnets.contains_key(subnet) {
            found.error(format!("spec.match.subnets[{index}]"), format!("there is no subnet {subnet}"));
        }
    }
    let bounds = [
        ("sockets", crossed(wanted.sockets.as_ref())),
        ("cores", crossed(wanted.cores.as_ref())),
        ("memory", crossed(wanted.memory.as_ref())),
        ("disks", crossed(wanted.disks.as_ref())),
        ("diskSize", crossed(wanted.disk_size.as_ref())),
    ];
    for (field, _) in bounds.into_iter().filter(|(_, crossed)| *crossed) {
        found.error(format!("spec.match.{field}"), "`max` is below `min`: nothing is within that");
    }
    if *wanted == Default::default() && spec.limit.is_none() {
        found.warnings.push("without `match` and `limit` it accepts every machine that turns up".into());
    }
}

fn crossed<T: PartialOrd>(bounds: Option<&Bounds<T>>) -> bool {
    bounds.is_some_and(|bounds| {
        bounds.min.as_ref().zip(bounds.max.as_ref()).is_some_and(|(min, max)| min > max)
    })
}

/// The hardware class that something names.
pub(super) fn check_class(inventory: &Inventory, class: Option<&Name>, found: &mut Findings) {
    if let Some(class) = class.filter(|class| !inventory.classes.contains_key(*class)) {
        found.error("spec.class", format!("there is no hardware class {class}"));
    }
}

pub(super) fn check_expected(
    inventory: &Inventory,
    name: &Name,
    spec: &ExpectedMachineSpec,
    found: &mut Findings,
) {
    check_class(inventory, spec.class.as_ref(), found);
    if name.as_str() == "actions" {
        found.error("name", "`actions` is a path of the API: choose another name");
    }
    let serial = spec.serial.as_deref();
    if spec.macs.is_empty() && spec.uuid.is_none() && serial.is_none() {
        found.error(
            "spec",
            "a serial number, a UUID or MACs are expected: by these it is known when it comes",
        );
    }
    for (path, text) in [("spec.serial", &spec.serial), ("spec.rack", &spec.rack)] {
        let bad =
            |text: &String| text.is_empty() || text.len() > LONGEST_SERIAL || text.contains(char::is_control);
        if text.as_ref().is_some_and(bad) {
            found.error(path, "up to 128 printable characters are expected");
        }
    }
    if serial.is_some_and(|serial| serial_key(serial).is_none()) {
        found.error(
            "spec.serial",
            "makers leave this where there is no serial number: it tells no machine from another",
        );
    }
    if spec.uuid.is_some_and(|uuid| uuid_key(uuid).is_none()) {
        found.error("spec.uuid", "many machines have this UUID: it tells none from another");
    }
    for (index, mac) in spec.macs.iter().enumerate() {
        if !mac.is_host() {
            found.error(format!("spec.macs[{index}]"), format!("{mac} is no host's address"));
        }
    }
    for mark in marks::of_expected(spec) {
        let (path, bmcs) = match &mark {
            Mark::Serial(_) => ("spec.serial".to_owned(), None),
            Mark::Uuid(_) => ("spec.uuid".to_owned(), None),
            Mark::Mac(mac) => {
                let index = spec.macs.iter().position(|own| own == mac).unwrap_or_default();
                (format!("spec.macs[{index}]"), Some(inventory.expected.with_bmc(*mac)))
            }
        };
        let others = inventory.expected.with(&mark).chain(bmcs.into_iter().flatten());
        told(name, path, &mark, others, found);
    }
    if let Some(mac) = spec.bmc_mac {
        let mark = Mark::Mac(mac);
        let others = inventory.expected.with_bmc(mac).chain(inventory.expected.with(&mark));
        told(name, "spec.bmcMac".to_owned(), &mark, others, found);
        if spec.macs.contains(&mac) {
            found.error("spec.bmcMac", format!("{mac} is in `macs` too: it is the BMC's, or the machine's"));
        }
    }
}

/// Tells who else is expected to have a mark.
fn told<'a>(
    name: &Name,
    path: String,
    mark: &Mark,
    mut others: impl Iterator<Item = &'a Name>,
    found: &mut Findings,
) {
    if let Some(other) = others.find(|other| *other != name) {
        found.error(path, format!("{other}, which is expected too, has {mark}"));
    }
}

pub(super) fn check_hardware(spec: &HardwareClassSpec, found: &mut Findings) {
    let (sorts, longest) = MOST;
    let slots = spec.memory.as_ref().map_or(0, |memory| memory.slots.len());
    for (path, count) in
        [("spec.disks", spec.disks.len()), ("spec.nics", spec.nics.len()), ("spec.memory.slots", slots)]
    {
        if count > sorts {
            found.error(path, format!("up to {sorts} are expected"));
        }
    }
    let firmware = spec.firmware.iter().filter_map(|firmware| firmware.version.as_ref());
    let firmware = firmware.map(|version| ("spec.firmware.version".to_owned(), version));
    let disks = spec.disks.iter().enumerate();
    let disks =
        disks.filter_map(|(i, disk)| Some((format!("spec.disks[{i}].firmware"), disk.firmware.as_ref()?)));
    for (path, version) in firmware.chain(disks) {
        if version.trim().is_empty() || version.len() > longest || version.contains(char::is_control) {
            found.error(path, format!("a version is up to {longest} printable characters"));
        }
    }
    for (index, disk) in spec.disks.iter().enumerate() {
        if disk.count == 0 {
            found.error(format!("spec.disks[{index}].count"), "at least 1 is expected");
        }
        if crossed(disk.size.as_ref()) {
            found.error(format!("spec.disks[{index}].size"), "`max` is below `min`: nothing is within that");
        }
    }
    for (index, _) in spec.nics.iter().enumerate().filter(|(_, nic)| nic.count == 0) {
        found.error(format!("spec.nics[{index}].count"), "at least 1 is expected");
    }
}

/// Who names a hardware class.
pub(super) fn class_needed(inventory: &Inventory, class: &Name) -> Option<String> {
    let rule = inventory.accept_rules.iter().find(|(_, rule)| rule.spec.class.as_ref() == Some(class));
    let expected =
        inventory.expected.iter().find(|(_, expected)| expected.spec.class.as_ref() == Some(class));
    let machine = inventory.machines().find(|machine| machine.spec.class.as_ref() == Some(class));
    rule.map(|(rule, _)| format!("accept rule {rule} names it"))
        .or_else(|| expected.map(|(expected, _)| format!("{expected}, which is expected, is to be of it")))
        .or_else(|| machine.map(|machine| format!("machine {} is to be of it", machine.name)))
}
