//! What the agent does next. A pure state machine: the answer to the last attempt, the time and a random number go in, the next
//! action and how long to wait before it come out. It has no end: a host whose server is away goes on asking.
//!
//! ```text
//! started ─► collect ─► facts ─► heartbeat ─► heartbeat …      each step is repeated until the server takes it
//!                                   └─► collect ─► facts       once more, when the boot has finished
//! ```
use pilotlight_types::agent::Instructions;
use std::time::Duration;

#[cfg(test)]
mod tests;

const SECOND: Duration = Duration::from_secs(1);

/// The first wait after a failure is up to this long, each further one up to twice the one before.
const FIRST_RETRY: Duration = SECOND;
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// A server that could not be reached is not asked again sooner than this, whatever the dice say.
const SHORTEST_RETRY: Duration = Duration::from_millis(100);
/// A server that refuses knows why; it may change its mind (the boot is accepted, the clock is set), but not at once.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);
/// How many heartbeats long the agent looks whether the boot has finished.
const LOOKS_FOR_END_OF_BOOT: u32 = 20;

/// What is sent to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The agent runs.
    Started,
    /// What was measured.
    Facts,
    /// Something that a person should know.
    Trouble(String),
    /// The host is alive.
    Heartbeat,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Measure the host.
    Collect,
    /// Send this.
    Send(Report),
}

/// How an attempt to send ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server has it.
    Accepted(Option<Instructions>),
    /// The server was not reached or has no time: ask again soon.
    Busy {
        /// What happened.
        why: String,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The server does not take reports of this boot now.
    Refused {
        /// What it said.
        why: String,
    },
    /// The server will never take this report.
    Unacceptable {
        /// What it said.
        why: String,
    },
}

/// The next thing to do, and how long to wait before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// What to do.
    pub action: Action,
    /// How long to wait first.
    pub after: Duration,
}

/// Where the agent is.
#[derive(Debug)]
pub struct Session {
    action: Action,
    failures: u32,
    heartbeat: Duration,
    heard: Duration,
    facts_sent: bool,
    looks_left: u32,
}

impl Session {
    /// A session that has yet to say that the agent runs.
    pub fn new(heartbeat_seconds: u32) -> Self {
        Self {
            action: Action::Send(Report::Started),
            failures: 0,
            heartbeat: pace(heartbeat_seconds),
            heard: Duration::ZERO,
            facts_sent: false,
            looks_left: LOOKS_FOR_END_OF_BOOT,
        }
    }

    /// The first thing to do.
    pub fn first(&self) -> Next {
        self.now()
    }

    /// How often the present report has failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The host was measured; `settled` when the boot had finished, so that nothing more is to come. `random` is in 0..1.
    pub fn collected(&mut self, settled: bool, now: Duration, random: f64) -> Next {
        if settled {
            self.looks_left = 0;
        }
        if settled || !self.facts_sent { self.send(Report::Facts) } else { self.beat(now, random) }
    }

    /// An attempt to send the present report ended. `now` is any monotonic time, `random` is in 0..1.
    pub fn answered(&mut self, outcome: &Outcome, now: Duration, random: f64) -> Next {
        match outcome {
            Outcome::Accepted(instructions) => {
                if let Some(instructions) = instructions {
                    self.heartbeat = pace(instructions.heartbeat_seconds);
                }
                self.failures = 0;
                self.heard = now;
                self.accepted(now, random)
            }
            Outcome::Busy { retry_after, .. } => {
                self.failures = self.failures.saturating_add(1);
                self.again(match retry_after {
                    // Not all at the same instant, or the server is busy again.
                    Some(asked) => (*asked).clamp(SECOND, LONGEST_RETRY_AFTER).mul_f64(1.0 + random / 4.0),
                    None => backoff(self.failures).mul_f64(random).max(SHORTEST_RETRY),
                })
            }
            Outcome::Unacceptable { why } if self.action == Action::Send(Report::Facts) => {
                self.failures = 0;
                self.facts_sent = true;
                self.looks_left = 0;
                self.send(Report::Trouble(format!("the server does not take the facts: {why}")))
            }
            Outcome::Unacceptable { .. } if matches!(self.action, Action::Send(Report::Trouble(_))) => {
                self.failures = 0;
                self.beat(now, random)
            }
            Outcome::Refused { .. } | Outcome::Unacceptable { .. } => {
                self.failures = self.failures.saturating_add(1);
                self.again(AFTER_REFUSAL.mul_f64(1.0 + random / 2.0))
            }
        }
    }

    fn accepted(&mut self, now: Duration, random: f64) -> Next {
        match &self.action {
            Action::Send(Report::Started) => {
                self.action = Action::Collect;
                self.now()
            }
            Action::Send(Report::Facts) if !self.facts_sent => {
                self.facts_sent = true;
                // Anywhere in the period: a hall that got its power back at once shall not have one pulse.
                self.action = Action::Send(Report::Heartbeat);
                self.again(self.heartbeat.mul_f64(random).max(SECOND))
            }
            Action::Send(Report::Heartbeat) if self.looks_left > 0 => {
                self.looks_left -= 1;
                self.action = Action::Collect;
                self.now()
            }
            Action::Send(_) | Action::Collect => self.beat(now, random),
        }
    }

    /// The server expects the next heartbeat within a period of having heard the last report, so it is sent a little sooner.
    fn beat(&mut self, now: Duration, random: f64) -> Next {
        self.action = Action::Send(Report::Heartbeat);
        let due = self.heard + self.heartbeat.mul_f64(0.8 + random / 5.0);
        self.again(due.saturating_sub(now))
    }

    fn send(&mut self, report: Report) -> Next {
        self.action = Action::Send(report);
        self.now()
    }

    fn now(&self) -> Next {
        self.again(Duration::ZERO)
    }

    fn again(&self, after: Duration) -> Next {
        Next { action: self.action.clone(), after }
    }
}

fn pace(seconds: u32) -> Duration {
    Duration::from_secs(seconds.clamp(1, 3600).into())
}

fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (FIRST_RETRY * (1 << doublings)).min(LONGEST_RETRY)
}
