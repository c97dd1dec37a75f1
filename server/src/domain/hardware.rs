//! A machine's hardware against its class: what differs, slot by slot, in words. And what is known of it in short.
use super::machine::Machine;
use pilotlight_types::{
    api::{Difference, HardwareSummary},
    facts::{Cpus, Disk, Facts, FirmwareMode, Memory, MemorySlot, Nic, System, Transport},
    resource::{
        ByteSize, CpuClass, DiskClass, DiskKind, FirmwareClass, HardwareClassSpec, MemoryClass, NicClass,
        Pattern, compare_versions,
    },
};
use std::fmt::Display;

#[cfg(test)]
mod tests;

/// What is not as the class wants it, in the order of the class.
pub fn differences(class: &HardwareClassSpec, facts: &Facts) -> Vec<Difference> {
    let mut found = Vec::new();
    let System { vendor, product, firmware, .. } = &facts.system;
    pattern(&mut found, "maker", class.vendor.as_ref(), vendor.as_deref());
    pattern(&mut found, "model", class.model.as_ref(), product.as_deref());
    if let Some(cpus) = &class.cpus {
        processors(&mut found, cpus, &facts.cpus);
    }
    if let Some(memory) = &class.memory {
        self::memory(&mut found, memory, &facts.memory);
    }
    disks(&mut found, &class.disks, &facts.disks);
    nics(&mut found, &class.nics, &facts.nics);
    if let Some(FirmwareClass { version, mode, secure_boot }) = &class.firmware {
        if let Some(lowest) = version {
            version_of(&mut found, "firmware", lowest, firmware.version.as_deref());
        }
        if let Some(mode) = mode.filter(|mode| firmware.mode != Some(*mode)) {
            let there = firmware.mode.map_or("nothing that says so", mode_name);
            found.push(difference("firmware", mode_name(mode), there));
        }
        if let Some(wanted) = secure_boot.filter(|wanted| firmware.secure_boot != Some(*wanted)) {
            let said = |on: bool| if on { "Secure Boot on" } else { "Secure Boot off" };
            found.push(difference(
                "firmware",
                said(wanted),
                firmware.secure_boot.map_or("nothing that says so", said),
            ));
        }
    }
    found
}

const fn mode_name(mode: FirmwareMode) -> &'static str {
    match mode {
        FirmwareMode::Uefi => "UEFI",
        FirmwareMode::Bios => "BIOS",
        FirmwareMode::Other => "another kind of firmware",
    }
}

fn difference(at: impl Into<String>, wanted: impl Display, there: impl Display) -> Difference {
    Difference { at: at.into(), wanted: wanted.to_string(), found: there.to_string() }
}

fn pattern(found: &mut Vec<Difference>, at: &str, wanted: Option<&Pattern>, there: Option<&str>) {
    if let Some(wanted) = wanted.filter(|wanted| !there.is_some_and(|text| wanted.takes(text))) {
        found.push(difference(at, format!("`{wanted}`"), quoted(there)));
    }
}

fn quoted(text: Option<&str>) -> String {
    text.map_or("nothing that says so".to_owned(), |text| format!("`{}`", text.trim()))
}

fn version_of(found: &mut Vec<Difference>, at: &str, lowest: &str, there: Option<&str>) {
    if !there.is_some_and(|version| compare_versions(version, lowest).is_ge()) {
        found.push(difference(at, format!("version {lowest} or later"), quoted(there)));
    }
}

fn processors(found: &mut Vec<Difference>, class: &CpuClass, cpus: &Cpus) {
    if let Some(sockets) = class.sockets.filter(|sockets| *sockets != cpus.sockets) {
        found.push(difference("processors", sockets, cpus.sockets));
    }
    for package in &cpus.packages {
        let at = format!("processor {}", package.number);
        pattern(found, &at, class.model.as_ref(), package.model.as_deref());
        if let Some(cores) = class.cores.filter(|cores| package.cores < *cores) {
            found.push(difference(at, format!("{cores} cores or more"), format!("{} cores", package.cores)));
        }
    }
    if cpus.packages.is_empty() && (class.model.is_some() || class.cores.is_some()) {
        found.push(difference("processors", "a processor that is known", "nothing that says which"));
    }
}

/// Bytes of memory that are installed, as far as that is known.
fn total(memory: &Memory) -> Option<u64> {
    memory.installed_bytes.or(memory.usable_bytes)
}

