//! Why: what a machine gets now, in words, with everything that led there.
mod packets;
mod steps;

pub use packets::{BadPacket, ExplainPackets, Packets, content, subnet};

use super::{
    boots::{Asked, Boots, Said},
    delivery::{Delivery, Provenance},
    roster::Roster,
};
use crate::domain::{
    boot::{BootRequest, Plan},
    firmware::{Identity, classify},
    identity::Says,
};
use pilotlight_types::{Mac, api::Explanation};
use serde_json::json;
use std::net::IpAddr;
use uuid::Uuid;

/// Stands for the MAC of a machine that none is known of: no interface has it.
const NO_MAC: Mac = Mac::new([0; 6]);

/// Explains.
#[derive(Debug, Clone)]
pub struct Explain {
    boots: Boots,
    delivery: Delivery,
    roster: Roster,
    packets: Option<Packets>,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// There is no such machine.
    #[error("there is no machine {0}")]
    NotFound(String),
    /// There is no subnet to ask from.
    #[error("there is no subnet: nobody gets anything; apply one (kind: Subnet)")]
    NoSubnet,
}

impl Explain {
    /// Explains.
    pub const fn new(boots: Boots, delivery: Delivery, roster: Roster) -> Self {
        Self { boots, delivery, roster, packets: None }
    }

    /// The same, that says what these would answer as well.
    pub fn asking(self, packets: Packets) -> Self {
        Self { packets: Some(packets), ..self }
    }

    /// What a machine gets now.
    pub fn machine(&self, name: &str, local: IpAddr) -> Result<Explanation, ExplainError> {
        let machine = self
            .roster
            .read(|inventory| inventory.machine_named(name).cloned())
            .ok_or_else(|| ExplainError::NotFound(name.chars().take(80).collect()))?;
        let boot = self.boots.of(machine.id);
        let last = boot.as_ref().and_then(|boot| boot.address).or(machine.spec.ip.map(IpAddr::V4));
        // It says what it said last, unless that would be another machine's by now.
        let Said { uuid, serial } = boot.as_deref().map(Said::of).unwrap_or_default();
        let said = boot.as_ref().map(|boot| Says { mac: boot.mac, uuid, serial: serial.as_deref() });
        let is_it = |says: &Says<'_>| {
            self.roster
                .read(|inventory| inventory.who(*says).is_some_and(|found| found.machine.id == machine.id))
        };
        if let Some(says) = said.filter(is_it) {
            return self.explain(says, last, local);
        }
        let declared = (machine.spec.uuid, machine.spec.serial.as_deref());
        self.of(machine.macs().next(), declared, last, local)
    }

    /// What a machine that says this of itself gets now, whether it is declared or not: a MAC, a UUID, a serial number.
    pub fn whoever(
        &self,
        mac: Option<Mac>,
        others: (Option<Uuid>, Option<&str>),
        local: IpAddr,
    ) -> Result<Explanation, ExplainError> {
        self.of(mac, others, None, local)
    }

    fn of(
        &self,
        mac: Option<Mac>,
        (uuid, serial): (Option<Uuid>, Option<&str>),
        from: Option<IpAddr>,
        local: IpAddr,
    ) -> Result<Explanation, ExplainError> {
        let says = Says { mac: mac.unwrap_or(NO_MAC), uuid, serial };
        let mut explanation = self.explain(says, from, local)?;
        if mac.is_none() {
            explanation.because.insert(0, format!("no MAC of it is known: {NO_MAC} stands for it"));
        }
        Ok(explanation)
    }

    fn explain(
        &self,
        says: Says<'_>,
        from: Option<IpAddr>,
        local: IpAddr,
    ) -> Result<Explanation, ExplainError> {
        let Says { mac, uuid, serial } = says;
        let first = || {
            self.roster
                .read(|i| i.subnets.values().next().map(|subnet| IpAddr::V4(subnet.spec.cidr.network())))
        };
        let from = from.or_else(first).ok_or(ExplainError::NoSubnet)?;
        // What was heard of it lately, else a PC with UEFI.
        let arch = self.boots.firmware().of(mac).and_then(|firmware| firmware.code).unwrap_or(7);
        let class = format!("PXEClient:Arch:{arch:05}:UNDI:003000");
        let ask = |ipxe: bool| {
            let identity = Identity {
                vendor_class: Some(&class),
                user_class: ipxe.then_some(b"iPXE".as_slice()),
                archs: &[arch],
                ipxe_options: ipxe.then_some([0x13, 1, 1].as_slice()),
                dhcp6: false,
            };
            // No DHCP packet has a serial number.
            let serial = serial.filter(|_| ipxe).map(str::to_owned);
            self.boots.answer(BootRequest { mac, uuid, serial, firmware: classify(&identity) }, from)
        };
        let (firmware, asked) = (ask(false), ask(true));
        let name = asked.machine.as_ref().map(|machine| machine.name.to_string());
        let mut because = because(&firmware, &asked);
        let newest = asked.machine.as_ref().and_then(|machine| self.boots.of(machine.id));
        because.extend(
            newest
                .and_then(|boot| self.delivery.waits(boot.id))
                .map(|why| format!("its config waits: {why}")),
        );
        let made = match self.delivery.preview_config(&asked, local) {
            Some(Ok(preview)) => Some(preview),
            Some(Err(why)) => {
                because.push(format!("it has no config: {why}"));
                None
            }
            None => None,
        };
        let secrets = made.as_ref().map(|preview| preview.secrets.clone()).unwrap_or_default();
        let refused = secrets.iter().filter_map(|secret| Some((secret, secret.refused.as_ref()?)));
        because.extend(refused.map(|(secret, why)| {
            format!("secret `{}` of {} cannot be had: {why}", secret.name, secret.from)
        }));
        let dhcp = self.steps(&firmware, &asked, local);
        let kernel_args = self.delivery.kernel_arguments(&asked, local);
        let ignition_bytes = made.as_ref().map(|preview| preview.bytes);
        let (ignition, parts) = made.map(|preview| (preview.config, preview.parts)).unzip();
        let Provenance { values: provenance, version: ignition_version } = parts.unwrap_or_default();
        Ok(Explanation {
            answer: asked.decision.plan.to_string(),
            because,
            decision: json!({"request": asked.request, "known": asked.known, "decision": asked.decision}),
            script: (!matches!(asked.decision.plan, Plan::Nothing { .. }))
                .then(|| self.delivery.preview(&asked, name.as_deref().unwrap_or(&mac.to_string()), local)),
            ignition,
            secrets,
            machine: name,
            dhcp,
            kernel_args,
            provenance,
            ignition_version,
            ignition_bytes,
        })
    }
}

/// Both steps: what UEFI firmware gets first, then what iPXE gets.
fn because(firmware: &Asked, ipxe: &Asked) -> Vec<String> {
    let mut lines = firmware.decision.because.clone();
    lines.extend(
        ipxe.decision.because.iter().filter(|line| !firmware.decision.because.contains(line)).cloned(),
    );
    lines
}
