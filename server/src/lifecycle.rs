//! From ready to stopped: soft at the first signal, hard at the second or when patience ends; a task that ends early is a crash.
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long what is under way may take after the first signal.
const GRACE: Duration = Duration::from_secs(20);

/// The daemon's life.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    /// Cancelled when no new work is taken.
    pub soft: CancellationToken,
    /// What serves.
    pub tasks: TaskTracker,
    /// What ends after that: the writer.
    pub last: TaskTracker,
    /// Cancelled when nothing is waited for any more: what was handed to the writer is written, and that is the end.
    pub hard: CancellationToken,
    crashed: Arc<AtomicBool>,
}

impl Lifecycle {
    /// A life that ends at SIGTERM or SIGINT.
    pub fn start() -> io::Result<Self> {
        let life = Self {
            soft: CancellationToken::new(),
            tasks: TaskTracker::new(),
            last: TaskTracker::new(),
            hard: CancellationToken::new(),
            crashed: Arc::default(),
        };
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        life.last.spawn(watch(terminate, interrupt, life.soft.clone(), life.hard.clone()));
        Ok(life)
    }

    /// Spawns a task that must not end before it is told to.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = io::Result<()>> + Send + 'static) {
        let (soft, crashed) = (self.soft.clone(), self.crashed.clone());
        self.tasks.spawn(async move {
            let result = task.await;
            if let Err(error) = &result {
                tracing::error!("`{name}` failed: {error}");
            }
            if !soft.is_cancelled() {
                tracing::error!("`{name}` ended before it was told to; the daemon stops");
                crashed.store(true, Ordering::Release);
                soft.cancel();
            }
        });
    }

    /// Tells systemd that the daemon serves.
    pub fn ready(&self) {
        // Without systemd there is nobody to tell.
        drop(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
        tracing::info!("ready");
    }

    /// Returns when all tasks have ended, or patience has.
    pub async fn stopped(&self) {
        self.soft.cancelled().await;
        drop(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
        tracing::info!("stopping");
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = self.hard.cancelled() => tracing::warn!("told again to stop: what was under way is cut short"),
            () = time::sleep(GRACE) => tracing::warn!("something was under way for more than {} s and is cut short", GRACE.as_secs()),
        }
    }

    /// Returns when everything is written.
    pub async fn written(&self) {
        self.hard.cancel();
        self.last.close();
        if time::timeout(GRACE, self.last.wait()).await.is_err() {
            tracing::error!("the database did not take the last writes");
        }
    }

    /// Whether a task ended before it was told to.
    pub fn crashed(&self) -> bool {
        self.crashed.load(Ordering::Acquire)
    }
}

async fn watch(
    mut terminate: Signal,
    mut interrupt: Signal,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    for token in [soft, hard.clone()] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = hard.cancelled() => return,
        }
        token.cancel();
    }
}
