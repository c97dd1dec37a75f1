//! The processors.
use super::Tree;
use pilotlight_types::facts::{CpuPackage, Cpus, MAX_ITEMS, clean};
use std::collections::{BTreeMap, BTreeSet};

/// One hardware thread, as /proc/cpuinfo and sysfs have it.
#[derive(Default)]
struct Thread {
    number: u32,
    package: Option<u32>,
    core: Option<u32>,
    vendor: Option<String>,
    model: Option<String>,
}

#[derive(Default)]
struct Package {
    first: u32,
    vendor: Option<String>,
    model: Option<String>,
    cores: BTreeSet<u32>,
    threads: u32,
}

pub(super) fn cpus(tree: &Tree, architecture: Option<String>) -> Cpus {
    let mut packages: BTreeMap<u32, Package> = BTreeMap::new();
    for thread in threads(&tree.text("proc/cpuinfo").unwrap_or_default()) {
        // ARM's cpuinfo does not say where a thread is.
        let topology =
            |name| tree.parsed(&format!("sys/devices/system/cpu/cpu{}/topology/{name}", thread.number));
        let number = thread.package.or_else(|| topology("physical_package_id")).unwrap_or(0);
        let core = thread.core.or_else(|| topology("core_id")).unwrap_or(thread.number);
        let package = packages.entry(number).or_insert_with(|| Package {
            first: thread.number,
            vendor: thread.vendor,
            model: thread.model,
            ..Package::default()
        });
        package.cores.insert(core);
        package.threads += 1;
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let packages: Vec<CpuPackage> = packages
        .into_iter()
        .take(MAX_ITEMS)
        .map(|(number, package)| CpuPackage {
            number,
            vendor: package.vendor,
            model: package.model,
            cores: count(package.cores.len()),
            threads: package.threads,
            max_mhz: tree
                .parsed::<u32>(&format!(
                    "sys/devices/system/cpu/cpu{}/cpufreq/cpuinfo_max_freq",
                    package.first
                ))
                .map(|khz| khz / 1000),
        })
        .collect();
    Cpus {
        architecture,
        sockets: count(packages.len()),
        cores: packages.iter().map(|package| package.cores).sum(),
        threads: packages.iter().map(|package| package.threads).sum(),
        packages,
    }
}

fn threads(cpuinfo: &str) -> Vec<Thread> {
    let mut threads: Vec<Thread> = Vec::new();
    for line in cpuinfo.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name == "processor" {
            threads.extend(value.parse().ok().map(|number| Thread { number, ..Thread::default() }));
        }
        let Some(thread) = threads.last_mut() else { continue };
        match name {
            "physical id" => thread.package = value.parse().ok(),
            "core id" => thread.core = value.parse().ok(),
            "vendor_id" => thread.vendor = clean(value),
            // It is padded with blanks within, too.
            "model name" => thread.model = clean(&value.split_whitespace().collect::<Vec<_>>().join(" ")),
            _ => {}
        }
    }
    threads
}
