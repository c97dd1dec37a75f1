//! `pilotlight`: the daemon, and the client of its REST API.
use std::process::ExitCode;

fn main() -> ExitCode {
    pilotlight::cli::main()
}
