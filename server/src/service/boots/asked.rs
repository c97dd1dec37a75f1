//! The question what a machine gets, put to the rules with what is known.
use super::Boots;
use crate::{
    domain::{
        attempt::Pinned,
        boot::{BootRequest, Decision, Known, KnownMachine, KnownSubnet, decide},
        firmware::Client,
        machine::Machine,
    },
    service::journal::Actor,
};
use pilotlight_types::resource::{Name, SubnetMode, Unknown};
use serde_json::{Value, json};
use std::{net::IpAddr, sync::Arc};

/// A question, answered.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The question.
    pub request: BootRequest,
    /// The machine, where it is in the inventory.
    pub machine: Option<Arc<Machine>>,
    /// The subnet that the question came from.
    pub subnet: Option<Name>,
    /// What was known.
    pub known: Known,
    /// The answer.
    pub decision: Decision,
    /// What the machine is served, once that is fixed.
    pub pinned: Option<Pinned>,
}

impl Asked {
    /// What is kept of it with the boot; what a boot was promised `before` goes on.
    pub(super) fn record(&self, before: Option<&Value>) -> Value {
        let Self { request, known, decision, pinned, .. } = self;
        let mut record = json!({"request": request, "known": known, "decision": decision});
        let pinned = pinned.as_ref().and_then(|pinned| serde_json::to_value(pinned).ok());
        let before = || before.and_then(|before| before.get("pinned")).cloned();
        if let (Some(map), Some(pinned)) = (record.as_object_mut(), pinned.or_else(before)) {
            map.insert("pinned".into(), pinned);
        }
        record
    }
}

impl Boots {
    /// What a machine that asks gets. Machines that nobody declared are recorded when they ask to boot.
    pub async fn ask(&self, request: BootRequest, from: impl Into<IpAddr>) -> Asked {
        let from = from.into();
        let asked = self.answer(request, from);
        if let (Some(machine), Some(known)) = (&asked.machine, &asked.known.machine) {
            self.tell_conflicts(machine, &known.conflicts);
        }
        let boots =
            matches!(asked.request.firmware.client, Client::Pxe | Client::HttpBoot | Client::Ipxe { .. });
        let served = asked
            .known
            .subnet
            .as_ref()
            .filter(|subnet| matches!(subnet.mode, SubnetMode::Authoritative | SubnetMode::Proxy));
        let (None, Some(subnet), true) = (&asked.machine, served, boots) else { return asked };
        let accept = subnet.unknown == Unknown::Accept;
        match self.machines.discover(asked.request.says(), accept).await {
            Ok(_) if accept => {
                if let Err(error) = self.machines.arm_ready(&Actor::daemon()).await {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "could not arm an accepted machine"
                    );
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(machine.mac = %asked.request.mac, error = &error as &dyn std::error::Error, "an unknown machine was not recorded");
            }
        }
        self.answer(asked.request, from)
    }

    /// What a machine that asks would get; records nothing.
    pub fn answer(&self, mut request: BootRequest, from: impl Into<IpAddr>) -> Asked {
        let from = from.into();
        if request.firmware.code.is_none()
            && let Some(before) = self.firmware.of(request.mac)
        {
            (request.firmware.arch, request.firmware.code) = (before.arch, before.code);
        }
        self.roster.read(|inventory| {
            let found = inventory.who(request.says());
            let machine = found.as_ref().map(|found| found.machine.clone());
            let subnet = inventory.subnet_of(from);
            let armed = machine.as_ref().and_then(|machine| machine.stage.armed()).and_then(|armed| {
                let assigned = inventory.revision(armed)?;
                let group = inventory
                    .assigned(machine.as_ref()?)
                    .and_then(|now| (now.revision.profile == armed.profile).then_some(now.group).flatten());
                Some(crate::domain::boot::Assigned { group, ..assigned })
            });
            let known = Known {
                machine: found.map(|found| KnownMachine {
                    name: found.machine.name.clone(),
                    stage: found.machine.stage.clone(),
                    hold: found.machine.hold.as_ref().map(|hold| hold.reason.clone()),
                    found: found.by,
                    conflicts: found.conflicts,
                }),
                subnet: subnet.map(|(name, declared)| KnownSubnet {
                    name: name.clone(),
                    mode: declared.spec.mode,
                    addresses: declared.spec.gives_addresses(),
                    unknown: declared.spec.unknown,
                }),
                armed,
                discovery: inventory.discovery(),
                firmware: self.firmware.choose(
                    inventory,
                    &request,
                    machine.as_deref(),
                    subnet.map(|(_, declared)| &*declared.spec),
                ),
            };
            let decision = decide(&request, &known);
            let subnet = subnet.map(|(name, _)| name.clone());
            Asked { subnet, request, machine, known, decision, pinned: None }
        })
    }
}
