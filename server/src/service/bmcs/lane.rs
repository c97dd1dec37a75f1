//! The queue of one BMC.
use super::health::Health;
use crate::bmc::Bmc;
use pilotlight_types::resource::BmcSpec;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{self, Instant};

/// How long it may take to give a session back to a BMC that may be gone.
const CLOSING: Duration = Duration::from_secs(8);

/// The queue of one BMC, and how that does.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) work: tokio::sync::Mutex<Work>,
    health: Mutex<Health>,
    waiting: Arc<AtomicUsize>,
}

/// What whoever's turn it is has.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) session: Option<(BmcSpec, Bmc)>,
    /// When something was asked last.
    pub(super) last: Option<Instant>,
}

/// A place in the queue.
pub(super) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    /// A place in the queue, if there is one.
    pub(super) fn place(&self, most: usize) -> Option<Place> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.waiting.clone());
        (before < most).then_some(place)
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    /// Gives the session back, if there is one.
    pub(super) async fn close(&mut self) {
        if let Some((spec, bmc)) = self.session.take()
            && time::timeout(CLOSING, bmc.close()).await.is_err()
        {
            tracing::debug!("BMC {} did not take its session back", spec.address);
        }
    }
}
