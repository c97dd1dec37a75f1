//! The thin shell around the session: it waits, measures, sends, and says what it does.
use crate::{
    facts::{self, Live, Tree},
    log::{self, Priority},
    report::Client,
    session::{Action, Next, Outcome, Report, Session},
};
use pilotlight_types::agent::{AgentConfig, Heartbeat, Progress, Step};
use rustls::crypto::SecureRandom;
use sd_notify::NotifyState;
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

/// What a session needs of the world; virtual in tests.
pub trait World {
    /// The time since some fixed instant.
    fn now(&self) -> Duration;
    /// A random number in 0..1.
    fn random(&mut self) -> f64;
    /// Waits; false when the agent shall end.
    fn wait(&mut self, time: Duration) -> bool;
    /// Measures the host; true when the boot has finished.
    fn collect(&mut self) -> bool;
    /// Sends a report.
    fn send(&mut self, report: &Report) -> Outcome;
    /// Hears how sending ended and what comes next.
    fn tell(&mut self, sent: &Report, outcome: &Outcome, failures: u32, next: &Next);
}

/// Runs the session until the world says that it is over.
pub fn run(mut session: Session, world: &mut impl World) {
    let mut next = session.first();
    while world.wait(next.after) {
        next = match next.action {
            Action::Collect => {
                let settled = world.collect();
                session.collected(settled, world.now(), world.random())
            }
            Action::Send(report) => {
                let outcome = world.send(&report);
                let next = session.answered(&outcome, world.now(), world.random());
                world.tell(&report, &outcome, session.failures(), &next);
                next
            }
        };
    }
}

/// The host that the agent runs on.
pub struct Host {
    config: AgentConfig,
    client: Client,
    started: Instant,
    stop: Receiver<()>,
    dice: &'static dyn SecureRandom,
    facts: Vec<u8>,
    ready: bool,
    complaint: String,
}

impl Host {
    /// The host; it is over when the other end of `stop` is dropped.
    pub fn new(config: AgentConfig, client: Client, stop: Receiver<()>) -> Self {
        Self {
            config,
            client,
            started: Instant::now(),
            stop,
            dice: rustls::crypto::ring::default_provider().secure_random,
            facts: Vec::new(),
            ready: false,
            complaint: String::new(),
        }
    }

    fn post(&self, path: &str, body: &impl serde::Serialize) -> Outcome {
        match serde_json::to_vec(body) {
            Ok(json) => self.client.post(path, &json),
            Err(e) => Outcome::Unacceptable { why: e.to_string() },
        }
    }

    fn progress(&self, step: Step, detail: Option<String>) -> Outcome {
        self.post("progress", &Progress { step, detail })
    }
}

impl World for Host {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn random(&mut self) -> f64 {
        let mut bytes = [0; 4];
        // Without randomness the waits have no jitter, which is no reason not to report.
        let _ = self.dice.fill(&mut bytes);
        f64::from(u32::from_ne_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }

    fn wait(&mut self, time: Duration) -> bool {
        self.stop.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
    }

    fn collect(&mut self) -> bool {
        let live = Live::probe();
        let facts = facts::collect(&Tree::new("/"), &live, self.config.boot_mac);
        if self.facts.is_empty() {
            for problem in &facts.problems {
                log::line(Priority::Info, problem);
            }
        }
        self.facts = serde_json::to_vec(&facts).unwrap_or_default();
        facts.boot_times.userspace_us.is_some() || !live.has_systemd()
    }

    fn send(&mut self, report: &Report) -> Outcome {
        match report {
            Report::Started => self.progress(Step::Started, None),
            Report::Trouble(detail) => {
                self.progress(Step::Trouble, Some(detail.chars().take(1000).collect()))
            }
            Report::Facts => self.client.post("facts", &self.facts),
            Report::Heartbeat => {
                let uptime_seconds = facts::uptime(&Tree::new("/")).unwrap_or(0);
                self.post("heartbeat", &Heartbeat { uptime_seconds })
            }
        }
    }

    fn tell(&mut self, sent: &Report, outcome: &Outcome, failures: u32, next: &Next) {
        let what = match sent {
            Report::Started => "the start",
            Report::Facts => "the facts",
            Report::Trouble(_) => "the trouble",
            Report::Heartbeat => "a heartbeat",
        };
        let server = &self.config.server;
        match outcome {
            Outcome::Accepted(_) => {
                if !self.complaint.is_empty() || *sent != Report::Heartbeat {
                    log::line(Priority::Info, &format_args!("{server} took {what}"));
                }
                self.complaint.clear();
                if !self.ready {
                    self.ready = true;
                    let _ = sd_notify::notify(&[NotifyState::Ready]);
                }
                status(&format!("{server} took {what}"));
            }
            Outcome::Busy { why, .. } | Outcome::Refused { why } | Outcome::Unacceptable { why } => {
                let then = match &next.action {
                    Action::Send(report) if report == sent => "asking again",
                    _ => "going on",
                };
                let seconds = next.after.as_secs_f64();
                let text = format!("{server} did not take {what}: {why}; {then} in {seconds:.1} s");
                // The journal of a host whose server is away for days has other uses.
                if self.complaint != *why || failures < 4 || failures.is_multiple_of(20) {
                    log::line(Priority::Warning, &format_args!("{text} (failure {failures})"));
                }
                why.clone_into(&mut self.complaint);
                status(&text);
            }
        }
    }
}

/// What `systemctl status` shows; without systemd, nobody hears it.
fn status(text: &str) {
    let _ = sd_notify::notify(&[NotifyState::Status(text)]);
}
