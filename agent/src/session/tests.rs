//! Stories of a session in virtual time, against a server that is played.
use super::*;
use crate::run::{World, run};
use proptest::prelude::*;
use std::collections::VecDeque;

/// A world in which waiting takes no time, with a server that follows a script and takes everything once that is over.
struct Played {
    time: Duration,
    until: Duration,
    random: f64,
    script: VecDeque<Outcome>,
    pace: u32,
    settled_at: Duration,
    seen: Vec<(u64, String)>,
}

impl Played {
    fn new(until_seconds: u64) -> Self {
        Self {
            time: Duration::ZERO,
            until: Duration::from_secs(until_seconds),
            random: 0.5,
            script: VecDeque::new(),
            pace: 30,
            settled_at: Duration::ZERO,
            seen: Vec::new(),
        }
    }

    fn runs(mut self) -> Vec<(u64, String)> {
        run(Session::new(30), &mut self);
        self.seen
    }

    fn note(&mut self, what: impl Into<String>) {
        self.seen.push((self.time.as_secs(), what.into()));
    }
}

impl World for Played {
    fn now(&self) -> Duration {
        self.time
    }
    fn random(&mut self) -> f64 {
        self.random
    }
    fn wait(&mut self, time: Duration) -> bool {
        self.time += time;
        self.time < self.until
    }
    fn collect(&mut self) -> bool {
        self.note("collect");
        self.time >= self.settled_at
    }
    fn send(&mut self, report: &Report) -> Outcome {
        let taken = Outcome::Accepted(Some(Instructions { heartbeat_seconds: self.pace }));
        let outcome = self.script.pop_front().unwrap_or(taken);
        let sign = if matches!(outcome, Outcome::Accepted(_)) { "" } else { "! " };
        self.note(format!("{sign}{report:?}"));
        outcome
    }
    fn tell(&mut self, _: &Report, _: &Outcome, _: u32, _: &Next) {}
}

fn busy(retry_after: Option<u64>) -> Outcome {
    Outcome::Busy { why: "connection refused".into(), retry_after: retry_after.map(Duration::from_secs) }
}

fn refused() -> Outcome {
    Outcome::Refused { why: "boot ended".into() }
}

fn unacceptable() -> Outcome {
    Outcome::Unacceptable { why: "too long".into() }
}

fn seen(list: &[(u64, &str)]) -> Vec<(u64, String)> {
    list.iter().map(|(at, what)| (*at, (*what).to_owned())).collect()
}

#[test]
fn a_host_tells_that_it_runs_then_what_it_is_then_that_it_lives() {
    let story = Played::new(100).runs();
    let expected = [
        (0, "Started"),
        (0, "collect"),
        (0, "Facts"),
        (15, "Heartbeat"),
        (42, "Heartbeat"),
        (69, "Heartbeat"),
        (96, "Heartbeat"),
    ];
    assert_eq!(story, seen(&expected));
}

#[test]
fn a_boot_that_had_not_finished_is_measured_again_when_it_has() {
    let story = Played { settled_at: Duration::from_secs(60), ..Played::new(90) }.runs();
    let expected = [
        (0, "Started"),
        (0, "collect"),
        (0, "Facts"),
        (15, "Heartbeat"),
        (15, "collect"),
        (42, "Heartbeat"),
        (42, "collect"),
        (69, "Heartbeat"),
        (69, "collect"),
        (69, "Facts"),
    ];
    assert_eq!(story, seen(&expected));
}

#[test]
fn a_boot_that_never_finishes_is_looked_at_some_times_and_no_more() {
    let story = Played { settled_at: Duration::MAX, ..Played::new(36_000) }.runs();
    assert_eq!(story.iter().filter(|(_, what)| what == "collect").count(), 21);
    assert_eq!(story.iter().filter(|(_, what)| what == "Facts").count(), 1);
    assert!(story.iter().filter(|(_, what)| what == "Heartbeat").count() > 1000);
}

#[test]
fn a_server_that_is_away_is_asked_ever_more_slowly_until_it_is_back() {
    let script = (0..9).map(|_| busy(None)).collect();
    let story = Played { script, ..Played::new(200) }.runs();
    // Half of 1, 2, 4, 8, 16, 32, 60, 60, 60 seconds.
    let at: Vec<u64> = story.iter().filter(|(_, what)| what == "! Started").map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 0, 1, 3, 7, 15, 31, 61, 91]);
    assert_eq!(story[9..12], seen(&[(121, "Started"), (121, "collect"), (121, "Facts")]));
}

