//! What a server takes of the machine, and which machine that is.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Clock ticks of `/proc`: 100 a second on every Linux that there is.
const TICK: Duration = Duration::from_millis(10);

/// The processor time that a process, its descendants, and those of them that ended have taken.
pub fn processor_time(root: u32) -> Result<Duration> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut ticks: HashMap<u32, u32> = HashMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process that ended meanwhile.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((_, fields)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = fields.split(' ').collect();
        let number =
            |index: usize| fields.get(index).and_then(|field| field.parse::<u32>().ok()).unwrap_or(0);
        // proc(5), counted from the state: parent 1; utime, stime, cutime, cstime 11 to 14.
        children.entry(number(1)).or_default().push(pid);
        ticks.insert(pid, (11..=14).map(number).sum());
    }
    let (mut seen, mut next, mut sum) = (HashSet::new(), vec![root], 0);
    while let Some(pid) = next.pop() {
        if seen.insert(pid) {
            sum += ticks.get(&pid).copied().unwrap_or(0);
            next.extend(children.get(&pid).into_iter().flatten());
        }
    }
    Ok(TICK * sum)
}

/// What a process has in memory, in MB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// All of it: VmRSS.
    pub resident: f64,
    /// What is its own, and no file's: RssAnon.
    pub own: f64,
    /// Its share of what is also others': Pss.
    pub proportional: f64,
}

impl Memory {
    /// What a process has now.
    pub fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        Ok(Self {
            resident: megabytes(&status, "VmRSS")?,
            own: megabytes(&status, "RssAnon")?,
            proportional: megabytes(&rollup, "Pss")?,
        })
    }

    /// The larger of each.
    pub fn max(self, other: Self) -> Self {
        Self {
            resident: self.resident.max(other.resident),
            own: self.own.max(other.own),
            proportional: self.proportional.max(other.proportional),
        }
    }
}

/// A field of a file of `/proc`, such as `VmRSS:   1024 kB`.
fn megabytes(text: &str, field: &str) -> Result<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()).context("no such field")?;
    Ok(number.parse::<f64>()? / 1000.0)
}

/// The machine, in a line.
pub fn machine() -> Result<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let model = model.map_or("unknown processor", |(_, model)| model);
    Ok(format!("{count} x {model}, Linux {}; {}", kernel.trim(), load()?))
}

/// How busy it is with other things.
pub fn load() -> Result<String> {
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(format!("load {}", load.split(' ').take(3).collect::<Vec<_>>().join(" ")))
}
