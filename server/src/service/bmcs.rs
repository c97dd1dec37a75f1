//! Talking with BMCs: each has a queue. One thing is asked at a time, with a pause after it; a session is used again and given back; what
//! fails in passing is tried again; and a BMC that fails again and again is left alone for a while, for many hang when they are flooded.
mod health;
mod lane;

pub use self::health::Counts;
use self::lane::Lane;
use super::{
    journal::{Actor, Journal},
    machines,
    roster::Roster,
    secrets::Secrets,
};
use crate::{
    bmc::{Bmc, BmcError},
    domain::{
        machine::Machine,
        profile::{Context, MachineContext, place},
    },
    secret::{
        Secret,
        source::{Reason, Unavailable},
    },
};
use futures_util::future::BoxFuture;
use pilotlight_types::{
    api::{BmcFailure, Breaker},
    resource::{BmcSpec, Name},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{self, Instant};

/// Talks with BMCs.
#[derive(Debug, Clone)]
pub struct Bmcs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    secrets: Secrets,
    roster: Roster,
    journal: Journal,
    site: String,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    counts: Mutex<Counts>,
}

/// What is asked of a BMC; it may be asked again, where it failed in passing.
pub trait Job<T>: for<'a> FnMut(&'a mut Bmc) -> BoxFuture<'a, Result<T, BmcError>> + Send {}
impl<T, F: for<'a> FnMut(&'a mut Bmc) -> BoxFuture<'a, Result<T, BmcError>> + Send> Job<T> for F {}

/// How often something is tried at once.
const TRIES: u32 = 3;
/// The pause before it is tried again, which doubles.
const BACKOFF: Duration = Duration::from_millis(500);
/// The pause after each thing that a BMC was asked.
const SPACING: Duration = Duration::from_millis(200);
/// How long one thing may take, a session's opening included.
const DEADLINE: Duration = Duration::from_secs(120);
/// How long the others before it may take, and how many may wait.
const QUEUE: (Duration, usize) = (Duration::from_secs(60), 16);
/// A session that was not used for so long is given back.
const IDLE: Duration = Duration::from_secs(30);

