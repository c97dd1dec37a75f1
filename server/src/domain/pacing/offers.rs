//! Offers: how many machines may be on their way from an address to their script at once. Firmware that gets no answer asks
//! again after 4, 8 and 16 seconds, and gives up after the fourth time: it is kept waiting for its second or third question.
use super::{Limits, TIDY};
use pilotlight_types::{MachineId, Timestamp};
use std::{collections::HashMap, time::Duration};

/// A boot program: what is fetched between the offer and the script.
const PROGRAM: u64 = 256 << 10;

/// The boot programs under way are what the link sends in so many seconds. More would be lost in the buffers of switches; fewer
/// would put boot programs off until the link is full of images, which TFTP bears worst.
const HORIZON: u64 = 2;

/// As many are always answered.
const LEAST: usize = 16;

/// How long a machine takes from its offer to its script at the most; then its place is another's.
const ON_ITS_WAY: Duration = Duration::from_secs(30);

/// A machine is answered when it has waited for so long: EDK2 asks at 0, 4, 12 and 28 seconds, and gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A machine is answered when it has asked in vain so often: there is firmware that asks only three times.
const MOST_HELD: u32 = 2;

/// A machine that asks again after so long has started again.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Who is on its way to its script, and who waits for an offer.
#[derive(Debug, Clone, Default)]
pub struct Offers {
    given: HashMap<MachineId, Timestamp>,
    held: HashMap<MachineId, Held>,
    tidied: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    since: Timestamp,
    times: u32,
}

impl Offers {
    /// Whether firmware that asks for an address gets its offer now.
    pub fn ask(&mut self, machine: MachineId, limits: Limits, now: Timestamp) -> bool {
        self.tidy(now);
        let most = usize::try_from(limits.rate.saturating_mul(HORIZON) / PROGRAM).unwrap_or(usize::MAX);
        let room = self.given.contains_key(&machine) || self.given.len() < most.max(LEAST);
        let held = self.held.entry(machine).or_insert(Held { since: now, times: 0 });
        if !room && held.times < MOST_HELD && now.since(held.since) < PATIENCE {
            held.times += 1;
            return false;
        }
        self.held.remove(&machine);
        self.given.insert(machine, now);
        true
    }

    /// A machine has come for its script.
    pub fn arrived(&mut self, machine: MachineId) {
        self.given.remove(&machine);
    }

    /// Whether anybody fetches a boot program, or waits to do so.
    pub fn goes_on(&self, now: Timestamp) -> bool {
        self.given.values().any(|given| now.since(*given) < ON_ITS_WAY) || self.held(now) > 0
    }

    /// How many wait for an offer.
    pub fn held(&self, now: Timestamp) -> usize {
        self.held.values().filter(|held| now.since(held.since) < FORGOTTEN).count()
    }

    fn tidy(&mut self, now: Timestamp) {
        if now.since(self.tidied) < TIDY {
            return;
        }
        self.tidied = now;
        self.given.retain(|_, given| now.since(*given) < ON_ITS_WAY);
        self.held.retain(|_, held| now.since(held.since) < FORGOTTEN);
    }
}
