//! The configuration in force, for those who go by it while it may change.

use std::sync::Arc;

use tokio::sync::watch;

use super::Config;

/// The configuration in force. Cheap to clone; [`Live::get`] always gives the newest.
#[derive(Debug, Clone)]
pub struct Live(watch::Receiver<Arc<Config>>);

impl Live {
    /// A configuration that never changes.
    pub fn fixed(config: Config) -> Self {
        // A receiver keeps its value when the sender is gone.
        Self(watch::channel(Arc::new(config)).1)
    }

    /// A configuration that whoever holds the other half changes.
    pub fn changing(config: Config) -> (watch::Sender<Arc<Config>>, Self) {
        let (sender, receiver) = watch::channel(Arc::new(config));
        (sender, Self(receiver))
    }

    pub(super) fn new(receiver: watch::Receiver<Arc<Config>>) -> Self {
        Self(receiver)
    }

    /// What is in force now. Take it once for one decision: two calls may differ.
    pub fn get(&self) -> Arc<Config> {
        Arc::clone(&self.0.borrow())
    }

    /// Resolves with the next configuration; never when none will come.
    pub async fn changed(&mut self) -> Arc<Config> {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        Arc::clone(&self.0.borrow_and_update())
    }
}
