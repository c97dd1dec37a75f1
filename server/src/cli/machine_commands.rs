//! The commands about machines and their boots: `pilotlight machine` and `pilotlight boot`.
use super::{MachineArgs, Output, Server, power};
use clap::Subcommand;
use pilotlight_types::{
    api::{BootDevice, PowerAction},
    resource::Duration,
};

#[derive(Debug, Subcommand)]
pub(super) enum MachineCommand {
    /// Take in a machine that nobody declared; it is not wiped
    Accept {
        #[command(flatten)]
        machine: MachineArgs,
        /// What it is called from now on
        #[arg(long = "as", value_name = "NAME", conflicts_with_all = ["selector", "dry_run"])]
        name_as: Option<String>,
        /// Labels that it gets, such as role=worker,zone=a
        #[arg(long, value_name = "LABELS", conflicts_with_all = ["selector", "dry_run"])]
        labels: Option<String>,
    },
    /// Arm a machine: its next boot gets the newest revision of its profile
    Provision(MachineArgs),
    /// Lock a machine: when it boots, it waits
    Hold {
        #[command(flatten)]
        machine: MachineArgs,
        /// Why
        #[arg(long)]
        reason: String,
        /// End it by itself after so long, such as 30m, 2h, 3d
        #[arg(long = "for", value_name = "TIME")]
        lasts: Option<Duration>,
    },
    /// Unlock a machine
    Release(MachineArgs),
    /// Take a machine out of service: it gets no answer any more
    Retire(MachineArgs),
    /// Switch a machine by its BMC: on, off, soft (its system shuts down), cycle (off and on), reset
    Power {
        /// What
        #[arg(value_parser = power::action)]
        action: PowerAction,
        #[command(flatten)]
        machine: MachineArgs,
        /// What it boots from then, once: pxe, http, disk
        #[arg(long, value_name = "DEVICE", value_parser = power::device)]
        boot: Option<BootDevice>,
        /// Wait until it is done, or has failed
        #[arg(long)]
        wait: bool,
    },
    /// Ask a machine's BMC how it does: power, sensors, what failed lately
    Bmc {
        /// The machine
        name: String,
        /// Its event log instead, newest last
        #[arg(long)]
        log: bool,
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
    /// Light the lamp by which one finds a machine in its rack
    Identify {
        /// The machine
        name: String,
        /// Put it out
        #[arg(long)]
        off: bool,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum BootCommand {
    /// Show what a machine said while it booted (syslog.listen)
    Log {
        /// The boot's id; or a machine, whose newest boot is meant
        boot: String,
        /// How to print
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        server: Server,
    },
}
