//! Machines that are to boot and do not: the next step is taken with them.
use super::Reconcile;
use crate::service::{ladder::Ladder as Steps, machines::MachineError};
use std::time::Duration;
use tokio::{task::JoinSet, time};

/// Takes the next step with machines that do not boot.
#[derive(Debug)]
pub struct Ladder {
    /// What takes them.
    pub steps: Steps,
    /// BMCs that are being restarted. One that is slow keeps nobody else waiting.
    pub running: JoinSet<()>,
}

/// How long what is under way may take when the daemon stops.
const GRACE: Duration = Duration::from_secs(5);

impl Reconcile for Ladder {
    const NAME: &'static str = "ladder";
    const DOES: &'static str = "takes the next step with machines that are to boot and do not";
    const PERIOD: Duration = Duration::from_secs(2);
    type Error = MachineError;

    async fn pass(&mut self) -> Result<(), MachineError> {
        while self.running.try_join_next().is_some() {}
        for reset in self.steps.pass().await? {
            let steps = self.steps.clone();
            self.running.spawn(async move { steps.reset_bmc(reset).await });
        }
        Ok(())
    }

    async fn end(&mut self) {
        let end = time::Instant::now() + GRACE;
        while let Ok(Some(_)) = time::timeout_at(end, self.running.join_next()).await {}
    }
}
