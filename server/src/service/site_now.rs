//! How it goes at the site, in numbers: who boots, and what the links carry.
use super::{boots::Boots, journal::Journal, roster::Roster};
use crate::domain::attempt::last_sign;
use pilotlight_types::{
    api::{Site, SubnetPace},
    resource::{Duration, Name, SubnetSpec},
};
use std::sync::Arc;

/// A boot that began so lately is counted.
const LATELY: std::time::Duration = std::time::Duration::from_secs(3600);

/// Counts what there is.
#[derive(Debug, Clone)]
pub struct SiteNow {
    /// The site's name.
    pub name: String,
    /// How long a boot may be silent.
    pub patience: Duration,
    /// Subnets.
    pub roster: Roster,
    /// Boots.
    pub boots: Boots,
    /// The time.
    pub journal: Journal,
}

impl SiteNow {
    /// The numbers, as they are now.
    pub fn look(&self) -> Site {
        let now = self.journal.now();
        let open = self.boots.open();
        let late = self.patience.std() / 2;
        let overdue = open.iter().filter(|boot| now.since(last_sign(boot)) > late).count();
        let subnets: Vec<(Name, Arc<SubnetSpec>)> = self.roster.read(|inventory| {
            inventory.subnets.iter().map(|(name, subnet)| (name.clone(), subnet.spec.clone())).collect()
        });
        let mut paced = self.boots.pacing().shown(now);
        let subnets = subnets.into_iter().map(|(name, spec)| {
            let at = paced.iter().position(|paced| paced.subnet == name);
            let paced = at.map(|at| paced.swap_remove(at));
            let count = |of: fn(&super::pacing::Paced) -> usize| paced.as_ref().map_or(0, |p| of(p) as u64);
            SubnetPace {
                mode: spec.mode,
                link: self.boots.pacing().link(&name),
                most: spec.concurrent_boots.map(std::num::NonZeroU32::get),
                loading: count(|paced| paced.loading),
                waiting: count(|paced| paced.waiting),
                offers_held: count(|paced| paced.held),
                rate: paced.as_ref().map_or(0, |paced| paced.rate),
                name,
            }
        });
        Site {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at: now,
            patience: self.patience,
            booting: open.len() as u64,
            overdue: overdue as u64,
            booted: self.boots.begun_lately(now, LATELY) as u64,
            subnets: subnets.collect(),
        }
    }
}
