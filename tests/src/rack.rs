//! The virtual rack: a private network in a namespace of its own, and whole machines in it with real firmware (SeaBIOS,
//! OVMF, iPXE), so that a boot can be proven from power-on to the running system on one computer. Needs root, `ip` and QEMU;
//! nothing outside the namespaces is touched, and whatever a killed run left is removed before the next one starts.

pub mod accel;
pub mod cable;
pub mod console;
pub mod forward;
pub mod hardware;
pub mod image;
pub mod machine;
pub mod namespace;
pub mod qmp;

use std::process::Command;

use anyhow::{Context, Result, bail};

pub use accel::Accel;
pub use cable::{Cable, Faults};
pub use forward::Forward;
pub use hardware::{Builder, Disk, DiskBus, Firmware, NicModel, Smbios};
pub use image::ImagePaths;
pub use machine::Machine;
pub use namespace::{Host, Namespace};

/// Runs a command to its end, and gives back what it printed; an error has the command and what it complained of.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}").replace('"', "");
    let output = command.output().with_context(|| {
        format!("`{shown}` cannot be started: is the program installed, and is this root?")
    })?;
    if !output.status.success() {
        bail!("`{shown}` failed with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `ip` with arguments that hold no spaces of their own.
pub(crate) fn ip(arguments: &str) -> Result<String> {
    run(Command::new("ip").args(arguments.split_whitespace()))
}
