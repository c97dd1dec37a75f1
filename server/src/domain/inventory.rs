//! The inventory: everything that is declared, and the machines, indexed by what they say of themselves.
use super::{
    boot::Assigned,
    dhcp_options,
    identity::{Says, serial_key, uuid_key},
    machine::Machine,
    matcher::Candidate,
    profile::{Limit, SecretUse, declared_secrets},
    stage::{Revision, Stage},
};
use ipnet::{Ipv4Net, Ipv6Net};
use pilotlight_types::{
    Mac, MachineId, Timestamp,
    resource::{
        AcceptRuleSpec, BootMode, FirmwareSpec, HardwareClassSpec, ImageSpec, Kind, Labels, MachineSpec,
        Name, ProfileSpec, RoleSpec, SecretName, SubnetSpec, WebhookSpec,
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};
use uuid::Uuid;

pub mod check;
mod groups;
pub mod marks;

pub use groups::Groups;
pub use marks::Expected;
use marks::{Known, Mark};

/// A declared resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared<T> {
    /// Its labels.
    pub labels: Labels,
    /// What was declared.
    pub spec: Arc<T>,
    /// Counts its changes, from 1.
    pub revision: i64,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// Resources of one kind, by name.
pub type ByName<T> = BTreeMap<Name, Declared<T>>;

/// Everything that is declared, and the machines.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Roles beside those that are built in.
    pub roles: ByName<RoleSpec>,
    /// Rows of the firmware table that operators applied.
    pub firmware: ByName<FirmwareSpec>,
    /// Networks.
    pub subnets: ByName<SubnetSpec>,
    /// Images.
    pub images: ByName<ImageSpec>,
    /// Profiles, newest revision.
    pub profiles: ByName<ProfileSpec>,
    /// Profiles, every revision.
    pub profile_revisions: HashMap<Revision, Arc<ProfileSpec>>,
    /// Groups.
    pub groups: Groups,
    /// Who is told of events.
    pub webhooks: ByName<WebhookSpec>,
    /// What machines of a sort must have.
    pub classes: ByName<HardwareClassSpec>,
    /// Machines that are to come.
    pub expected: Expected,
    /// What accepts machines that nobody declared.
    pub accept_rules: ByName<AcceptRuleSpec>,
    /// The last revision of every resource that there is or was: one that comes back goes on from there.
    pub last_revisions: HashMap<(Kind, Name), i64>,
    /// The set of files that a resource was applied from last, where it was.
    pub sources: HashMap<(Kind, Name), Name>,
    machines: HashMap<MachineId, Arc<Machine>>,
    names: BTreeMap<Name, MachineId>,
    macs: HashMap<Mac, MachineId>,
    learned: HashMap<Mac, MachineId>,
    // By what is compared of them, see `identity`.
    uuids: HashMap<Uuid, MachineId>,
    serials: HashMap<String, MachineId>,
    addresses: HashMap<IpAddr, MachineId>,
    known: Known,
}

impl Inventory {
    /// Every machine, by name.
    pub fn machines(&self) -> impl Iterator<Item = &Arc<Machine>> {
        self.names.values().filter_map(|id| self.machines.get(id))
    }

