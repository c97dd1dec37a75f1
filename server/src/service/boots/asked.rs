//! The question what a machine gets, put to the rules with what is known.
use super::Boots;
use crate::{
    domain::{
        attempt::Pinned,
        boot::{BootRequest, Decision, Known, KnownMachine, KnownSubnet, decide},
        firmware::Client,
        inventory::Inventory,
        machine::Machine,
    },
    service::journal::Actor,
};
use pilotlight_types::{
    api::{Boot, DecisionRecord},
    resource::{Name, SubnetMode, Unknown},
};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, sync::Arc};
use uuid::Uuid;

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
    pub(super) fn made(&self, before: Option<&Boot>) -> DecisionRecord {
        #[derive(Serialize)]
        struct Record<'a> {
            request: &'a BootRequest,
            known: &'a Known,
            decision: &'a Decision,
            #[serde(skip_serializing_if = "Option::is_none")]
            pinned: Option<Pinned>,
        }
        let Self { request, known, decision, pinned, .. } = self;
        let pinned = pinned.clone().or_else(|| Pinned::of(before?));
        let record = Record { request, known, decision, pinned };
        DecisionRecord::of(&record).unwrap_or_default()
    }
}

/// What a machine said of itself in a boot that JSON tells of.
#[derive(Debug, Default, Deserialize)]
pub struct Said {
    /// Its UUID.
    pub uuid: Option<Uuid>,
    /// Its serial number.
    pub serial: Option<String>,
}

impl Said {
    /// What was said in this boot.
    pub fn of(boot: &Boot) -> Self {
        #[derive(Deserialize)]
        struct Made {
            request: Said,
        }
        boot.decision.read::<Made>().map(|made| made.request).unwrap_or_default()
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
    pub fn answer(&self, request: BootRequest, from: impl Into<IpAddr>) -> Asked {
        let from = from.into();
        self.roster.read(|inventory| self.answer_in(inventory, request, from))
    }

    /// The same, were this the inventory.
    pub fn answer_in(&self, inventory: &Inventory, mut request: BootRequest, from: IpAddr) -> Asked {
        if request.firmware.code.is_none()
            && let Some(before) = self.firmware.of(request.mac)
        {
            (request.firmware.arch, request.firmware.code) = (before.arch, before.code);
        }
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
    }
}
