//! A syslog receiver: what a machine says while it boots belongs to its boot (RFC 3164, RFC 5424, RFC 6587, and what iPXE and
//! the kernel's netconsole send). Lines are told apart by the address that they come from; those of nobody who boots are
//! counted and forgotten.
pub mod frames;
mod listener;
pub mod message;
mod rate;

pub use listener::{ListenError, Listener};

use crate::{
    metrics::SyslogMetrics,
    service::{
        console::{Console, Line, Taken},
        journal::Journal,
    },
};
use rate::Rates;
use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// The port that iPXE sends to, and no other (RFC 5426 section 3.3).
pub const PORT: u16 = 514;

/// Takes lines to the boots that they belong to.
#[derive(Debug)]
pub struct Receiver {
    console: Console,
    journal: Journal,
    metrics: SyslogMetrics,
    rates: Mutex<Rates>,
}

impl Receiver {
    /// Takes lines there.
    pub fn new(console: Console, journal: Journal, metrics: SyslogMetrics) -> Self {
        Self { console, journal, metrics, rates: Mutex::default() }
    }

    /// Takes a datagram, or a frame of a stream. Each of its lines has exactly one counted outcome.
    fn take(&self, from: IpAddr, content: &[u8]) {
        let IpAddr::V4(from) = from.to_canonical() else { return self.metrics.count("no_boot") };
        let now = self.journal.now();
        for message in message::read(content) {
            let allowed = self.rates.lock().unwrap_or_else(PoisonError::into_inner).allow(from, now);
            if !allowed {
                self.metrics.count("too_many");
                continue;
            }
            let message::Message { severity, tag, text } = message;
            self.metrics.count(match self.console.take(from, Line { at: now, severity, tag, text }) {
                Taken::Kept => "kept",
                Taken::NoBoot => "no_boot",
                Taken::Full => "overloaded",
            });
        }
    }
}
