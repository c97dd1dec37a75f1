//! The files that TFTP serves, and what becomes of each transfer.
use super::{
    listener::{File, FileError, Files, Outcome, Report},
    transfer::Caps,
};
use crate::{
    metrics::TftpMetrics,
    service::{
        boots::{Boots, Seen},
        files::Files as BootFiles,
    },
};
use pilotlight_types::api::Phase;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Serves boot programs by TFTP.
#[derive(Debug)]
pub struct TftpFiles {
    /// The boot programs.
    pub files: BootFiles,
    /// Where it is written down.
    pub boots: Boots,
    /// Counts the outcomes.
    pub metrics: TftpMetrics,
}

impl Files for TftpFiles {
    fn open(&self, name: &str, peer: SocketAddr, local: IpAddr) -> Result<File, FileError> {
        let content = self.files.program(name, local).ok_or(FileError::NotFound)?;
        let mut caps = Caps::default();
        if let Some(boot) = self.boots.at(peer.ip()) {
            self.boots.saw(boot, Seen::begun(Phase::BootProgram, name));
            (caps.block_size, caps.window_size) = self.boots.tftp_bounds(boot);
        }
        Ok(File { content: Arc::new(content), caps })
    }

    fn done(&self, report: Report) {
        let (outcome, whole) = match &report.outcome {
            Outcome::Sent => ("sent", true),
            // Firmware asks for a file's size, and then for the file.
            Outcome::AbortedByClient { .. } => ("aborted_by_client", false),
            Outcome::TimedOut => ("timed_out", false),
            Outcome::Refused(_) => ("refused", false),
            Outcome::Replaced => ("replaced", false),
            Outcome::Duplicate => ("duplicate", false),
            Outcome::Overloaded => ("overloaded", false),
            Outcome::Malformed => ("malformed", false),
            Outcome::Stopped => ("stopped", false),
            Outcome::Failed(_) => ("failed", false),
        };
        self.metrics.count(outcome, report.bytes);
        let boot = self.boots.at(report.peer.ip());
        tracing::info!(
            boot.id = boot.map(tracing::field::display),
            bytes = report.bytes,
            resent = report.resent,
            duration_ms = report.elapsed.as_millis(),
            "TFTP: {} for {}: {outcome}",
            report.name,
            report.peer
        );
        if let Some(boot) = boot.filter(|_| matches!(report.outcome, Outcome::Sent | Outcome::TimedOut)) {
            self.boots.saw(boot, Seen::served(Phase::BootProgram, report.bytes, whole));
        }
    }
}
