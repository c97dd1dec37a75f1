//! What the agent and the server say to each other, over `/agent/v1/boots/{boot}/…` with the boot's own bearer token.
use crate::{BootId, Mac};
use serde::{Deserialize, Serialize};

/// Where Ignition puts the agent's configuration, mode 0600.
pub const CONFIG_PATH: &str = "/etc/pilotlight/agent.json";

/// Where Ignition puts the agent.
pub const BINARY_PATH: &str = "/opt/bin/pilotlight-agent";

/// The agent's configuration, made by the server for one boot of one machine.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// The server's base URL, `https://10.77.0.1:8443`.
    pub server: String,
    /// The site CA's certificate, PEM: the only one that the agent trusts.
    pub ca: String,
    /// The machine's name in the inventory.
    pub machine: String,
    /// The boot that this is.
    pub boot: BootId,
    /// The bearer token of this boot.
    pub token: String,
    /// The interface that the machine booted from, where it is known.
    pub boot_mac: Option<Mac>,
    /// Seconds between heartbeats, unless the server asks for another pace.
    pub heartbeat_seconds: u32,
}

impl std::fmt::Debug for AgentConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentConfig")
            .field("server", &self.server)
            .field("machine", &self.machine)
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

/// `POST …/progress`: a step that the host has reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// What a person should know of it, up to 1,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The steps that the agent reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The agent runs.
    Started,
    /// The facts are being collected.
    Collecting,
    /// Something went wrong; the detail says what. The agent goes on.
    Trouble,
}

/// `POST …/heartbeat`: the host is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Seconds since the kernel started.
    pub uptime_seconds: u64,
}

/// The server's answer to each report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instructions {
    /// Seconds until the next heartbeat is expected.
    pub heartbeat_seconds: u32,
}
