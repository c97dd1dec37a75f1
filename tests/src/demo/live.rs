//! The boots as they happen: a table that is drawn over itself on a terminal, a line for each piece of news elsewhere.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use pilotlight_types::Timestamp;
use pilotlight_types::api::{Boot, Machine, Outcome, Phase, PhaseRecord};

use super::fleet::Member;
use super::screen::{Paint, Screen};

/// The heads of the phases' columns, and their widths: 78 characters with the first column.
const COLUMNS: [(&str, usize); 8] = [
    ("DHCP", 7),
    ("program", 8),
    ("script", 8),
    ("kernel", 8),
    ("initrd", 8),
    ("rootfs", 8),
    ("Ignition", 9),
    ("agent", 8),
];
const FIRST: usize = 14;

/// Shows boots.
pub struct Live {
    screen: Screen,
    power_on: Timestamp,
    told: HashSet<(String, Phase)>,
    ended: HashSet<String>,
}

impl Live {
    /// Begins: everything is counted from `power_on`.
    pub fn new(screen: Screen, power_on: Timestamp) -> Self {
        Self { screen, power_on, told: HashSet::new(), ended: HashSet::new() }
    }

    /// Shows how things are now.
    pub fn show(&mut self, fleet: &[Member], machines: &[Machine], now: Timestamp) -> io::Result<()> {
        if !self.screen.redraws {
            return self.news(machines);
        }
        let room = (self.screen.rows.saturating_sub(4) / 2).max(1);
        let boots: Vec<_> =
            fleet.iter().map(|member| (member, self.boot_of(&member.name, machines))).collect();
        let mut text = String::new();
        let paint = self.screen.paint;
        let heads: String = COLUMNS.iter().map(|(head, width)| format!("{head:>width$}")).collect();
        let _ = writeln!(text, "{}", paint.dim(&format!("{:FIRST$}{heads}", "")));
        // Those that still boot are of more interest than those that do not.
        let (ended, open): (Vec<_>, Vec<_>) =
            boots.iter().partition(|(_, boot)| boot.is_some_and(|b| b.ended.is_some()));
        let mut shown: Vec<_> = open.into_iter().chain(ended).take(room).collect();
        shown.sort_by_key(|(member, _)| member.spec.mac);
        for (member, boot) in &shown {
            self.rows(&mut text, member, *boot, now);
        }
        if fleet.len() > shown.len() {
            let active = boots.iter().filter(|(_, boot)| boot.is_some_and(is_active)).count();
            let more = fleet.len() - shown.len();
            let _ = writeln!(text, "… and {more} more; {active} of {} are active", fleet.len());
        }
        self.screen.draw(&text)
    }

    /// The boot that began after power-on.
    fn boot_of<'a>(&self, name: &str, machines: &'a [Machine]) -> Option<&'a Boot> {
        let machine = machines.iter().find(|machine| machine.name == name)?;
        machine.boot.as_ref().filter(|boot| boot.started >= self.power_on)
    }

    fn rows(&self, text: &mut String, member: &Member, boot: Option<&Boot>, now: Timestamp) {
        let paint = self.screen.paint;
        let (mut times, mut sizes) = (String::new(), String::new());
        let current = boot.filter(|boot| boot.ended.is_none()).and_then(Boot::furthest);
        for (phase, (_, width)) in Phase::ALL.iter().zip(COLUMNS) {
            let record = boot.and_then(|boot| boot.phase(*phase));
            let skipped =
                || if boot.and_then(Boot::furthest) > Some(*phase) { "—".into() } else { String::new() };
            let time = record.map_or_else(skipped, |record| seconds(record.started.since(self.power_on)));
            let time = format!("{time:>width$}");
            times += &if current == Some(*phase) { paint.now(&time) } else { paint.done(&time) };
            let bytes = record.map(|record| size(record.bytes)).unwrap_or_default();
            let _ = write!(sizes, "{bytes:>width$}");
        }
        let name = format!("{} {}", member.name, member.firmware());
        let _ = writeln!(text, "{}{times}", paint.bold(&format!("{name:FIRST$}")));
        let _ = writeln!(text, "{}{}", self.state(boot, now), paint.dim(&sizes));
    }

    /// What the machine does, and for how long.
    fn state(&self, boot: Option<&Boot>, now: Timestamp) -> String {
        let paint = self.screen.paint;
        let since = |then| seconds(now.since(then));
        let cell = |text: String| format!("{text:FIRST$}");
        match boot {
            None => paint.now(&cell(format!("  power {}", since(self.power_on)))),
            Some(boot) => match (&boot.outcome, boot.phases.iter().max_by_key(|record| record.phase)) {
                (Some(Outcome::Active), _) => {
                    let took = boot.ended.unwrap_or(now).since(self.power_on);
                    paint.good(&cell(format!("  active {}", seconds(took))))
                }
                (Some(_), _) => paint.bad(&cell("  failed".into())),
                (None, Some(record)) => {
                    let since = record.ended.unwrap_or(record.started);
                    paint.now(&cell(format!("  {} {}", doing(record), whole_seconds(now.since(since)))))
                }
                (None, None) => cell(String::new()),
            },
        }
    }

    fn news(&mut self, machines: &[Machine]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for machine in machines {
            let Some(boot) = machine.boot.as_ref().filter(|boot| boot.started >= self.power_on) else {
                continue;
            };
            let at = |time: Timestamp| format!("t+{:>6}", seconds(time.since(self.power_on)));
            for record in &boot.phases {
                if record.ended.is_some() && self.told.insert((machine.name.clone(), record.phase)) {
                    let took = record.ended.map_or(Duration::ZERO, |ended| ended.since(record.started));
                    let line = format!(
                        "{} {:<12} {:>8} {:>9}",
                        machine.name,
                        record.phase,
                        size(record.bytes),
                        seconds(took)
                    );
                    writeln!(out, "  {}  {}", at(record.started), line.trim_end())?;
                }
            }
            if let (Some(outcome), Some(ended)) = (&boot.outcome, boot.ended)
                && self.ended.insert(boot.id.to_string())
            {
                writeln!(out, "  {}  {} {outcome}", at(ended), machine.name)?;
            }
        }
        out.flush()
    }
}

