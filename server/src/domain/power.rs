//! Power: whether a machine is on, what is asked of that, and what is to be done next about it. An axis of its own beside the stage.
//!
//! What is asked is written down, and a reconciler brings it about step by step. Each step may be taken twice, after a crash for example,
//! without anything being done twice: `on` and `off` are states, `cycle` is off and then on, and a reset, which is neither, is written down
//! before it is sent and never sent again.
use pilotlight_types::{
    Timestamp,
    api::{BootDevice, LogEntry, PowerAction, PowerRequest, PowerResult},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a BMC is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// On.
    On,
    /// Off at once.
    Off,
    /// The power button, for the operating system to shut down.
    Soft,
    /// A reset without a power loss.
    Reset,
}

/// A machine's power, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Power {
    /// Whether it is on, as its BMC said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What is asked of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
    /// What came of what was asked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<PowerResult>,
    /// The newest entry of the BMC's log that the timeline has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogMark>,
    /// When it was last seen to go from off to on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched: Option<Timestamp>,
    /// The boot device that its BMC was told last and did not have afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgot: Option<BootDevice>,
}

impl Power {
    /// When the machine was last made to boot, as far as its BMC tells. That one is on of which nothing was known before says nothing:
    /// it may have been on for a year.
    pub fn switched_on(&self) -> Option<Timestamp> {
        let boots = |action| matches!(action, PowerAction::Cycle | PowerAction::Reset);
        let asked = self.result.as_ref().filter(|result| result.failed.is_none() && boots(result.action));
        asked.map(|result| result.at).max(self.switched)
    }

    /// Takes down whether it is on, as it was seen now.
    pub fn seen(&mut self, on: Option<bool>, now: Timestamp) {
        if self.on == on {
            return;
        }
        if (self.on, on) == (Some(false), Some(true)) {
            self.switched = Some(now);
        }
        (self.on, self.since) = (on, Some(now));
    }
}

/// A place in a BMC's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogMark {
    /// The entry's id; none where the log was empty.
    pub id: Option<String>,
    /// When it was written, by the BMC's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What is asked of a machine's power, and how far that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// What.
    pub action: PowerAction,
    /// What it boots from then, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootDevice>,
    /// Who asked.
    pub by: String,
    /// When.
    pub since: Timestamp,
    /// Whether a cycle has come to its second half.
    #[serde(default)]
    pub second: bool,
    /// When this half was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// When the BMC was last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Timestamp>,
    /// How often.
    #[serde(default)]
    pub tries: u32,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The BMC is told this, and before that what the machine boots from.
    Tell(Command),
    /// The machine is off: the second half of the cycle begins.
    Half,
    /// It is looked again soon.
    Wait,
    /// It is done.
    Done,
    /// It is given up.
    GiveUp(String),
}

/// How long after it was told a BMC is told again: machines take seconds to switch, and some BMCs forget.
pub const AGAIN: Duration = Duration::from_secs(30);
/// How long a BMC that takes what it is told may leave the machine as it was.
pub const SWITCHED: Duration = Duration::from_secs(150);
/// How long an operating system has to shut down.
pub const SHUT_DOWN: Duration = Duration::from_secs(300);
/// How long it is tried altogether: by then somebody knows better.
pub const GIVE_UP: Duration = Duration::from_secs(30 * 60);

impl Wanted {
    /// What is asked now.
    pub fn new(request: PowerRequest, by: &str, now: Timestamp) -> Self {
        let PowerRequest { action, boot } = request;
        let by = by.to_owned();
        Self { action, boot, by, since: now, second: false, begun: None, sent: None, tries: 0, problem: None }
    }