impl Bmcs {
    /// Talks with the BMCs of the machines of that roster, at a site of that name.
    pub fn new(roster: Roster, journal: Journal, secrets: Secrets, site: String) -> Self {
        let (lanes, counts) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { secrets, roster, journal, site, lanes, counts }))
    }

    /// Asks a machine's BMC for something, when its turn comes.
    pub async fn ask<T>(&self, machine: &Machine, job: impl Job<T>) -> Result<T, BmcError> {
        let spec =
            machine.spec.bmc.clone().ok_or_else(|| BmcError::Unsupported("there is none".to_owned()))?;
        let lane = self.lane(&spec);
        let _place =
            lane.place(QUEUE.1).ok_or_else(|| BmcError::Busy("too many wait for this BMC".to_owned()))?;
        let Ok(mut work) = time::timeout(QUEUE.0, lane.work.lock()).await else {
            return Err(BmcError::Busy(format!("others were before it for {} s", QUEUE.0.as_secs())));
        };
        lane.health().is_of(&spec);
        if let Some(left) = lane.health().closed_for(Instant::now()) {
            return Err(BmcError::Open(left.as_secs().max(1)));
        }
        let begun = Instant::now();
        let done = time::timeout(DEADLINE, self.tried(machine, &spec, &mut work, job)).await;
        let done = done
            .unwrap_or_else(|_| Err(BmcError::Away(format!("it took more than {} s", DEADLINE.as_secs()))));
        if done.as_ref().is_err_and(BmcError::ends_session) {
            work.close().await;
        }
        work.last = Some(Instant::now());
        self.judged(machine, &lane, done.as_ref().err(), begun.elapsed());
        done
    }

    async fn tried<T>(
        &self,
        machine: &Machine,
        spec: &BmcSpec,
        work: &mut lane::Work,
        mut job: impl Job<T>,
    ) -> Result<T, BmcError> {
        let mut tries = 1;
        loop {
            if let Some(last) = work.last {
                time::sleep(SPACING.saturating_sub(last.elapsed())).await;
            }
            let done = match self.session(machine, spec, work).await {
                Ok(bmc) => job(bmc).await,
                Err(error) => Err(error),
            };
            work.last = Some(Instant::now());
            match done {
                Err(error) if error.passes() && tries < TRIES => {
                    tracing::debug!(machine.name = %machine.name, "a BMC is asked again: {error}");
                    if error.ends_session() {
                        work.close().await;
                    }
                    time::sleep(BACKOFF * 2_u32.saturating_pow(tries - 1)).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    /// The session that there is, or a new one, with a password that is read now.
    async fn session<'a>(
        &self,
        machine: &Machine,
        spec: &BmcSpec,
        work: &'a mut lane::Work,
    ) -> Result<&'a mut Bmc, BmcError> {
        if work.session.as_ref().is_some_and(|(of, _)| of != spec) {
            work.close().await;
        }
        let (_, bmc) = match work.session.take() {
            Some(open) => work.session.insert(open),
            None => {
                let password = self.password(machine, spec).await.map_err(BmcError::Secret)?;
                let bmc = Bmc::connect(spec, &password).await?;
                work.session.insert((spec.clone(), bmc))
            }
        };
        Ok(bmc)
    }

    async fn password(&self, machine: &Machine, spec: &BmcSpec) -> Result<Secret<String>, Unavailable> {
        let about = MachineContext::new(machine.name.as_str(), &machine.labels, &machine.spec, "", None);
        let variables = self.0.roster.read(|inventory| inventory.variables(machine));
        let place = place(&spec.password, &Context::new(about, variables, &self.0.site))
            .map_err(|why| Unavailable::new(Reason::Unusable, why))?;
        self.0.secrets.one(&spec.password, &place).await
    }

    /// Writes down how it went.
    fn judged(&self, machine: &Machine, lane: &Lane, error: Option<&BmcError>, took: Duration) {
        let now = self.0.journal.now();
        let protocol = machine.spec.bmc.as_ref().map_or("none", |spec| spec.protocol.name());
        self.counts().count(protocol, error.map_or("ok", BmcError::kind), took);
        let change = lane.health().judge(error, Instant::now(), now);
        let address = machine.spec.bmc.as_ref().map(|spec| spec.address.to_string()).unwrap_or_default();
        let (kind, message) = match change {
            health::Change::None => return,
            health::Change::Opened(pause) => {
                let why = error.map(ToString::to_string).unwrap_or_default();
                let secs = pause.as_secs();
                (
                    "bmc.failing",
                    format!("BMC {address} of {} is left alone for {secs} s: {why}", machine.name),
                )
            }
            health::Change::Closed => {
                ("bmc.recovered", format!("BMC {address} of {} does as it is asked again", machine.name))
            }
        };
        let object = machines::object(&machine.name);
        self.0.journal.later(vec![self.0.journal.event(kind, &object, &Actor::daemon(), None, message)]);
    }

    /// How a machine's BMC does: whether it is left alone, and what failed lately.
    pub fn health(&self, spec: &BmcSpec) -> (Breaker, Vec<BmcFailure>) {
        let lane = self.lane(spec);
        let health = lane.health();
        (health.breaker(Instant::now(), self.0.journal.now()), health.errors())
    }

    /// How BMCs did so far, for who asks for metrics.
    pub fn state(&self) -> (Counts, usize) {
        let now = Instant::now();
        let lanes = self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let open = lanes.values().filter(|lane| lane.health().closed_for(now).is_some()).count();
        (self.counts().clone(), open)
    }

    /// Gives sessions back that nobody uses; all of them, at the end.
    pub async fn tidy(&self, all: bool) {
        let lanes: Vec<Arc<Lane>> =
            self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let idle = lanes.iter().map(|lane| async move {
            // One that is in use is not idle.
            if let Ok(mut work) = lane.work.try_lock()
                && (all || work.last.is_none_or(|last| last.elapsed() >= IDLE))
            {
                work.close().await;
            }
        });
        futures_util::future::join_all(idle).await;
    }

    fn lane(&self, spec: &BmcSpec) -> Arc<Lane> {
        let key = format!("{} {}", spec.protocol.name(), spec.address);
        let mut lanes = self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.entry(key).or_default().clone()
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which machines have a BMC.
    pub(super) fn machines(&self) -> Vec<Arc<Machine>> {
        self.0.roster.read(|inventory| {
            inventory.machines().filter(|machine| machine.spec.bmc.is_some()).cloned().collect()
        })
    }

    /// A machine of that name.
    pub(super) fn named(&self, name: &str) -> Option<Arc<Machine>> {
        let name: Name = name.parse().ok()?;
        self.0.roster.read(|inventory| inventory.machine_named(name.as_str()).cloned())
    }
}
