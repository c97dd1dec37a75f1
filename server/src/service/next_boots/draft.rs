//! What one machine would get of a profile, were this the inventory: for whoever writes the profile.
use super::{
    NextBoots, networks, provision,
    render::{Making, address},
};
use crate::{
    domain::{delivery, inventory::Inventory, machine::Machine, profile, stage::Revision},
    service::{
        changes::ChangeError,
        configs::{Makings, Spot, told},
        delivery::values,
        machines::MachineError,
    },
};
use pilotlight_types::{
    api::{Rendered, SecretPlace},
    resource::{Kind, Name},
};
use std::sync::Arc;

impl NextBoots {
    /// What a machine would get of this profile, or of the one that its groups give it, once it is provisioned.
    pub fn rendered(
        &self,
        inventory: &Inventory,
        machine: &Name,
        profile: Option<&Name>,
    ) -> Result<Rendered, ChangeError> {
        let none = |kind: Kind, name: &Name| ChangeError::NotFound(kind, name.to_string());
        let found = inventory.machine_named(machine.as_str()).cloned();
        let found = found.ok_or_else(|| none(Kind::Machine, machine))?;
        let given = inventory.assigned(&found).map(|assigned| assigned.revision);
        let revision = match profile {
            Some(name) => {
                let declared = inventory.profiles.get(name).ok_or_else(|| none(Kind::Profile, name))?;
                Revision { profile: name.clone(), revision: declared.revision }
            }
            None => {
                given.clone().ok_or_else(|| ChangeError::Machine(MachineError::NoProfile(machine.clone())))?
            }
        };
        let mut armed = inventory.clone();
        provision(&mut armed, &found, &revision);
        let machine = armed.machine(found.id).cloned().unwrap_or(found);
        Ok(self.of(&armed, &machine, &revision, given))
    }

    fn of(
        &self,
        inventory: &Inventory,
        machine: &Arc<Machine>,
        revision: &Revision,
        given: Option<Revision>,
    ) -> Rendered {
        let mut asker = self.asker(inventory, inventory, Some(machine), Some(machine));
        if asker.from.is_none() {
            // It may be on any network of ours: the first will do.
            asker = networks(inventory, inventory, &asker).into_iter().next().unwrap_or(asker);
        }
        let (boot, _) = self.render(inventory, &asker);
        let subnet = asker.from.and_then(|from| inventory.subnet_of(from)).map(|(_, subnet)| &*subnet.spec);
        let at = Spot { mac: asker.mac, address: address(&asker, Some(machine), subnet), from: asker.from };
        let args = self.configs.kernel_args(inventory, Some(machine), at, revision);
        let making = match self.configs.makings(inventory, machine, at, revision) {
            Ok(makings) => Making::Of(Box::new(makings)),
            Err(error) => Making::Broken(error.to_string()),
        };
        let mut rendered = Rendered {
            machine: machine.name.to_string(),
            profile: revision.profile.to_string(),
            given: given.map(|given| given.profile.to_string()),
            answer: boot.answer,
            kernel_args: Vec::new(),
            script: Some(boot.script).filter(|script| !script.is_empty()),
            ignition: None,
            provenance: Vec::new(),
            secrets: Vec::new(),
            broken: None,
        };
        match args {
            Ok(args) => rendered.kernel_args = args,
            Err(error) => rendered.broken = Some(error.to_string()),
        }
        match making {
            Making::Of(makings) => take(&mut rendered, inventory.group_named_of(machine), &makings),
            Making::Broken(why) => rendered.broken = Some(why),
            Making::Nothing => {}
        }
        rendered
    }
}

/// Puts the config in, with where each of its values is from.
fn take(rendered: &mut Rendered, group: Option<&Name>, makings: &Makings) {
    let Makings { layers, limit, context, secrets, .. } = makings;
    let places = secrets.iter().map(|(secret, place)| SecretPlace {
        name: secret.name.to_string(),
        from: secret.from.clone(),
        place: place.to_string(),
        refused: None,
    });
    rendered.secrets = places.collect();
    let parts = match profile::parts(layers, context, limit.as_ref()) {
        Ok(parts) if parts.is_empty() => return,
        Ok(parts) => parts,
        Err(wrongs) => {
            rendered.broken = Some(told(wrongs));
            return;
        }
    };
    let whole = profile::merged(&parts, context);
    rendered.ignition = Some(delivery::masked(&whole.ignition));
    rendered.provenance = values(group, makings, whole.lines);
}