    /// What is to be done next, with the machine as it is now.
    pub fn next(&self, on: bool, now: Timestamp) -> Step {
        let due = self.sent.is_none_or(|sent| now.since(sent) >= AGAIN);
        let tell = |command| if due { Step::Tell(command) } else { Step::Wait };
        let late = |most: Duration| self.begun.is_some_and(|begun| now.since(begun) >= most);
        let stays = |state: &str| {
            let minutes = SWITCHED.as_secs();
            Step::GiveUp(format!(
                "its BMC took the command {} times in {minutes} s, and the machine stays {state}",
                self.tries
            ))
        };
        match (self.action, self.second, on) {
            (PowerAction::On, ..) | (PowerAction::Cycle, true, _) => match on {
                true => Step::Done,
                false if late(SWITCHED) => stays("off"),
                false => tell(Command::On),
            },
            (PowerAction::Off | PowerAction::Soft, _, false) => Step::Done,
            (PowerAction::Cycle, false, false) => Step::Half,
            (PowerAction::Off | PowerAction::Cycle, _, true) if late(SWITCHED) => stays("on"),
            (PowerAction::Off | PowerAction::Cycle, _, true) => tell(Command::Off),
            (PowerAction::Soft, _, true) if late(SHUT_DOWN) => Step::GiveUp(format!(
                "its operating system did not shut down in {} s; `off` switches it off without asking",
                SHUT_DOWN.as_secs()
            )),
            // The button is pressed once: a second time is another wish.
            (PowerAction::Soft, _, true) if self.sent.is_none() => Step::Tell(Command::Soft),
            (PowerAction::Soft, _, true) => Step::Wait,
            (PowerAction::Reset, _, false) => Step::GiveUp("it is off, and a reset leaves it so; `on` switches it on".to_owned()),
            (PowerAction::Reset, _, true) if self.sent.is_none() => Step::Tell(Command::Reset),
            (PowerAction::Reset, _, true) => Step::GiveUp(
                "the daemon was stopped while it told the BMC, so nobody knows whether the machine was reset; ask again if it was not"
                    .to_owned(),
            ),
        }
    }

    /// Whether the machine boots by this command, so that the boot device is to be said again first.
    pub fn device_for(&self, command: Command) -> Option<BootDevice> {
        self.boot.filter(|_| matches!(command, Command::On | Command::Reset))
    }

    /// Whether it has been tried for so long that it is given up.
    pub fn is_old(&self, now: Timestamp) -> bool {
        now.since(self.since) >= GIVE_UP
    }

    /// The same with its second half begun.
    #[must_use]
    pub fn half(self) -> Self {
        Self { second: true, begun: None, sent: None, problem: None, ..self }
    }

    /// The same, about to be told.
    #[must_use]
    pub fn telling(self, now: Timestamp) -> Self {
        let begun = self.begun.or(Some(now));
        Self { begun, sent: Some(now), tries: self.tries.saturating_add(1), ..self }
    }
}

impl LogMark {
    /// The newest of these entries.
    pub fn newest(entries: &[LogEntry]) -> Self {
        entries
            .last()
            .map_or(Self { id: None, at: None }, |entry| Self { id: Some(entry.id.clone()), at: entry.at })
    }
}

/// What of a log, oldest first, is newer than the mark. A log that is seen for the first time is history. One that was cleared has
/// no entry like the mark's: then its clock says what is newer, and all of it is, where that says nothing.
pub fn new_entries(mark: Option<&LogMark>, entries: &[LogEntry]) -> Vec<LogEntry> {
    let Some(mark) = mark else { return Vec::new() };
    let is_mark = |entry: &LogEntry| Some(&entry.id) == mark.id.as_ref() && entry.at == mark.at;
    match entries.iter().rposition(is_mark) {
        Some(at) => entries.iter().skip(at + 1).cloned().collect(),
        None => {
            let newer = |entry: &&LogEntry| mark.at.is_none_or(|mark| entry.at.is_none_or(|at| at > mark));
            entries.iter().filter(newer).cloned().collect()
        }
    }
}

