//! The Ignition config of a machine, made for one boot: its profile's layers, then what every host needs from us.
use super::{files::Files, ports::Ports, roster::Roster};
use crate::{
    domain::{
        delivery,
        machine::Machine,
        profile::{self, Context, MachineContext},
        stage::Revision,
    },
    secret::{Secret, SiteKey},
};
use bytes::Bytes;
use pilotlight_types::{BootId, agent::AgentConfig, api::Boot};
use serde_json::Value;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Seconds between the agent's heartbeats.
pub const HEARTBEAT_SECONDS: u32 = 30;

/// The agent's unit, as it is installed.
const AGENT_UNIT: &str = include_str!("../../../agent/dist/pilotlight-agent.service");

/// Makes configs, and keeps those that were promised to boots under way.
#[derive(Debug, Clone)]
pub struct Configs {
    site: Arc<Site>,
    roster: Roster,
    files: Files,
}

#[derive(Debug)]
struct Site {
    ports: Ports,
    ca_pem: String,
    key: SiteKey,
    // The hash in the pointer of a boot must be the hash of this.
    promised: Mutex<HashMap<BootId, Bytes>>,
}

/// Why a config cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The profile's revision is gone.
    #[error("profile {0} is not in the inventory")]
    NoProfile(Revision),
    /// The layers do not make a config for this machine.
    #[error("the config of {machine} cannot be made: {why}")]
    Profile {
        /// Whose.
        machine: String,
        /// Each mistake, with the layer that it is in.
        why: String,
    },
    /// The agent's part cannot be made.
    #[error("the agent's credential cannot be made")]
    Agent,
}

impl Configs {
    /// Makes configs of what the roster has.
    pub fn new(roster: Roster, files: Files, ports: Ports, ca_pem: String, key: SiteKey) -> Self {
        let site = Site { ports, ca_pem, key, promised: Mutex::default() };
        Self { site: Arc::new(site), roster, files }
    }

    /// The certificate of the site CA, PEM: what machines trust.
    pub fn ca_pem(&self) -> &str {
        &self.site.ca_pem
    }

    /// The config of a machine in this boot, for a machine that reaches us at `local`.
    pub fn make(
        &self,
        machine: &Machine,
        boot: &Boot,
        revision: &Revision,
        local: IpAddr,
    ) -> Result<Value, ConfigError> {
        let (layers, vars) = self.roster.read(|inventory| {
            let spec = inventory.profile_revisions.get(revision);
            let layers = spec.map(|spec| inventory.layers(&revision.profile, spec));
            (layers, inventory.variables(machine))
        });
        let layers = layers.ok_or_else(|| ConfigError::NoProfile(revision.clone()))?;
        let about = MachineContext::new(
            machine.name.as_str(),
            &machine.labels,
            &machine.spec,
            &boot.mac.to_string(),
            boot.address,
        );
        let mut configs = profile::configs(&layers, &Context { machine: about, vars }).map_err(|wrongs| {
            let all: Vec<String> = wrongs.into_iter().map(|w| format!("{}: {}", w.path, w.detail)).collect();
            ConfigError::Profile { machine: machine.name.to_string(), why: all.join("; ") }
        })?;
        configs.push(self.additions(machine, boot, local)?);
        Ok(delivery::merged(&configs))
    }

    /// Keeps what was promised to a boot; what was promised to boots that are not `open` is let go.
    pub fn promise(&self, boot: BootId, config: Bytes, open: impl Fn(BootId) -> bool) {
        let mut promised = self.promised();
        promised.retain(|boot, _| open(*boot));
        promised.insert(boot, config);
    }

    /// What was promised to a boot since the daemon was started.
    pub fn kept(&self, boot: BootId) -> Option<Bytes> {
        self.promised().get(&boot).cloned()
    }

    /// The token of a boot's agent.
    pub fn agent_token(&self, boot: BootId) -> Option<Secret<String>> {
        self.site.key.token(&agent_subject(boot))
    }

    /// Whether the token is that of the boot's agent.
    pub fn is_agent(&self, boot: BootId, token: &str) -> bool {
        self.site.key.verify(&agent_subject(boot), token)
    }

    fn additions(&self, machine: &Machine, boot: &Boot, local: IpAddr) -> Result<Value, ConfigError> {
        let ports = self.site.ports;
        let token = self.agent_token(boot.id).ok_or(ConfigError::Agent)?;
        let config = AgentConfig {
            server: ports.https(local),
            ca: self.site.ca_pem.clone(),
            machine: machine.name.to_string(),
            boot: boot.id,
            token: token.expose().clone(),
            boot_mac: Some(boot.mac),
            heartbeat_seconds: HEARTBEAT_SECONDS,
        };
        let agent_config = serde_json::to_string(&config).map_err(|_| ConfigError::Agent)?;
        let url = format!("{}/boot/files/pilotlight-agent", ports.http(local));
        Ok(delivery::additions(delivery::Additions {
            hostname: machine.name.as_str(),
            agent: self.files.agent().map(|agent| (url.as_str(), agent.sha512.as_str())),
            agent_config: &agent_config,
            agent_unit: AGENT_UNIT,
        }))
    }

    fn promised(&self) -> MutexGuard<'_, HashMap<BootId, Bytes>> {
        self.site.promised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn agent_subject(boot: BootId) -> String {
    format!("agent/{boot}")
}
