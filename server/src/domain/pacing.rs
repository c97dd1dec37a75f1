//! Pacing: when a whole hall powers on, who may load its image now, and who waits. The link is the limit: so many machines load
//! at once as it can serve in a minute, in the order in which they asked; the rest are told when to ask again.
use pilotlight_types::{MachineId, Timestamp};
use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    time::Duration,
};

mod offers;

pub use offers::Offers;

/// What is handed out at once is what the link sends in this time. It is long beside a kernel's start, when its machine loads
/// nothing and the others must keep the link busy, and short beside the patience of anything that loads.
const HORIZON: Duration = Duration::from_secs(60);

/// As many may always load, however large their images are: one machine seldom fills a link.
const LEAST: usize = 4;

/// The least share of a machine that loads, in bytes a second. With less, each connection has some packets under way and no more:
/// TCP loses them by the percent in the buffer of any switch, and with them the boot programs of machines that come later.
const SHARE: u64 = 650_000;

/// A machine whose kernel starts loads nothing for some seconds, and then its root file system: so much of a share is kept for it.
/// With none, a whole batch comes back at once; with all of it, small images leave the link idle. While boot programs are on the
/// link it keeps all of it: when batches come back together, TFTP bears it worst.
const KERNEL_SHARE: Share = Share(1);
const WHOLE_SHARE: Share = Share(4);

/// A machine of which nothing is seen for so long while it loads has vanished. A kernel that starts says nothing for up to a minute.
const SILENCE: Duration = Duration::from_secs(120);

/// A machine that waits and has not asked for so long is not there: others may go first, and it keeps its place.
const ABSENT: Duration = Duration::from_secs(40);

/// How long a place is kept for a machine that is not there. A server that starts over is back in some minutes.
const KEPT: Duration = Duration::from_secs(900);

/// The longest and the shortest time until a waiting machine asks again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// How often places that nobody needs are cleared away.
const TIDY: Duration = Duration::from_secs(1);

/// What a subnet's link bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in a second.
    pub rate: u64,
    /// How many may load at once, where an operator says so.
    pub boots: Option<NonZeroU32>,
    /// Whether boot programs are on the link too.
    pub programs: bool,
}

/// The answer to a machine that wants to load its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Now {
        /// How long it has waited.
        waited: Duration,
    },
    /// It waits.
    Wait {
        /// How many are before it, apart from those that load.
        before: usize,
        /// When it should ask again.
        pause: Duration,
        /// Whether it has just begun to wait.
        new: bool,
    },
}

/// One network: who loads, and who waits.
#[derive(Debug, Clone, Default)]
pub struct Segment {
    /// By the time of the first question: the order in which they are served.
    waiting: BTreeMap<(Timestamp, MachineId), Place>,
    loading: HashMap<MachineId, Place>,
    /// What those that load have still to load.
    out: Out,
    since: HashMap<MachineId, Timestamp>,
    tidied: Timestamp,
}

/// A machine's place.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Bytes that it has still to load.
    left: u64,
    share: Share,
    last: Timestamp,
}

/// How much of a link's shares a machine takes, in quarters.
#[derive(Debug, Clone, Copy)]
struct Share(usize);

/// How many load, and how many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// They load.
    pub loading: usize,
    /// They wait, and ask now and then.
    pub waiting: usize,
}

/// What is handed out.
#[derive(Debug, Clone, Copy, Default)]
struct Out {
    boots: usize,
    quarters: usize,
    left: u128,
}

impl Segment {
    /// A machine asks to load so many bytes.
    pub fn ask(&mut self, machine: MachineId, bytes: u64, limits: Limits, now: Timestamp) -> Turn {
        self.tidy(now);
        let new = !self.since.contains_key(&machine);
        let since = *self.since.entry(machine).or_insert(now);
        let place = Place { left: bytes, share: WHOLE_SHARE, last: now };
        if self.loading.contains_key(&machine) {
            // It lost its script, or its files, and comes again.
            self.load(machine, place);
            return Turn::Now { waited: Duration::ZERO };
        }
        let mut out = self.out;
        let (mut ahead, mut ahead_bytes, mut room) = (0, 0_u64, true);
        let waiting = self.waiting.range(..(since, machine));
        for (_, place) in waiting.filter(|(_, place)| present(place, now)) {
            ahead += 1;
            ahead_bytes = ahead_bytes.saturating_add(place.left);
            room = room && out.take(place.left, limits);
        }
        if room && out.take(bytes, limits) {
            self.waiting.remove(&(since, machine));
            self.load(machine, place);
            return Turn::Now { waited: now.since(since) };
        }
        self.waiting.insert((since, machine), place);
        // Half of the time that those before it take: it is there before its turn, and seldom asks in vain.
        let micros = u128::from(ahead_bytes.saturating_add(bytes)) * 500_000 / u128::from(limits.rate.max(1));
        let pause = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        Turn::Wait { before: ahead, pause: pause.clamp(PAUSES.0, PAUSES.1), new }
    }