/// Whether this boot got there.
pub fn is_active(boot: &Boot) -> bool {
    boot.outcome == Some(Outcome::Active)
}

/// One machine's boot, phase by phase.
pub fn timeline(paint: Paint, member: &Member, boot: &Boot, power_on: Timestamp) -> String {
    let mut text = String::new();
    let title = format!("{} ({})", member.name, member.firmware());
    let _ = writeln!(text, "{}  boot {}", paint.bold(&title), boot.id);
    let head =
        format!("  {:<13}{:>9}{:>9}{:>10}{:>5}  {}", "phase", "t+", "took", "bytes", "asks", "last answer");
    let _ = writeln!(text, "{}", paint.dim(&head));
    for record in &boot.phases {
        let PhaseRecord { phase, started, ended, bytes, requests, detail, .. } = record;
        let took = ended.map(|ended| seconds(ended.since(*started))).unwrap_or_default();
        let detail = shortened(detail.as_deref().unwrap_or_default(), 30);
        let at = seconds(started.since(power_on));
        let line =
            format!("  {:<13}{at:>9}{took:>9}{:>10}{requests:>5}  {detail}", phase.to_string(), size(*bytes));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if let (Some(ended), Some(outcome)) = (boot.ended, &boot.outcome) {
        let line = format!("  {:<13}{:>9}", outcome.to_string(), seconds(ended.since(power_on)));
        let _ = writeln!(text, "{}", if is_active(boot) { paint.good(&line) } else { paint.bad(&line) });
    }
    text
}

/// What a machine does that was seen in this phase last.
fn doing(record: &PhaseRecord) -> &'static str {
    match (record.phase, record.ended) {
        (Phase::Dhcp, _) => "firmware",
        (Phase::BootProgram, None) => "program",
        (Phase::BootProgram | Phase::Script, _) => "iPXE",
        (Phase::Kernel, _) => "kernel",
        (Phase::Initramfs, None) => "initrd",
        (Phase::Initramfs, Some(_)) => "Linux",
        (Phase::Rootfs, None) => "rootfs",
        (Phase::Rootfs, Some(_)) => "Ignition",
        (Phase::Ignition | Phase::Agent, _) => "userland",
    }
}

/// `9.1 s`.
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn whole_seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

/// A text in at most `width` characters, with what is left out in its middle.
pub fn shortened(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let tail = width.saturating_sub(1) / 2;
    let head = width.saturating_sub(1 + tail);
    let (front, back) = (text.chars().take(head), text.chars().skip(count - tail));
    front.chain(['…']).chain(back).collect()
}

/// `8.2 MB`; nothing for nothing.
pub fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let number = bytes as f64;
    match bytes {
        0 => String::new(),
        1..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number / 1e6),
        _ => format!("{:.1} GB", number / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_their_columns() {
        assert_eq!(shortened("4c4c4544-0051-3910-8037", 11), "4c4c4…-8037");
        assert_eq!(shortened("as it is", 8), "as it is");
        assert_eq!(size(0), "");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(214_311), "214.3 kB");
        assert_eq!(size(28_431_360), "28.4 MB");
        assert_eq!(seconds(Duration::from_millis(123_456)), "123.5 s");
        assert!(FIRST + COLUMNS.iter().map(|(_, width)| width).sum::<usize>() <= 80);
    }
}
