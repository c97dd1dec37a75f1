//! The Ignition config of a machine, made for one boot: its profile's layers, then what every host needs from us.
mod draft;

pub use draft::{Draft, Makings};

use super::{files::Files, ports::Ports, roster::Roster};
use crate::{
    domain::{
        delivery,
        inventory::Inventory,
        machine::Machine,
        profile::{self, Context, MachineContext, SecretValues, Wrong},
        stage::{Revision, Stage},
    },
    secret::{Secret, SiteKey},
};
use bytes::Bytes;
use pilotlight_types::{
    BootId, Mac,
    agent::AgentConfig,
    api::Boot,
    resource::{Labels, MachineSpec, ProfileSpec},
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

/// Where a machine boots from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The interface that boots.
    pub mac: Mac,
    /// The address that it has there, where that is known.
    pub address: Option<IpAddr>,
    /// An address of its network: that one, or another.
    pub from: Option<IpAddr>,
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
    /// It would have secrets, and nobody accepted the machine.
    #[error("nobody accepted {0} yet: it gets no config with secrets")]
    Unknown(String),
    /// A secret's place cannot be told for this machine.
    #[error("secret `{secret}` of {from} is nowhere for {machine}: {why}")]
    NoPlace {
        /// Its name.
        secret: String,
        /// Who declares it.
        from: String,
        /// Whose.
        machine: String,
        /// Why not.
        why: String,
    },
    /// With the values of its secrets, the config is wrong.
    #[error(
        "with the values of its secrets ({names}), the config of {machine} is wrong: {why}; what it says is not told, for a secret may be in \
         it; `tojson` quotes any text: {{{{ secrets.NAME | tojson }}}}"
    )]
    Secrets {
        /// Whose.
        machine: String,
        /// What is wrong, without what it says.
        why: String,
        /// The secrets that it holds.
        names: String,
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

    /// What the config of a machine in this boot is made of, for a machine that reaches us at `local`.
    pub fn draft(
        &self,
        machine: &Machine,
        boot: &Boot,
        revision: &Revision,
        local: IpAddr,
    ) -> Result<Draft, ConfigError> {
        let at = Spot { mac: boot.mac, address: boot.address, from: boot.address };
        let makings = self.roster.read(|inventory| self.makings(inventory, machine, at, revision))?;
        Ok(Draft { makings, additions: self.additions(machine, boot, local)? })
    }

    /// What the profile's part of the config of a machine at that place is made of, were this the inventory.
    pub fn makings(
        &self,
        inventory: &Inventory,
        machine: &Machine,
        at: Spot,
        revision: &Revision,
    ) -> Result<Makings, ConfigError> {
        let spec = inventory.profile_revisions.get(revision);
        let spec = spec.ok_or_else(|| ConfigError::NoProfile(revision.clone()))?;
        let layers = inventory.layers(&revision.profile, spec);
        let declared = inventory.secrets(&layers, machine);
        let secrets = profile::used_secrets(&layers, &declared);
        let context = self.context(inventory, machine, at, spec);
        let context = context.with_secrets(SecretValues::masks(declared.keys()));
        if !secrets.is_empty() && machine.stage == Stage::Discovered {
            return Err(ConfigError::Unknown(machine.name.to_string()));
        }
        let placed = |secret: profile::SecretUse| match profile::place(&secret.reference, &context) {
            Ok(place) => Ok((secret, place)),
            Err(why) => {
                let (from, machine) = (secret.from, machine.name.to_string());
                Err(ConfigError::NoPlace { secret: secret.name.to_string(), from, machine, why })
            }
        };
        let secrets = secrets.into_iter().map(placed).collect::<Result<_, _>>()?;
        let limit = inventory.limit(spec);
        Ok(Makings { machine: machine.name.clone(), layers, limit, context, secrets })
    }

    /// The profile's kernel arguments for a machine at that place, were this the inventory.
    pub fn kernel_args(
        &self,
        inventory: &Inventory,
        machine: Option<&Machine>,
        at: Spot,
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
        Spot { mac, address, from }: Spot,
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
pub(super) fn told(wrongs: Vec<Wrong>) -> String {
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