fn memory(found: &mut Vec<Difference>, class: &MemoryClass, memory: &Memory) {
    if let Some(wanted) = class.total {
        let there = total(memory);
        // What the kernel can use is less than what is installed: up to a sixteenth is the firmware's and its own.
        let counts = match memory.installed_bytes {
            Some(bytes) => bytes >= wanted.get(),
            None => there.is_some_and(|bytes| bytes.saturating_add(wanted.get() / 16) >= wanted.get()),
        };
        if !counts {
            let there = there.map_or("nothing that says how much".to_owned(), size);
            found.push(difference("memory", format!("{wanted} or more"), there));
        }
    }
    let mut left: Vec<(usize, &MemorySlot)> = memory.slots.iter().enumerate().collect();
    for wanted in &class.slots {
        let here = |slot: &MemorySlot| {
            wanted
                .locator
                .as_ref()
                .is_none_or(|locator| slot.locator.as_deref().is_some_and(|at| locator.takes(at)))
        };
        let (mut mine, mut others): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, slot)| here(slot));
        if let Some(count) = wanted.count {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            // Those that are as they should be count first; the others are left to the next sort.
            mine.sort_by_key(|(number, slot)| (slot.size_bytes != Some(wanted.size.get()), *number));
            if mine.len() < count {
                let where_ = wanted.locator.as_ref().map_or(String::new(), |at| format!(" `{at}`"));
                found.push(difference(format!("memory slots{where_}"), count, mine.len()));
            }
            others.extend(mine.drain(count.min(mine.len())..));
            mine.sort_by_key(|(number, _)| *number);
        }
        for (number, slot) in mine.iter().filter(|(_, slot)| slot.size_bytes != Some(wanted.size.get())) {
            let at = slot.locator.clone().unwrap_or_else(|| number.to_string());
            let module = |bytes: u64| if bytes == 0 { "no module".to_owned() } else { size(bytes) };
            let there = slot.size_bytes.map_or("nothing that says how much".to_owned(), module);
            found.push(difference(format!("memory slot {at}"), module(wanted.size.get()), there));
        }
        others.sort_by_key(|(number, _)| *number);
        left = others;
    }
    if !class.slots.is_empty() && memory.slots.is_empty() {
        found.push(difference("memory slots", "slots that are known", "nothing that tells of them"));
    }
}

/// Takes those that are of each sort out of what is left, at most as many as it wants; tells what lacks, and which might have been meant.
fn sorts<'a, T: 'a, C>(
    found: &mut Vec<Difference>,
    classes: &'a [C],
    things: impl Iterator<Item = &'a T>,
    (what, count, words): (&str, impl Fn(&C) -> u32, impl Fn(&C) -> String),
    (takes, shown): (impl Fn(&C, &T) -> bool, impl Fn(&T) -> String),
) {
    let mut left: Vec<&T> = things.collect();
    for class in classes {
        let wanted = usize::try_from(count(class)).unwrap_or(usize::MAX);
        let (mine, others): (Vec<&T>, Vec<&T>) = left.into_iter().partition(|thing| takes(class, thing));
        if mine.len() < wanted {
            let rest: Vec<String> = others.iter().map(|thing| shown(thing)).collect();
            let beside =
                if rest.is_empty() { String::new() } else { format!(", beside {}", rest.join(", ")) };
            found.push(difference(
                what,
                format!("{wanted} × {}", words(class)),
                format!("{}{beside}", mine.len()),
            ));
        }
        let over = mine.get(wanted.min(mine.len())..).unwrap_or_default();
        left = over.iter().copied().chain(others).collect();
    }
}

fn disks(found: &mut Vec<Difference>, classes: &[DiskClass], disks: &[Disk]) {
    let kind = |disk: &Disk| match (disk.transport, disk.rotational) {
        (Some(Transport::Nvme), _) => DiskKind::Nvme,
        (_, true) => DiskKind::Hdd,
        (_, false) => DiskKind::Ssd,
    };
    let takes = |class: &DiskClass, disk: &Disk| {
        class.kind.is_none_or(|wanted| wanted == kind(disk))
            && class.size.as_ref().is_none_or(|bounds| bounds.take(&ByteSize::bytes(disk.size_bytes)))
            && class
                .model
                .as_ref()
                .is_none_or(|model| disk.model.as_deref().is_some_and(|text| model.takes(text)))
            && class.firmware.as_ref().is_none_or(|lowest| {
                disk.firmware.as_deref().is_some_and(|version| compare_versions(version, lowest).is_ge())
            })
    };
    let words = |class: &DiskClass| {
        let mut words = class.kind.map_or("disk", kind_name).to_owned();
        let parts = [
            class.size.as_ref().map(|size| format!(" of {size}")),
            class.model.as_ref().map(|model| format!(" `{model}`")),
            class.firmware.as_ref().map(|lowest| format!(" with firmware {lowest} or later")),
        ];
        words.extend(parts.into_iter().flatten());
        words
    };
    let shown = |disk: &Disk| {
        let firmware =
            disk.firmware.as_deref().map(|version| format!(" with firmware {version}")).unwrap_or_default();
        format!("{} ({} of {}{firmware})", disk.name, kind_name(kind(disk)), size(disk.size_bytes))
    };
    sorts(found, classes, fixed(disks), ("disks", |class: &DiskClass| class.count, words), (takes, shown));
}

