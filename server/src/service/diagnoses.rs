//! Diagnoses: gathers what is known of a machine that does not get on, and of others beside it, for [`diagnose`].
use super::{boots::Boots, console::Console, journal::Journal, roster::Roster, sightings::Sightings};
use crate::domain::{
    diagnosis::{Case, Segment, diagnose},
    machine::Machine,
    stage::Stage,
};
use pilotlight_types::{
    api::{Boot, Diagnosis, Phase},
    resource::Name,
};
use serde::Deserialize;
use std::{net::IpAddr, time::Duration};

/// Finds out why machines do not get on.
#[derive(Debug, Clone)]
pub struct Diagnoses {
    roster: Roster,
    boots: Boots,
    console: Console,
    sightings: Sightings,
    journal: Journal,
}

/// What others did so lately says something.
const LATELY: Duration = Duration::from_secs(3600);

/// How many of a machine's last lines are looked at.
const LINES: i64 = 40;

/// How others of a network do.
#[derive(Debug, Default, Clone, Copy)]
struct Others {
    tried: usize,
    further: usize,
    silent: usize,
}

impl Diagnoses {
    /// Finds it out by these.
    pub const fn new(
        roster: Roster,
        boots: Boots,
        console: Console,
        sightings: Sightings,
        journal: Journal,
    ) -> Self {
        Self { roster, boots, console, sightings, journal }
    }

    /// Why a machine does not get on in this boot; or, without one, why no packet came since it was switched on.
    pub async fn of(&self, machine: &Machine, boot: Option<&Boot>) -> Diagnosis {
        // Without what it said, there is a diagnosis all the same.
        let console = match boot {
            Some(boot) => self.console.end(boot.id, LINES).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let before = self.boots.of(machine.id);
        let network = boot.or(before.as_deref()).and_then(|boot| self.network(boot));
        let others = network.as_ref().map(|name| self.others(name, machine, boot)).unwrap_or_default();
        let mode = network.as_ref().and_then(|name| {
            self.roster.read(|inventory| inventory.subnets.get(name).map(|subnet| subnet.spec.mode))
        });
        let foreign = network.as_ref().and_then(|name| {
            self.sightings
                .foreign()
                .into_iter()
                .find(|(subnet, ..)| subnet == name)
                .map(|(_, server, _)| server)
        });
        let Others { tried, further, silent } = others;
        let segment = network.as_ref().zip(mode).map(|(name, mode)| Segment {
            name: name.as_str(),
            mode,
            tried,
            further,
            silent,
            foreign,
        });
        let failed = machine.power.result.as_ref().filter(|result| result.action.boots());
        let failed = failed.and_then(|result| result.failed.as_deref());
        diagnose(&Case {
            machine: machine.name.as_str(),
            boot,
            console: &console,
            on: machine.power.on,
            forgot: machine.power.forgot,
            power_failed: failed,
            segment,
            memory: machine.facts.as_ref().and_then(|reported| reported.facts.memory.usable_bytes),
        })
    }

    /// The network that a boot was on.
    fn network(&self, boot: &Boot) -> Option<Name> {
        #[derive(Deserialize)]
        struct Made {
            known: Known,
        }
        #[derive(Deserialize)]
        struct Known {
            subnet: Option<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            name: Name,
        }
        let at = |address: IpAddr| {
            self.roster.read(|inventory| inventory.subnet_of(address).map(|(name, _)| name.clone()))
        };
        let decided = || boot.decision.read::<Made>()?.known.subnet.map(|subnet| subnet.name);
        boot.address.and_then(at).or_else(decided)
    }

    /// How the others of a network do, beside a boot that came so far.
    fn others(&self, network: &Name, machine: &Machine, boot: Option<&Boot>) -> Others {
        let now = self.journal.now();
        let newest = self.boots.all();
        let mut others = Others::default();
        self.roster.read(|inventory| {
            for (id, other) in newest.iter().filter(|(id, _)| *id != machine.id) {
                let there = other.address.and_then(|address| inventory.subnet_of(address));
                if there.is_none_or(|(name, _)| name != network) {
                    continue;
                }
                if now.since(other.started) < LATELY {
                    others.tried += 1;
                    others.further += usize::from(boot.is_none_or(|boot| is_further(other, boot)));
                }
                others.silent += usize::from(inventory.machine(*id).is_some_and(|other_machine| {
                    let on = other_machine.power.switched_on().filter(|on| now.since(*on) < LATELY);
                    let asked = matches!(other_machine.stage, Stage::Provisioning(_) | Stage::Failed { .. });
                    asked && on.is_some_and(|on| on > other.started)
                }));
            }
        });
        others
    }
}

/// Whether a boot came further than another one did.
fn is_further(other: &Boot, than: &Boot) -> bool {
    let bound = |boot: &Boot| boot.phase(Phase::Dhcp).is_some_and(|dhcp| dhcp.ended.is_some());
    other.furthest() > than.furthest() || bound(other) && !bound(than)
}