#[test]
fn after_an_outage_the_first_failure_counts_as_the_first_again() {
    let mut session = Session::new(30);
    for _ in 0..20 {
        session.answered(&busy(None), Duration::ZERO, 0.5);
    }
    session.answered(&Outcome::Accepted(None), Duration::ZERO, 0.5);
    session.collected(true, Duration::ZERO, 0.5);
    assert_eq!(session.answered(&busy(None), Duration::ZERO, 0.5).after, Duration::from_millis(500));
}

#[test]
fn a_server_says_how_long_it_wants_to_be_left_alone_within_bounds() {
    let after =
        |seconds, random| Session::new(30).answered(&busy(Some(seconds)), Duration::ZERO, random).after;
    assert_eq!(after(20, 0.0), Duration::from_secs(20));
    assert_eq!(after(20, 0.8), Duration::from_secs(24));
    assert_eq!(after(0, 0.0), Duration::from_secs(1));
    assert_eq!(after(1_000_000, 0.0), LONGEST_RETRY_AFTER);
}

#[test]
fn a_server_that_refuses_is_asked_slowly_and_for_ever() {
    let script = (0..100).map(|_| refused()).collect();
    let story = Played { script, ..Played::new(75 * 101) }.runs();
    assert_eq!(story[..3], seen(&[(0, "! Started"), (75, "! Started"), (150, "! Started")]));
    assert_eq!(story[100], (7500, "Started".to_owned()));
}

#[test]
fn facts_that_the_server_will_never_take_are_told_as_trouble_and_the_host_lives_on() {
    let accepted = Outcome::Accepted(None);
    let script = [accepted.clone(), busy(None), unacceptable()].into();
    let story = Played { script, ..Played::new(32) }.runs();
    let expected = [
        (0, "Started"),
        (0, "collect"),
        (0, "! Facts"),
        (0, "! Facts"),
        (0, "Trouble(\"the server does not take the facts: too long\")"),
        (27, "Heartbeat"),
    ];
    assert_eq!(story, seen(&expected));
    let script = [accepted, unacceptable(), unacceptable()].into();
    let story = Played { script, ..Played::new(40) }.runs();
    assert!(story.last().unwrap().1.ends_with("Heartbeat"), "{story:?}");
}

#[test]
fn the_server_sets_the_pace_between_a_second_and_an_hour() {
    for (asked, expected) in [(0, 1), (1, 1), (60, 60), (3600, 3600), (u32::MAX, 3600)] {
        let mut session = Session::new(30);
        session.answered(
            &Outcome::Accepted(Some(Instructions { heartbeat_seconds: asked })),
            Duration::ZERO,
            0.0,
        );
        session.collected(true, Duration::ZERO, 0.0);
        session.answered(&Outcome::Accepted(None), Duration::ZERO, 0.0);
        let next = session.answered(&Outcome::Accepted(None), Duration::from_secs(9), 1.0);
        assert_eq!(next.after, Duration::from_secs(expected), "{asked}");
    }
}

proptest! {
    /// Whatever a server says, the host asks again within bounds: never in a tight loop, never after more than an hour.
    #[test]
    fn no_server_makes_it_silent_or_mad(
        answers in proptest::collection::vec((0u8..5, 0u64..10_000, 0u32.., 0.0f64..1.0), 0..200)
    ) {
        let mut session = Session::new(30);
        let (mut now, mut next) = (Duration::ZERO, session.first());
        let mut in_a_row = 0;
        for (kind, number, pace, random) in answers {
            prop_assert!(next.after <= Duration::from_secs(3600));
            in_a_row = if next.after.is_zero() { in_a_row + 1 } else { 0 };
            prop_assert!(in_a_row <= 4);
            now += next.after;
            next = if next.action == Action::Collect {
                session.collected(kind < 2, now, random)
            } else {
                let outcome = match kind {
                    0 => Outcome::Accepted(Some(Instructions { heartbeat_seconds: pace })),
                    1 => busy(Some(number)),
                    2 => busy(None),
                    3 => refused(),
                    _ => unacceptable(),
                };
                session.answered(&outcome, now, random)
            };
        }
    }
}
