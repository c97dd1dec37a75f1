//! Machines' power: what was asked of it is brought about, and what BMCs say is followed.
use super::Reconcile;
use crate::service::power::Power as Switch;
use std::{convert::Infallible, time::Duration};
use tokio::{task::JoinSet, time};

/// Brings about what was asked of machines' power.
#[derive(Debug)]
pub struct Power {
    /// What does one step of one machine.
    pub switch: Switch,
    /// Machines about which something is being done. A BMC that is slow keeps nobody else waiting.
    pub running: JoinSet<()>,
}

/// How many BMCs are talked with at once.
const AT_ONCE: usize = 64;
/// How long what is under way may take when the daemon stops.
const GRACE: Duration = Duration::from_secs(10);

impl Reconcile for Power {
    const NAME: &'static str = "power";
    const DOES: &'static str = "brings about what was asked of machines' power, and asks their BMCs";
    const PERIOD: Duration = Duration::from_secs(1);
    type Error = Infallible;

    async fn pass(&mut self) -> Result<(), Infallible> {
        while self.running.try_join_next().is_some() {}
        for id in self.switch.due(AT_ONCE.saturating_sub(self.running.len())) {
            let switch = self.switch.clone();
            self.running.spawn(async move { switch.drive(id).await });
        }
        self.switch.bmcs().tidy(false).await;
        Ok(())
    }

    /// Sessions are given back: a BMC has few, and remembers ours for minutes.
    async fn end(&mut self) {
        let end = time::Instant::now() + GRACE;
        while let Ok(Some(_)) = time::timeout_at(end, self.running.join_next()).await {}
        self.switch.bmcs().tidy(true).await;
    }
}
