//! Measures the host: reads procfs, sysfs and /etc below a root, so that recorded trees can stand in for a machine, and takes what
//! only the running system can say as a parameter.
mod boot_times;
mod cpus;
mod disks;
mod live;
mod memory;
mod nics;
mod os;
mod smbios;
mod system;
#[cfg(test)]
mod tests;
mod tree;

pub use live::Live;
pub use tree::Tree;

use pilotlight_types::{
    Mac,
    facts::{Facts, clean},
};

/// How many problems are told: the first ones tell the most.
const MOST_PROBLEMS: usize = 64;

/// Measures the host whose files are `tree`.
pub fn collect(tree: &Tree, live: &Live, boot_mac: Option<Mac>) -> Facts {
    for problem in live.problems() {
        tree.problem(problem);
    }
    let kernel = os::kernel(tree, live);
    let (nics, other_interfaces) = nics::nics(tree, live, boot_mac);
    let mut facts = Facts {
        version: Facts::VERSION,
        agent: env!("CARGO_PKG_VERSION").to_owned(),
        system: system::system(tree),
        cpus: cpus::cpus(tree, kernel.architecture.clone()),
        memory: memory::memory(tree),
        disks: disks::disks(tree),
        nics,
        other_interfaces,
        os: os::os(tree),
        hostname: tree.value("proc/sys/kernel/hostname"),
        boot_times: boot_times::boot_times(tree, live),
        uptime_seconds: uptime(tree),
        kernel,
        problems: Vec::new(),
    };
    facts.problems = tree.take_problems().iter().filter_map(|p| clean(p)).take(MOST_PROBLEMS).collect();
    facts
}

/// Seconds since the kernel started.
pub fn uptime(tree: &Tree) -> Option<u64> {
    tree.value("proc/uptime")?.split('.').next()?.parse().ok()
}
