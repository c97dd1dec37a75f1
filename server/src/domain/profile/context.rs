//! What templates may use.
use super::SecretValues;
use pilotlight_types::{
    facts::Facts,
    resource::{Labels, MachineSpec, Name, SubnetSpec},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

/// What templates may use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Context {
    /// The machine.
    pub machine: MachineContext,
    /// The variables of its group.
    pub vars: BTreeMap<String, Value>,
    /// The subnet that its address is in; without one, whoever asks for it gets an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<SubnetContext>,
    /// The site of the daemon.
    pub site: SiteContext,
    /// The cluster that its profile names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterContext>,
    /// The secrets: masks, unless this is for the machine itself.
    pub secrets: SecretValues,
}

impl Context {
    /// A machine with the variables of its group, at a site of that name.
    pub fn new(machine: MachineContext, vars: BTreeMap<String, Value>, site: &str) -> Self {
        let site = SiteContext { name: site.to_owned() };
        Self { machine, vars, subnet: None, site, cluster: None, secrets: SecretValues::default() }
    }

    /// A machine that stands for any, to try templates on before there is one.
    pub fn example(vars: BTreeMap<String, Value>) -> Self {
        let subnet = SubnetContext {
            name: "example".to_owned(),
            cidr: "192.0.2.0/24".to_owned(),
            gateway: Some(Ipv4Addr::new(192, 0, 2, 254)),
            dns: vec![Ipv4Addr::new(192, 0, 2, 253)],
            domain: Some("example.com".to_owned()),
        };
        Self { subnet: Some(subnet), ..Self::new(MachineContext::example(), vars, "example") }
    }

    /// The same, in this subnet.
    pub fn on(mut self, subnet: Option<(&Name, &SubnetSpec)>) -> Self {
        self.subnet = subnet.map(|(name, spec)| SubnetContext {
            name: name.to_string(),
            cidr: spec.cidr.to_string(),
            gateway: spec.gateway,
            dns: spec.dns.clone(),
            domain: spec.domain.clone(),
        });
        self
    }

    /// The same, with these secrets.
    pub fn with_secrets(mut self, secrets: SecretValues) -> Self {
        self.secrets = secrets;
        self
    }

    /// The same, for this cluster.
    pub fn joining(mut self, cluster: Option<&Name>) -> Self {
        self.cluster = cluster.map(|name| ClusterContext { name: name.to_string() });
        self
    }
}

/// A machine, as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MachineContext {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// The interface that boots.
    pub mac: String,
    /// The address that it was given.
    pub ip: Option<IpAddr>,
    /// Its rack.
    pub rack: Option<String>,
    /// Its rack unit.
    pub unit: Option<u16>,
    /// Its SMBIOS UUID, where it was declared.
    pub uuid: Option<String>,
    /// Its serial number, where it was declared.
    pub serial: Option<String>,
    /// What its agent measured last; not there before the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Value>,
}

impl MachineContext {
    /// A machine that boots from `mac` with the address `ip`.
    pub fn new(name: &str, labels: &Labels, spec: &MachineSpec, mac: &str, ip: Option<IpAddr>) -> Self {
        Self {
            name: name.to_owned(),
            labels: labels.clone(),
            mac: mac.to_owned(),
            ip,
            rack: spec.rack.clone(),
            unit: spec.unit,
            uuid: spec.uuid.map(|uuid| uuid.to_string()),
            serial: spec.serial.clone(),
            facts: None,
        }
    }

    /// The same, with what its agent measured.
    pub fn with_facts(mut self, facts: Option<&Facts>) -> Self {
        self.facts = facts.and_then(|facts| serde_json::to_value(facts).ok());
        self
    }

    /// A machine that stands for any, to try templates on before there is one.
    pub fn example() -> Self {
        let spec = MachineSpec { rack: Some("r1".into()), unit: Some(1), ..MachineSpec::default() };
        let address = Some(Ipv4Addr::new(192, 0, 2, 1).into());
        Self {
            uuid: Some("00000000-0000-4000-8000-000000000001".to_owned()),
            serial: Some("EXAMPLE1".to_owned()),
            ..Self::new("example", &Labels::default(), &spec, "02:00:00:00:00:01", address)
        }
    }
}

/// A subnet, as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SubnetContext {
    /// Its name.
    pub name: String,
    /// The network: `10.77.0.0/24`.
    pub cidr: String,
    /// Its router.
    pub gateway: Option<Ipv4Addr>,
    /// Its DNS servers.
    pub dns: Vec<Ipv4Addr>,
    /// Its domain.
    pub domain: Option<String>,
}

/// The site, as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SiteContext {
    /// Its name.
    pub name: String,
}

/// A cluster, as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClusterContext {
    /// Its name.
    pub name: String,
}

/// The names that begin the way to everything that templates may use.
pub(super) const ROOTS: [&str; 6] = ["machine", "vars", "subnet", "site", "cluster", "secrets"];

impl Context {
    /// All of it, as JSON.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_else(|_| json!({}))
    }
}