    /// A machine has loaded some of its bytes, or was heard of while it loads, or its kernel starts.
    pub fn loaded(&mut self, machine: MachineId, bytes: u64, kernel_starts: bool, now: Timestamp) {
        if let Some(Place { left, .. }) = self.loading.get(&machine).copied() {
            let share = if kernel_starts { KERNEL_SHARE } else { WHOLE_SHARE };
            self.load(machine, Place { left: left.saturating_sub(bytes), share, last: now });
        }
    }

    /// A machine has all that it needs, or will not come for it.
    pub fn done(&mut self, machine: MachineId) {
        if let Some(since) = self.since.remove(&machine) {
            self.waiting.remove(&(since, machine));
            self.unload(machine);
        }
    }

    /// Puts a machine where it was before the daemon was started again.
    pub fn restore(&mut self, machine: MachineId, since: Timestamp, loads: Option<u64>, last: Timestamp) {
        self.done(machine);
        self.since.insert(machine, since);
        match loads {
            Some(left) => self.load(machine, Place { left, share: WHOLE_SHARE, last }),
            None => drop(self.waiting.insert((since, machine), Place { left: 0, share: WHOLE_SHARE, last })),
        }
    }

    /// How many load, and how many wait.
    pub fn counts(&self, now: Timestamp) -> Counts {
        let loading = self.loading.values().filter(|place| is_loading(place, now)).count();
        let waiting = self.waiting.values().filter(|place| present(place, now)).count();
        Counts { loading, waiting }
    }

    /// A machine loads, and this is what it has still to load.
    fn load(&mut self, machine: MachineId, place: Place) {
        self.unload(machine);
        self.out.boots += 1;
        self.out.quarters += place.share.0;
        self.out.left += u128::from(place.left);
        self.loading.insert(machine, place);
    }

    fn unload(&mut self, machine: MachineId) -> Option<Place> {
        let place = self.loading.remove(&machine)?;
        self.out.boots -= 1;
        self.out.quarters -= place.share.0;
        self.out.left -= u128::from(place.left);
        Some(place)
    }

    /// Those that vanished while they loaded go back to their place; places that were kept for long enough are cleared away.
    fn tidy(&mut self, now: Timestamp) {
        if now.since(self.tidied) < TIDY {
            return;
        }
        self.tidied = now;
        let vanished = self.loading.iter().filter(|(_, place)| !is_loading(place, now));
        for machine in vanished.map(|(machine, _)| *machine).collect::<Vec<_>>() {
            if let (Some(place), Some(since)) = (self.unload(machine), self.since.get(&machine)) {
                self.waiting.insert((*since, machine), place);
            }
        }
        let since = &mut self.since;
        self.waiting.retain(|(_, machine), place| {
            let kept = now.since(place.last) < KEPT;
            if !kept {
                since.remove(machine);
            }
            kept
        });
    }
}

impl Out {
    /// Hands out so many bytes to one more, if there is room.
    fn take(&mut self, bytes: u64, limits: Limits) -> bool {
        let left = self.left + u128::from(bytes);
        let room = match limits.boots {
            Some(most) => self.boots < usize::try_from(most.get()).unwrap_or(usize::MAX),
            None => {
                let shares = usize::try_from(limits.rate / SHARE).unwrap_or(usize::MAX);
                let fair = shares.saturating_mul(WHOLE_SHARE.0);
                let taken = if limits.programs { self.boots * WHOLE_SHARE.0 } else { self.quarters };
                let served = left <= u128::from(limits.rate) * u128::from(HORIZON.as_secs());
                self.boots < LEAST || (served && taken + WHOLE_SHARE.0 <= fair)
            }
        };
        if room {
            *self = Self { boots: self.boots + 1, quarters: self.quarters + WHOLE_SHARE.0, left };
        }
        room
    }
}

fn is_loading(place: &Place, now: Timestamp) -> bool {
    now.since(place.last) < SILENCE
}

fn present(place: &Place, now: Timestamp) -> bool {
    now.since(place.last) < ABSENT
}

#[cfg(test)]
mod tests;
