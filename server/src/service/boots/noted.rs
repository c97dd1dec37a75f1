//! What is noted when a machine asks: in the boot that this belongs to, or in a new one.
use super::{Asked, Boots, Seen};
use crate::{
    clock::random,
    domain::{
        attempt,
        firmware::Client,
        machine::Machine,
        stage::{Event, Stage},
    },
    service::{journal::Actor, machines::object},
    store::Write,
};
use pilotlight_types::{
    BootId, MachineId, Timestamp,
    api::{Boot, DecisionRecord, Outcome, Phase},
};
use std::{net::IpAddr, sync::Arc};

/// What was noted.
#[derive(Debug)]
pub struct Noted {
    /// The boot.
    pub boot: BootId,
    /// What must be durable before the machine is told, unless it was told the same before.
    pub writes: Vec<Write>,
    /// Whether the machine was told exactly this in this boot before, and that is durable.
    pub again: bool,
    machine: MachineId,
    decision: DecisionRecord,
}

impl Boots {
    /// Notes that a machine asked.
    pub async fn note(&self, asked: &Asked, machine: &Machine, address: Option<IpAddr>, seen: Seen) -> Noted {
        let (noted, began) = self.noted(asked, machine, address, seen);
        if let Some(reply) =
            self.firmware.learned(asked.request.mac).filter(|reply| machine.reply != Some(*reply))
            && let Err(error) = self.machines.learn(machine.id, reply).await
        {
            tracing::warn!(machine.id = %machine.id, error = &error as &dyn std::error::Error, "it was not remembered what {}'s firmware takes", machine.name);
        }
        if began && matches!(machine.stage, Stage::Failed { .. }) {
            self.step(machine.id, &Event::BootStarted).await;
        }
        noted
    }

    /// That what was noted is durable: if the machine asks the same again, nobody has to wait.
    pub fn is_durable(&self, noted: &Noted) {
        self.lock().written(noted.machine, noted.decision.clone(), self.journal.now());
    }

    /// The same, and whether a boot began by it.
    fn noted(&self, asked: &Asked, machine: &Machine, address: Option<IpAddr>, seen: Seen) -> (Noted, bool) {
        let now = self.journal.now();
        let ipxe = matches!(asked.request.firmware.client, Client::Ipxe { .. });
        let mut newest = self.lock();
        let current = newest.of.get(&machine.id);
        let goes_on = current.filter(|boot| attempt::goes_on(boot, seen.phase, ipxe));
        let decision = asked.made(goes_on.map(|boot| &**boot));
        if let Some(boot) = goes_on
            && (address.is_none() || boot.address == address)
            && newest.is_written(machine.id, &boot.decision)
            && boot.decision == decision
            && attempt::is_more_of(boot, &seen.record(now))
        {
            let (boot, decision) = (boot.id, boot.decision.clone());
            let writes = newest.more(machine.id, seen.record(now)).map(|row| Write::Boot(Box::new(row)));
            let writes = writes.into_iter().collect();
            return (Noted { boot, writes, again: true, machine: machine.id, decision }, false);
        }
        let mut writes = Vec::new();
        let (mut boot, began) = match (goes_on, current) {
            (Some(boot), _) => (boot.clone(), false),
            (None, before) => {
                if let Some(open) = before.filter(|boot| boot.ended.is_none()) {
                    writes.extend(self.ended(machine, restarted(open, now)));
                }
                let (boot, told) = self.begun(asked, machine, before.map(|boot| boot.started), now);
                writes.push(told);
                (boot, true)
            }
        };
        let noted = Arc::make_mut(&mut boot);
        noted.address = address.or(noted.address);
        if noted.decision != decision {
            noted.decision = decision;
        }
        // The row comes first, for events name the boot; what it reached comes after its beginning.
        let mut row = self.advance(machine, &mut boot, seen, now);
        let reached = row.split_off(1);
        writes.splice(0..0, row);
        writes.extend(reached);
        let (id, decision) = (boot.id, boot.decision.clone());
        newest.put(machine.id, boot);
        (Noted { boot: id, writes, again: false, machine: machine.id, decision }, began)
    }

    fn begun(
        &self,
        asked: &Asked,
        machine: &Machine,
        before: Option<Timestamp>,
        now: Timestamp,
    ) -> (Arc<Boot>, Write) {
        let (id, mac) = (BootId::new(now, random()), asked.request.mac);
        let message = format!("{} boots from {mac} ({})", machine.name, asked.decision.plan);
        let object = object(&machine.name);
        let told = self.journal.event("boot.started", &object, &Actor::machine(), Some(id), message);
        let mut boot = attempt::new(id, &machine.name, mac, now);
        // Of a machine that started by itself its BMC tells nothing: then it was switched on for an earlier boot.
        boot.powered = machine.power.switched_on().filter(|on| before.is_none_or(|before| *on > before));
        (Arc::new(boot), told)
    }
}

fn restarted(boot: &Boot, now: Timestamp) -> Arc<Boot> {
    let during = boot.furthest().unwrap_or(Phase::Dhcp);
    Arc::new(Boot { outcome: Some(Outcome::Restarted { during }), ended: Some(now), ..boot.clone() })
}