    /// The machines whose names come after this one, by name.
    pub fn machines_after<'a>(&'a self, after: Option<&Name>) -> impl Iterator<Item = &'a Arc<Machine>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.cloned().map_or(Unbounded, Excluded);
        self.names.range((from, Unbounded)).filter_map(|(_, id)| self.machines.get(id))
    }

    /// The machine with this id.
    pub fn machine(&self, id: MachineId) -> Option<&Arc<Machine>> {
        self.machines.get(&id)
    }

    /// The machine of this name.
    pub fn machine_named(&self, name: &str) -> Option<&Arc<Machine>> {
        let name: Name = name.parse().ok()?;
        self.names.get(&name).and_then(|id| self.machines.get(id))
    }

    /// The machine that has this interface or, failing that, this UUID.
    pub fn machine_that_says(&self, mac: Mac, uuid: Option<Uuid>) -> Option<&Arc<Machine>> {
        self.who(Says { mac, uuid, serial: None }).map(|found| found.machine)
    }

    /// The machine that was declared, or seen, with this MAC.
    pub fn by_mac(&self, mac: Mac) -> Option<&Arc<Machine>> {
        self.macs.get(&mac).and_then(|id| self.machines.get(id))
    }

    /// The machine that booted from this MAC when it was known by something else.
    pub fn by_learned_mac(&self, mac: Mac) -> Option<&Arc<Machine>> {
        self.learned.get(&mac).and_then(|id| self.machines.get(id))
    }

    /// The machine with this UUID, as [`uuid_key`] has it.
    pub fn by_uuid(&self, key: Uuid) -> Option<&Arc<Machine>> {
        self.uuids.get(&key).and_then(|id| self.machines.get(id))
    }

    /// The machine with this serial number, as [`serial_key`] has it.
    pub fn by_serial(&self, key: &str) -> Option<&Arc<Machine>> {
        self.serials.get(key).and_then(|id| self.machines.get(id))
    }

    /// Every machine that has this, as it is declared or as its agent measured it; none that is retired.
    pub fn with(&self, mark: &Mark) -> impl Iterator<Item = &Arc<Machine>> {
        self.known.with(mark).filter_map(|id| self.machines.get(&id))
    }

    /// How many machines that are still there an accept rule took in.
    pub fn accepted_by(&self, rule: &Name) -> u32 {
        self.known.accepted_by(rule)
    }

    /// The machine that this address is reserved for.
    pub fn reserved(&self, address: impl Into<IpAddr>) -> Option<&Arc<Machine>> {
        self.addresses.get(&address.into()).and_then(|id| self.machines.get(id))
    }

    /// Adds a machine, or replaces it.
    pub fn put(&mut self, machine: Arc<Machine>) {
        self.remove(machine.id);
        self.names.insert(machine.name.clone(), machine.id);
        self.macs.extend(machine.spec.macs.iter().map(|mac| (*mac, machine.id)));
        self.learned.extend(machine.learned.iter().map(|mac| (*mac, machine.id)));
        self.uuids.extend(machine.spec.uuid.and_then(uuid_key).map(|uuid| (uuid, machine.id)));
        self.serials.extend(machine.spec.serial.as_deref().and_then(serial_key).map(|key| (key, machine.id)));
        self.addresses.extend(reservations(&machine.spec).map(|ip| (ip, machine.id)));
        self.known.add(&machine);
        self.machines.insert(machine.id, machine);
    }

    /// Takes a machine out.
    pub fn remove(&mut self, id: MachineId) {
        let Some(machine) = self.machines.remove(&id) else { return };
        self.known.remove(&machine);
        // Another may have taken over what was this one's.
        remove_if(&mut self.macs, &machine.spec.macs, id);
        remove_if(&mut self.learned, &machine.learned, id);
        remove_if(&mut self.uuids, &machine.spec.uuid.and_then(uuid_key), id);
        remove_if(&mut self.serials, &machine.spec.serial.as_deref().and_then(serial_key), id);
        remove_if(&mut self.addresses, &reservations(&machine.spec).collect::<Vec<_>>(), id);
        if self.names.get(&machine.name) == Some(&id) {
            self.names.remove(&machine.name);
        }
    }

    /// The machine that was seen and not declared, and is what this spec describes: by its first known MAC, else by its UUID, else by
    /// its serial number.
    pub fn discovered_as(&self, spec: &MachineSpec) -> Option<&Arc<Machine>> {
        let by_mac = spec.macs.iter().filter_map(|mac| self.by_mac(*mac));
        let by_uuid = spec.uuid.and_then(uuid_key).and_then(|key| self.by_uuid(key));
        let by_serial = spec.serial.as_deref().and_then(serial_key).and_then(|key| self.by_serial(&key));
        let mut machines = by_mac.chain(by_uuid).chain(by_serial);
        machines.find(|machine| machine.stage == Stage::Discovered)
    }

    /// The machines that are known by anything that this spec names: a MAC, the UUID, the serial number, an address.
    pub fn kin<'a>(&'a self, spec: &'a MachineSpec) -> impl Iterator<Item = &'a Arc<Machine>> {
        let by_mac =
            spec.macs.iter().flat_map(|mac| [self.by_mac(*mac), self.by_learned_mac(*mac)]).flatten();
        let by_uuid = spec.uuid.and_then(uuid_key).and_then(|key| self.by_uuid(key));
        let by_serial = spec.serial.as_deref().and_then(serial_key).and_then(|key| self.by_serial(&key));
        by_mac.chain(by_uuid).chain(by_serial).chain(reservations(spec).filter_map(|ip| self.reserved(ip)))
    }

    /// The last revision that a resource of this name has or had; 0 if there never was one.
    pub fn last_revision(&self, kind: Kind, name: &Name) -> i64 {
        self.last_revisions.get(&(kind, name.clone())).copied().unwrap_or_default()
    }

    /// The subnet that holds this address.
    pub fn subnet_of(&self, address: impl Into<IpAddr>) -> Option<(&Name, &Declared<SubnetSpec>)> {
        let address = address.into().to_canonical();
        self.subnets.iter().find(|(_, subnet)| match address {
            IpAddr::V4(address) => Ipv4Net::contains(&subnet.spec.cidr, &address),
            IpAddr::V6(address) => {
                subnet.spec.cidr6.is_some_and(|network| Ipv6Net::contains(&network, &address))
            }
        })
    }

    /// The group that a machine belongs to.
    pub fn group_of(&self, machine: &Machine) -> Option<Candidate<'_>> {
        if machine.learned.is_empty() {
            return self.groups.of(&machine.labels, &machine.spec.macs);
        }
        let macs: Vec<Mac> = machine.macs().collect();
        self.groups.of(&machine.labels, &macs)
    }

    /// Every group that takes a machine, the one that it belongs to first.
    pub fn groups_of(&self, machine: &Machine) -> Vec<Candidate<'_>> {
        let macs: Vec<Mac> = machine.macs().collect();
        self.groups.all_of(&machine.labels, &macs)
    }

    /// What the groups give a machine: the newest revision of their profile.
    pub fn assigned(&self, machine: &Machine) -> Option<Assigned> {
        let group = self.group_of(machine)?;
        let profile = self.profiles.get(&group.spec.profile)?;
        let revision = Revision { profile: group.spec.profile.clone(), revision: profile.revision };
        Some(Assigned {
            revision,
            group: Some(group.name.clone()),
            boot: profile.spec.boot,
            image: profile.spec.image.clone(),
        })
    }

    /// The group that a machine belongs to.
    pub fn group_named_of(&self, machine: &Machine) -> Option<&Name> {
        self.group_of(machine).map(|group| group.name)
    }

    /// The machines that are ready, have a profile, and never ran one, with what they are armed for then: declaring a machine with
    /// a profile is asking for it.
    pub fn to_arm(&self) -> impl Iterator<Item = (&Arc<Machine>, Revision)> {
        let ready = self.machines().filter(|m| m.stage == Stage::Ready && m.running.is_none());
        ready.filter_map(|machine| Some((machine, self.assigned(machine)?.revision)))
    }

    /// The values that a machine's group has for the templates of its profile.
    pub fn variables(&self, machine: &Machine) -> BTreeMap<String, serde_json::Value> {
        self.group_of(machine).map(|group| group.spec.variables.clone()).unwrap_or_default()
    }

    /// The secrets that these layers, a machine's group and the machine declare for its config.
    pub fn secrets(
        &self,
        layers: &[(Name, Arc<ProfileSpec>)],
        machine: &Machine,
    ) -> BTreeMap<SecretName, SecretUse> {
        let group = self.group_of(machine).map(|group| (group.name, group.spec));
        declared_secrets(layers, group, Some((&machine.name, &machine.spec)))
    }

    /// The newest Ignition spec that a profile's image takes.
    pub fn limit(&self, spec: &ProfileSpec) -> Option<Limit> {
        let name = spec.image.as_ref()?;
        Limit::of(name, &self.images.get(name)?.spec)
    }

    /// The DHCP options that operators add for a machine on a subnet, as they lie in a packet.
    pub fn dhcp_options(&self, subnet: &SubnetSpec, machine: Option<&Machine>) -> BTreeMap<u8, Vec<u8>> {
        let group = machine.and_then(|machine| self.group_of(machine)).map(|group| &group.spec.options);
        let own = machine.map(|machine| &machine.spec.options);
        dhcp_options::merge([Some(&subnet.options), group, own].into_iter().flatten())
    }

    /// Whether a machine runs something else than it should: another revision, or another profile. What never ran anything is new,
    /// and what is retired is nobody's concern.
    pub fn drifts(&self, machine: &Machine) -> bool {
        let Some(running) = machine.running.as_ref().filter(|_| machine.stage != Stage::Retired) else {
            return false;
        };
        let assigned = self.assigned(machine).map(|assigned| assigned.revision);
        assigned.as_ref().or_else(|| machine.stage.armed()).is_some_and(|wanted| wanted != running)
    }

    /// What this revision of a profile boots.
    pub fn revision(&self, revision: &Revision) -> Option<Assigned> {
        let spec = self.profile_revisions.get(revision)?;
        Some(Assigned { revision: revision.clone(), group: None, boot: spec.boot, image: spec.image.clone() })
    }

    /// The profile that unknown machines boot.
    pub fn discovery(&self) -> Option<Assigned> {
        let (name, profile) =
            self.profiles.iter().find(|(_, profile)| profile.spec.boot == BootMode::Discovery)?;
        let revision = Revision { profile: name.clone(), revision: profile.revision };
        Some(Assigned { revision, group: None, boot: BootMode::Discovery, image: profile.spec.image.clone() })
    }

    /// A profile's layers and itself, lowest first. Layers are taken at their newest revision.
    pub fn layers(&self, name: &Name, spec: &Arc<ProfileSpec>) -> Vec<(Name, Arc<ProfileSpec>)> {
        let mut all = Vec::new();
        self.collect_layers(name, spec, &mut all, 0);
        all
    }

    fn collect_layers(
        &self,
        name: &Name,
        spec: &Arc<ProfileSpec>,
        all: &mut Vec<(Name, Arc<ProfileSpec>)>,
        depth: usize,
    ) {
        // Cycles are refused when they are written; the bound is for what was stored before that.
        if depth < check::MOST_LAYERS {
            for layer in &spec.layers {
                if let Some(profile) = self.profiles.get(layer)
                    && !all.iter().any(|(name, _)| name == layer)
                {
                    self.collect_layers(layer, &profile.spec, all, depth + 1);
                }
            }
        }
        all.push((name.clone(), spec.clone()));
    }
}

/// The addresses that are reserved for a machine.
pub(super) fn reservations(spec: &MachineSpec) -> impl Iterator<Item = IpAddr> {
    spec.ip.map(IpAddr::V4).into_iter().chain(spec.ip6.map(IpAddr::V6))
}

fn remove_if<'a, K: std::hash::Hash + Eq + 'a>(
    index: &mut HashMap<K, MachineId>,
    keys: impl IntoIterator<Item = &'a K>,
    id: MachineId,
) {
    for key in keys {
        if index.get(key) == Some(&id) {
            index.remove(key);
        }
    }
}
