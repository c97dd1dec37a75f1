//! Reconcilers: they take no input, look at what is, and do what is missing. Each may run at any time.
mod ladder;
mod power;
mod stalls;
mod waiting;

pub use ladder::Ladder;
pub use power::Power;
pub use stalls::Stalls;
pub use waiting::Waiting;

use crate::{
    errors,
    service::{tasks::Tasks, wake::Wake},
};
use std::{error::Error, time::Duration};
use tokio_util::sync::CancellationToken;

/// Something that is put right again and again.
pub trait Reconcile: Send + 'static {
    /// What the log calls it.
    const NAME: &'static str;
    /// What it does, in a line.
    const DOES: &'static str;
    /// How often it runs.
    const PERIOD: Duration;
    /// What can go wrong; it is tried again at the next pass.
    type Error: Error + Send;

    /// One pass.
    fn pass(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// What is to be given back after the last pass.
    fn end(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Runs passes until it is stopped: when their time comes, and when somebody says that there may be something to do.
pub async fn run<R: Reconcile>(mut reconciler: R, wake: Wake, tasks: Tasks, stop: CancellationToken) {
    let passes = tasks.register(R::NAME, R::DOES, R::PERIOD);
    let mut ticks = tokio::time::interval(R::PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
            () = wake.woken() => {}
        }
        let began = passes.begin();
        let done = reconciler.pass().await;
        if let Err(error) = &done {
            tracing::warn!(error = error as &dyn Error, "a pass of `{}` failed; it is tried again", R::NAME);
        }
        passes.ended(began, done.err().map(|error| errors::chain(&error)));
    }
    reconciler.end().await;
}
