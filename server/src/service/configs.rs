//! The Ignition config of a machine, made for one boot: its profile's layers, then what every host needs from us.
use super::{files::Files, ports::Ports, roster::Roster};
use crate::{
    domain::{
        delivery,
        inventory::Inventory,
        machine::Machine,
        profile::{self, Context, Limit, MachineContext, Wrong},
        stage::Revision,
    },
    secret::{Secret, SiteKey},
};
use bytes::Bytes;
use pilotlight_types::{
    BootId, Mac,
    agent::AgentConfig,
    api::Boot,
    resource::{Labels, MachineSpec, Name, ProfileSpec},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
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
    name: String,
    ports: Ports,
    ca_pem: String,
    key: SiteKey,
    // The hash in the pointer of a boot must be the hash of this.
    promised: Mutex<Promised>,
}

/// Configs by the boots that they were promised to.
#[derive(Debug, Default)]
struct Promised(HashMap<BootId, Bytes>);

impl Promised {
    /// Keeps one more. Those of boots that are not open are let go when there is no room left: to look at all of them each time
    /// would cost a hall the square of its size.
    fn keep(&mut self, boot: BootId, config: Bytes, open: impl Fn(BootId) -> bool) {
        if self.0.len() == self.0.capacity() {
            self.0.retain(|boot, _| open(*boot));
            if self.0.len() > self.0.capacity() / 2 {
                self.0.reserve(self.0.capacity());
            }
        }
        self.0.insert(boot, config);
    }
}

/// Where a machine boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The interface that boots.
    pub mac: Mac,
    /// The address that it has there, where that is known.
    pub address: Option<IpAddr>,
    /// An address of its network: that one, or another.
    pub from: Option<IpAddr>,
}

/// A profile, by its name.
type Layer = (Name, Arc<ProfileSpec>);

/// What goes into a machine's config.
#[derive(Debug, Clone)]
pub struct Makings {
    /// The profile's layers and itself, lowest first.
    pub layers: Vec<Layer>,
    /// What its image takes.
    pub limit: Option<Limit>,
    /// What its templates may use.
    pub context: Context,
}

impl Makings {
    /// Whether the same config is made of both.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |(one, other): (&Layer, &Layer)| one.0 == other.0 && Arc::ptr_eq(&one.1, &other.1);
        self.limit == other.limit
            && self.layers.len() == other.layers.len()
            && self.layers.iter().zip(&other.layers).all(same)
            && self.context == other.context
    }
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
    pub fn new(
        roster: Roster,
        files: Files,
        ports: Ports,
        (name, ca_pem, key): (String, String, SiteKey),
    ) -> Self {
        let site = Site { name, ports, ca_pem, key, promised: Mutex::default() };
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
        let at = Place { mac: boot.mac, address: boot.address, from: boot.address };
        let makings = self.roster.read(|inventory| self.makings(inventory, machine, at, revision));
        let Makings { layers, limit, context } =
            makings.ok_or_else(|| ConfigError::NoProfile(revision.clone()))?;
        let mut configs = profile::configs(&layers, &context, limit.as_ref()).map_err(|wrongs| {
            ConfigError::Profile { machine: machine.name.to_string(), why: told(wrongs) }
        })?;
        configs.push(self.additions(machine, boot, local)?);
        Ok(delivery::merged(&configs))
    }

    /// What goes into the config of a machine at that place, were this the inventory.
    pub fn makings(
        &self,
        inventory: &Inventory,
        machine: &Machine,
        at: Place,
        revision: &Revision,
    ) -> Option<Makings> {
        let spec = inventory.profile_revisions.get(revision)?;
        Some(Makings {
            layers: inventory.layers(&revision.profile, spec),
            limit: inventory.limit(spec),
            context: self.context(inventory, machine, at, spec),
        })
    }

    /// The profile's kernel arguments for a machine at that place, were this the inventory.
    pub fn kernel_args(
        &self,
        inventory: &Inventory,
        machine: Option<&Machine>,
        at: Place,
        revision: &Revision,
    ) -> Result<Vec<String>, ConfigError> {
        let Some(spec) = inventory.profile_revisions.get(revision) else { return Ok(Vec::new()) };
        if profile::has_fixed_args(spec) {
            return Ok(spec.kernel_args.clone());
        }
        let mac = at.mac.to_string();
        let context = match machine {
            Some(machine) => self.context(inventory, machine, at, spec),
            // A machine that nobody knows has a name and an interface, and that is all.
            None => {
                let (labels, spec) = (Labels::default(), MachineSpec::default());
                let unknown = MachineContext::new(&mac, &labels, &spec, &mac, at.address);
                Context::new(unknown, BTreeMap::new(), &self.site.name)
            }
        };
        profile::kernel_args(spec, &context).map_err(|wrongs| ConfigError::Profile {
            machine: machine.map_or(mac, |machine| machine.name.to_string()),
            why: told(wrongs),
        })
    }

    /// What the templates of a machine's profile may use.
    fn context(
        &self,
        inventory: &Inventory,
        machine: &Machine,
        Place { mac, address, from }: Place,
        spec: &ProfileSpec,
    ) -> Context {
        let facts = machine.facts.as_ref().map(|reported| &reported.facts);
        let about = MachineContext::new(
            machine.name.as_str(),
            &machine.labels,
            &machine.spec,
            &mac.to_string(),
            address,
        )
        .with_facts(facts);
        let subnet = from.and_then(|from| inventory.subnet_of(from));
        Context::new(about, inventory.variables(machine), &self.site.name)
            .on(subnet.map(|(name, subnet)| (name, &*subnet.spec)))
            .joining(spec.cluster.as_ref())
    }

    /// Keeps what was promised to a boot; what was promised to boots that are not `open` is let go now and then.
    pub fn promise(&self, boot: BootId, config: Bytes, open: impl Fn(BootId) -> bool) {
        self.promised().keep(boot, config, open);
    }

    /// What was promised to a boot since the daemon was started.
    pub fn kept(&self, boot: BootId) -> Option<Bytes> {
        self.promised().0.get(&boot).cloned()
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

    fn promised(&self) -> MutexGuard<'_, Promised> {
        self.site.promised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that is wrong, in one sentence.
pub fn told(wrongs: Vec<Wrong>) -> String {
    let all: Vec<String> = wrongs.into_iter().map(|w| format!("{}: {}", w.path, w.detail)).collect();
    all.join("; ")
}

fn agent_subject(boot: BootId) -> String {
    format!("agent/{boot}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotlight_types::Timestamp;
    use std::cell::Cell;

    fn boot(number: u32) -> BootId {
        let [a, b, c, d] = number.to_be_bytes();
        BootId::new(Timestamp::default(), [a, b, c, d, 0, 0, 0, 0, 0, 0])
    }

    #[test]
    fn what_was_promised_is_kept_while_its_boot_is_open_and_a_hall_is_not_looked_at_for_each() {
        let (mut promised, looked) = (Promised::default(), Cell::new(0));
        for number in 0..10_000 {
            promised.keep(boot(number), Bytes::new(), |_| {
                looked.set(looked.get() + 1);
                true
            });
        }
        assert!((0..10_000).all(|number| promised.0.contains_key(&boot(number))));
        assert!(looked.get() < 40_000, "{} looks", looked.get());
        for number in 10_000..100_000 {
            promised.keep(boot(number), Bytes::new(), |open| open == boot(7));
        }
        assert!(promised.0.contains_key(&boot(7)));
        assert!(promised.0.len() < 40_000, "{} are kept", promised.0.len());
    }
}
