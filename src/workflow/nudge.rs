//! The wake-up: makes a new operation start at once. A lost nudge costs a poll interval, nothing else.

use std::sync::Arc;

use tokio::sync::{Notify, broadcast};

/// A wake-up shared by those who enqueue and the runners of this process, with a way out to other processes.
#[derive(Debug, Clone)]
pub struct Nudge {
    here: Arc<Notify>,
    outgoing: broadcast::Sender<String>,
}

impl Default for Nudge {
    fn default() -> Self {
        Self { here: Arc::default(), outgoing: broadcast::channel(256).0 }
    }
}

impl Nudge {
    /// Says that an operation of a kind is due: wakes the runner here and tells those who forward it elsewhere.
    /// Call it after the transaction has committed.
    pub fn send(&self, kind: &str) {
        self.here.notify_one();
        // Nobody listens when no forwarder is wired: the poll behind the nudge makes that harmless.
        let _ = self.outgoing.send(kind.to_owned());
    }

    /// A nudge from another process: wakes the runner here and goes no further.
    pub fn arrived(&self) {
        self.here.notify_one();
    }

    /// The kinds that were sent from here, for the forwarder to other processes (`work.<kind>`).
    pub fn outgoing(&self) -> broadcast::Receiver<String> {
        self.outgoing.subscribe()
    }

    /// Waits for the next nudge; one that came meanwhile counts.
    pub(super) async fn wait(&self) {
        self.here.notified().await;
    }
}