/// `on`, `off` or `unknown`.
pub const fn word(on: Option<bool>) -> &'static str {
    match on {
        Some(true) => "on",
        Some(false) => "off",
        None => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted(action: PowerAction) -> Wanted {
        Wanted::new(PowerRequest { action, boot: Some(BootDevice::Pxe) }, "ops", Timestamp::default())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_secs(seconds))
    }

    /// Drives a machine that takes `slow` seconds to switch, with a crash after each step that the script says; returns what it was told.
    fn drive(action: PowerAction, mut on: bool, slow: u64, crashes: &[bool]) -> (Vec<Command>, Step, bool) {
        let (mut stored, mut told, mut switching) = (wanted(action), Vec::new(), None);
        let mut crashes = crashes.iter();
        for second in 0..3600 {
            if let Some((to, when)) = switching
                && second >= when
            {
                (on, switching) = (to, None);
            }
            let crash = crashes.next().copied().unwrap_or(false);
            match stored.next(on, at(second)) {
                Step::Tell(command) => {
                    // Written down, then told; a crash in between leaves it untold.
                    stored = stored.telling(at(second));
                    if crash {
                        continue;
                    }
                    told.push(command);
                    match command {
                        Command::On => switching = Some((true, second + slow)),
                        Command::Off | Command::Soft => switching = Some((false, second + slow)),
                        Command::Reset => return (told, Step::Done, on),
                    }
                }
                Step::Half if !crash => stored = stored.half(),
                Step::Half | Step::Wait => {}
                end => return (told, end, on),
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn a_machine_that_is_found_on_was_not_switched_on() {
        let mut power = Power::default();
        power.seen(Some(true), at(1));
        power.seen(None, at(2));
        power.seen(Some(true), at(3));
        assert_eq!((power.switched_on(), power.since), (None, Some(at(3))));
        power.seen(Some(false), at(4));
        power.seen(Some(true), at(5));
        power.seen(Some(true), at(6));
        assert_eq!(power.switched_on(), Some(at(5)));
        let result = |action, failed| PowerResult { action, by: "ops".into(), at: at(9), failed };
        power.result = Some(result(PowerAction::On, None));
        assert_eq!(power.switched_on(), Some(at(5)), "it was on");
        power.result = Some(result(PowerAction::Reset, Some("no answer".into())));
        assert_eq!(power.switched_on(), Some(at(5)));
        power.result = Some(result(PowerAction::Reset, None));
        assert_eq!(power.switched_on(), Some(at(9)));
    }

    #[test]
    fn a_cycle_is_off_and_then_on_once_each() {
        assert_eq!(
            drive(PowerAction::Cycle, true, 5, &[]),
            (vec![Command::Off, Command::On], Step::Done, true)
        );
        assert_eq!(drive(PowerAction::Cycle, false, 5, &[]), (vec![Command::On], Step::Done, true));
    }

    #[test]
    fn a_bmc_that_lies_is_given_up_with_words() {
        let (told, end, _) = drive(PowerAction::On, false, 10_000, &[]);
        assert!(told.len() > 1 && told.iter().all(|command| *command == Command::On));
        assert!(matches!(end, Step::GiveUp(why) if why.contains("stays off")));
        let (told, end, _) = drive(PowerAction::Soft, true, 10_000, &[]);
        assert_eq!(told, [Command::Soft]);
        assert!(matches!(end, Step::GiveUp(why) if why.contains("did not shut down")));
    }

    #[test]
    fn an_entry_of_the_log_is_told_once() {
        let entry = |id: &str, seconds| LogEntry {
            id: id.to_owned(),
            at: Some(at(seconds)),
            severity: "ok".to_owned(),
            message: String::new(),
        };
        let ids = |mark: Option<&LogMark>, log: &[LogEntry]| -> Vec<String> {
            new_entries(mark, log).into_iter().map(|entry| entry.id).collect()
        };
        let mut log = vec![entry("1", 10), entry("2", 20)];
        assert_eq!(ids(None, &log), [""; 0]);
        let mark = LogMark::newest(&log);
        assert_eq!(ids(Some(&mark), &log), [""; 0]);
        log.push(entry("3", 30));
        assert_eq!(ids(Some(&mark), &log), ["3"]);
        // It was cleared, and counts from one again.
        assert_eq!(ids(Some(&mark), &[entry("1", 40)]), ["1"]);
        assert_eq!(ids(Some(&LogMark::newest(&[])), &[entry("1", 40)]), ["1"]);
    }

    #[test]
    fn the_boot_device_goes_with_what_boots() {
        let cycle = wanted(PowerAction::Cycle);
        assert_eq!(cycle.device_for(Command::Off), None);
        assert_eq!(cycle.device_for(Command::On), Some(BootDevice::Pxe));
    }

    #[test]
    fn a_reset_of_which_nobody_knows_is_not_done_again() {
        let sent = wanted(PowerAction::Reset).telling(at(1));
        assert!(matches!(sent.next(true, at(2)), Step::GiveUp(why) if why.contains("nobody knows")));
        assert!(matches!(wanted(PowerAction::Reset).next(false, at(1)), Step::GiveUp(_)));
    }

    proptest! {
        #[test]
        fn whatever_crashes_it_ends_and_a_reset_is_sent_at_most_once(
            action in prop::sample::select(PowerAction::ALL.to_vec()), on: bool, slow in 1..25_u64,
            crashes in prop::collection::vec(any::<bool>(), 0..40),
        ) {
            let (told, end, is_on) = drive(action, on, slow, &crashes);
            prop_assert!(told.iter().filter(|command| matches!(command, Command::Reset | Command::Soft)).count() <= 1);
            if end == Step::Done {
                prop_assert_eq!(is_on, matches!(action, PowerAction::On | PowerAction::Cycle | PowerAction::Reset));
            }
        }
    }
}
