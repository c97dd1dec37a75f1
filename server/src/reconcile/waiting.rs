//! Machines that wait: for a hold to end, for a rule that accepts them, for their hardware class to take them as they are.
use super::Reconcile;
use crate::service::{
    discovery::Discovery,
    machines::{MachineError, Machines},
};
use std::time::Duration;

/// Ends holds whose time is over, and looks at the inbox again.
#[derive(Debug)]
pub struct Waiting {
    /// Ends holds.
    pub machines: Machines,
    /// Looks at the inbox.
    pub discovery: Discovery,
}

impl Reconcile for Waiting {
    const NAME: &'static str = "waiting";
    const DOES: &'static str =
        "ends holds whose time is over, and looks again at machines that wait for a rule or their hardware";
    const PERIOD: Duration = Duration::from_secs(5);
    type Error = MachineError;

    async fn pass(&mut self) -> Result<(), MachineError> {
        self.machines.end_holds().await?;
        self.discovery.pass().await
    }
}
