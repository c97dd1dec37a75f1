//! Wakes whoever brings about what was asked for. It carries nothing: who is woken looks at what is.
use std::sync::Arc;
use tokio::sync::Notify;

/// Wakes a reconciler.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// There may be something to do. Said before somebody waits, it is not lost.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Returns when there may be something to do.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}
