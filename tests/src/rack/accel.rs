//! What runs the virtual machines: the processor itself (KVM), or QEMU's emulation of one (TCG), some 10 times slower.
//! `/dev/kvm` being there says little: in some clouds it is an imitation that stops at what firmware does.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The environment variable that decides instead: `kvm` or `tcg`.
pub const OVERRIDE: &str = "PILOTLIGHT_ACCEL";

const PROBE: Duration = Duration::from_secs(10);

/// An accelerator of QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// The processor's own virtualisation.
    Kvm,
    /// Emulation: any machine can do it.
    Tcg,
}

/// What was chosen, and why: the second is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The accelerator to use.
    pub accel: Accel,
    /// What spoke for it.
    pub reason: String,
}

impl Accel {
    /// By how much deadlines that fit KVM are to be stretched.
    pub fn patience(self) -> u32 {
        match self {
            Self::Kvm => 1,
            Self::Tcg => 10,
        }
    }

    /// QEMU's `-accel` and `-cpu`. For TCG the plainest 64-bit processor: with `-cpu max` the same Linux takes twice as long,
    /// since its programs then use what is slow to emulate.
    pub(crate) fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Self::Tcg => ["-accel", "tcg,thread=multi", "-cpu", "qemu64,+rdrand"],
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "KVM",
            Self::Tcg => "TCG (emulation)",
        })
    }
}

/// Chooses: what [`OVERRIDE`] says, else KVM where it runs firmware, else TCG. Takes up to 10 s.
pub fn choose() -> Result<Choice> {
    let choice = |accel, reason: &str| Ok(Choice { accel, reason: reason.to_owned() });
    match std::env::var_os(OVERRIDE).as_deref().and_then(OsStr::to_str) {
        Some("kvm") => return choice(Accel::Kvm, "PILOTLIGHT_ACCEL=kvm"),
        Some("tcg") => return choice(Accel::Tcg, "PILOTLIGHT_ACCEL=tcg"),
        Some("") | None => {}
        Some(other) => bail!("{OVERRIDE} is `{other}`: it may be `kvm` or `tcg`"),
    }
    if Path::new("/sys/module/kvm_pvm").exists() {
        return choice(Accel::Tcg, "KVM is PVM here, which does not run firmware");
    }
    if fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        return choice(Accel::Tcg, "/dev/kvm is not there, or not ours to open");
    }
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    if !flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm") {
        return choice(Accel::Tcg, "the processor shows no virtualisation of its own (vmx or svm)");
    }
    match probe() {
        Ok(took) => choice(Accel::Kvm, &format!("firmware ran under KVM in {} ms", took.as_millis())),
        Err(error) => choice(Accel::Tcg, &format!("firmware does not run under KVM: {error:#}")),
    }
}

/// Lets SeaBIOS look for something to boot, which it says on its debug port.
fn probe() -> Result<Duration> {
    let start = Instant::now();
    let mut child = Command::new("qemu-system-x86_64")
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", "64"])
        .args(Accel::Kvm.arguments())
        .args(["-chardev", "stdio,id=debug,signal=off", "-device", "isa-debugcon,iobase=0x402,chardev=debug"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("qemu-system-x86_64 cannot be started")?;
    let (sender, receiver) = mpsc::channel();
    if let Some(mut output) = child.stdout.take() {
        thread::Builder::new().name("kvm probe".into()).spawn(move || {
            let mut text = Vec::new();
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut part) {
                text.extend_from_slice(part.get(..count).unwrap_or_default());
                if String::from_utf8_lossy(&text).contains("No bootable device") {
                    let _ = sender.send(());
                    return;
                }
            }
        })?;
    }
    let seen = receiver.recv_timeout(PROBE);
    let _ = child.kill();
    let mut complaint = String::new();
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut complaint);
    }
    let _ = child.wait();
    match seen {
        Ok(()) => Ok(start.elapsed()),
        Err(_) => bail!("SeaBIOS did not get through within {} s {}", PROBE.as_secs(), complaint.trim()),
    }
}
