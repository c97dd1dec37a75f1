//! What the listeners of DHCP and of DHCPv6 have in common: they take datagrams until the daemon stops, and bear with a network that
//! goes away and comes back.
use std::{
    error::Error,
    future::Future,
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// After an error of the socket itself.
const PAUSE: Duration = Duration::from_millis(200);
/// How often it is looked whether the interface is still the same, and which addresses it has.
const CHECK: Duration = Duration::from_secs(5);

/// A socket, and what becomes of its datagrams.
pub trait Reception {
    /// What comes in.
    type Datagram;

    /// What is received where, for the log: `DHCP packets on eth1, port 67`.
    fn what(&self) -> String;

    /// The next datagram.
    fn receive(&self) -> impl Future<Output = io::Result<Self::Datagram>> + Send;

    /// Finds an answer and sends it, as a task of the tracker.
    fn take(&self, datagram: Self::Datagram, tasks: &TaskTracker);

    /// Takes the port again if the interface is a new one of the same name.
    fn renew(&mut self);
}

/// Serves until it is stopped. Answers that are being found then are still sent, as tasks of the tracker. Errors of the network pass:
/// they are logged when they begin, and an interface that was made anew is taken again.
pub async fn run(mut listener: impl Reception, stop: CancellationToken, tasks: TaskTracker) {
    let mut check = time::interval(CHECK);
    check.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut last_error = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = check.tick() => listener.renew(),
            received = listener.receive() => match received {
                Ok(datagram) => {
                    last_error = None;
                    listener.take(datagram, &tasks);
                }
                Err(error) => {
                    if last_error.replace(error.kind()) != Some(error.kind()) {
                        tracing::warn!(error = &error as &dyn Error, "cannot receive {}", listener.what());
                    }
                    time::sleep(PAUSE).await;
                }
            },
        }
    }
}

/// Whether the last packet could be sent: of several that could not, one after the other, the first is told.
#[derive(Debug, Default)]
pub struct Mute(AtomicBool);

impl Mute {
    /// Whether it was sent. `what` says what could not be, and where, for the log.
    pub fn was_sent(&self, sent: io::Result<()>, what: impl FnOnce() -> String) -> bool {
        let Err(error) = sent else {
            self.0.store(false, Ordering::Relaxed);
            return true;
        };
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::warn!(error = &error as &dyn Error, "cannot send {}", what());
        }
        false
    }
}