/// The disks that cannot be taken out.
fn fixed(disks: &[Disk]) -> impl Iterator<Item = &Disk> {
    disks.iter().filter(|disk| !disk.removable)
}

const fn kind_name(kind: DiskKind) -> &'static str {
    match kind {
        DiskKind::Nvme => "NVMe",
        DiskKind::Ssd => "SSD",
        DiskKind::Hdd => "hard disk",
    }
}

fn nics(found: &mut Vec<Difference>, classes: &[NicClass], nics: &[Nic]) {
    let takes = |class: &NicClass, nic: &Nic| {
        let mbps = nic.speed_mbps.map(|mbps| u64::from(mbps) * 125_000);
        class.speed.is_none_or(|least| mbps.is_some_and(|speed| speed >= least.bytes()))
            && class.link.is_none_or(|wanted| nic.link == Some(wanted))
            && class
                .driver
                .as_ref()
                .is_none_or(|driver| nic.driver.as_deref().is_some_and(|name| driver.takes(name)))
    };
    let words = |class: &NicClass| {
        let link = class.link.map(|link| if link { " with a link" } else { " without a link" }.to_owned());
        let speed = class.speed.map(|speed| format!(" of {speed} or more"));
        let driver = class.driver.as_ref().map(|driver| format!(" with driver `{driver}`"));
        let mut words = "interface".to_owned();
        words.extend([speed, link, driver].into_iter().flatten());
        words
    };
    let shown = |nic: &Nic| {
        let speed = nic.speed_mbps.map_or("speed unknown".to_owned(), |mbps| format!("{mbps} Mbit/s"));
        let link = match nic.link {
            Some(true) => "link",
            Some(false) => "no link",
            None => "down",
        };
        format!("{} ({speed}, {link})", nic.name)
    };
    sorts(found, classes, nics.iter(), ("interfaces", |class: &NicClass| class.count, words), (takes, shown));
}

/// A size as people say it: exactly where that is short, else to a tenth.
fn size(bytes: u64) -> String {
    let exact = ByteSize::bytes(bytes).to_string();
    if exact.len() <= 8 {
        return exact;
    }
    let units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000)];
    let (name, unit) = units.into_iter().find(|(_, unit)| bytes >= *unit).unwrap_or(("MB", 1_000_000));
    let tenths = bytes / (unit / 10);
    format!("{}.{}{name}", tenths / 10, tenths % 10)
}

/// What is known of a machine's hardware, in a few words.
pub fn summary(machine: &Machine) -> HardwareSummary {
    let spec = &machine.spec;
    let declared = HardwareSummary {
        serial: spec.serial.clone(),
        uuid: spec.uuid,
        macs: machine.macs().collect(),
        rack: spec.rack.clone(),
        unit: spec.unit,
        ..HardwareSummary::default()
    };
    let Some(facts) = machine.facts.as_ref().map(|reported| &reported.facts) else { return declared };
    let System { vendor, product, serial, uuid, .. } = &facts.system;
    HardwareSummary {
        vendor: vendor.clone(),
        model: product.clone(),
        serial: serial.clone().or(declared.serial),
        uuid: uuid.or(declared.uuid),
        sockets: Some(facts.cpus.sockets),
        cores: Some(facts.cpus.cores),
        memory_bytes: total(&facts.memory),
        disks: u32::try_from(fixed(&facts.disks).count()).ok(),
        disk_bytes: Some(fixed(&facts.disks).fold(0, |sum: u64, disk| sum.saturating_add(disk.size_bytes))),
        ..declared
    }
}

/// The largest disk that cannot be taken out.
pub fn largest_disk(facts: &Facts) -> Option<ByteSize> {
    fixed(&facts.disks).map(|disk| ByteSize::bytes(disk.size_bytes)).max()
}
