//! Whole machines: firmware, NICs, empty disks and a serial console, run by QEMU inside a [`super::Namespace`]. They boot from the
//! network first, as bare servers do, and go on trying.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pilotlight_types::Mac;
use serde_json::Value;
use tokio::time::{Instant as TokioInstant, timeout_at};

use super::console::{Console, Line};
use super::hardware::{Builder, Firmware};
use super::{Accel, qmp};

/// How often a machine is looked at that says nothing: its end may be the news.
const LOOK: Duration = Duration::from_millis(500);

/// A machine: off when built, and off again when dropped. Its disks and its firmware's settings outlive a power cycle.
#[derive(Debug)]
pub struct Machine {
    name: String,
    arguments: Vec<String>,
    netns: String,
    folder: PathBuf,
    qmp: PathBuf,
    console: Console,
    power: Option<Power>,
}

#[derive(Debug)]
struct Power {
    qemu: Child,
    keyboard: Option<ChildStdin>,
    since: Instant,
}

impl Machine {
    /// Starts to describe a machine with one virtio NIC, 1 GiB of memory and one processor.
    pub fn builder(name: &str, accel: Accel, firmware: Firmware, mac: Mac) -> Builder {
        Builder::new(name, accel, firmware, mac)
    }

    /// A machine that QEMU makes with these arguments; `folder` and the QMP socket in it are its own.
    pub(super) fn new(
        name: String,
        arguments: Vec<String>,
        netns: &str,
        (folder, qmp): (PathBuf, PathBuf),
        console: Console,
    ) -> Self {
        Self { name, arguments, netns: netns.to_owned(), folder, qmp, console, power: None }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its serial console.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// Each line of its console, with the time since power-on.
    pub fn lines(&self) -> Vec<Line> {
        self.console.lines()
    }

    /// Presses the power button of a machine that is off.
    pub fn power_on(&mut self) -> Result<()> {
        ensure!(!self.is_on(), "`{}` is on", self.name);
        // A socket that an earlier QEMU left would be found in place of the new one.
        let _ = fs::remove_file(&self.qmp);
        let complaints = File::create(self.folder.join("qemu.log")).context("QEMU's log cannot be made")?;
        let since = Instant::now();
        let mut qemu = Command::new("ip")
            .args(["netns", "exec", &self.netns, "qemu-system-x86_64"])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints)
            .spawn()
            .context("`ip netns exec` cannot be started: run this as root, with iproute2 installed")?;
        let keyboard = qemu.stdin.take();
        if let Some(serial) = qemu.stdout.take() {
            self.console.follow(serial, since)?;
        }
        self.power = Some(Power { qemu, keyboard, since });
        Ok(())
    }

    /// Pulls the plug.
    pub fn power_off(&mut self) -> Result<()> {
        if let Some(mut power) = self.power.take() {
            power.qemu.kill().context("QEMU cannot be ended")?;
            power.qemu.wait().context("QEMU's end")?;
        }
        Ok(())
    }

    /// Whether it is on; it is off too when the system in it has powered it off.
    pub fn is_on(&mut self) -> bool {
        self.ended().is_none()
    }

    /// The time since power-on.
    pub fn uptime(&self) -> Option<Duration> {
        self.power.as_ref().map(|power| power.since.elapsed())
    }

    /// Resets it, as the button does.
    pub async fn reset(&self) -> Result<()> {
        self.qmp("system_reset", Value::Null).await.map(drop)
    }

    /// Asks the system in it to power off (ACPI).
    pub async fn shutdown(&self) -> Result<()> {
        self.qmp("system_powerdown", Value::Null).await.map(drop)
    }

    /// Ends QEMU in order, its disks written out.
    pub async fn quit(&mut self, within: Duration) -> Result<()> {
        self.qmp("quit", Value::Null).await?;
        self.wait_off(within).await
    }

    /// Any command of QEMU's.
    pub async fn qmp(&self, command: &str, arguments: Value) -> Result<Value> {
        qmp::execute(&self.qmp, command, arguments).await
    }

    /// Types a line on the serial console.
    pub fn type_line(&mut self, text: &str) -> Result<()> {
        let keyboard = self.power.as_mut().and_then(|power| power.keyboard.as_mut());
        let keyboard = keyboard.with_context(|| format!("`{}` is off", self.name))?;
        keyboard
            .write_all(format!("{text}\n").as_bytes())
            .and_then(|()| keyboard.flush())
            .context("the serial console takes nothing")
    }

    /// Waits until the console shows `marker`; gives the time of that line since power-on. What it showed before counts too.
    pub async fn wait_for(&mut self, marker: &str, within: Duration) -> Result<Duration> {
        self.wait_for_from(0, marker, within).await
    }

    /// The same, from a place that [`Console::mark`] gave, such as before a reset.
    pub async fn wait_for_from(&mut self, from: usize, marker: &str, within: Duration) -> Result<Duration> {
        let deadline = TokioInstant::now() + within;
        let mut changes = self.console.changes();
        loop {
            // Looked at first: what a machine said last is to be seen although it is off now.
            let ended = self.ended();
            changes.mark_unchanged();
            if let Some(line) = self.console.find(from, marker) {
                return Ok(line.at);
            }
            if let Some(how) = ended {
                bail!("`{}` went off ({how}) and never said `{marker}`; {}", self.name, self.last_words());
            }
            if TokioInstant::now() >= deadline {
                bail!(
                    "`{}` did not say `{marker}` within {} s; {}",
                    self.name,
                    within.as_secs(),
                    self.last_words()
                );
            }
            let _ = timeout_at(deadline.min(TokioInstant::now() + LOOK), changes.changed()).await;
        }
    }

    /// Waits until it is off.
    pub async fn wait_off(&mut self, within: Duration) -> Result<()> {
        let deadline = TokioInstant::now() + within;
        let mut changes = self.console.changes();
        while self.is_on() {
            if TokioInstant::now() >= deadline {
                bail!("`{}` is still on after {} s; {}", self.name, within.as_secs(), self.last_words());
            }
            let _ = timeout_at(deadline.min(TokioInstant::now() + LOOK), changes.changed()).await;
        }
        Ok(())
    }

    /// How it ended, if it did.
    fn ended(&mut self) -> Option<String> {
        let Some(power) = self.power.as_mut() else { return Some("it was not on".to_owned()) };
        let status: Result<Option<ExitStatus>, _> = power.qemu.try_wait();
        let how = match status {
            Ok(None) => return None,
            Ok(Some(status)) => status.to_string(),
            Err(error) => error.to_string(),
        };
        self.power = None;
        let complaint = fs::read_to_string(self.folder.join("qemu.log")).unwrap_or_default();
        Some(format!("{how} {}", complaint.trim()))
    }

    fn last_words(&self) -> String {
        format!("the console's last lines:\n{}", self.console.tail(25))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Err(error) = self.power_off() {
            tracing::warn!("machine `{}`: {error:#}", self.name);
        }
    }
}
