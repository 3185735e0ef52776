//! A runner that a test starts, kills and stops.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Bench, PATIENCE};
use crate::workflow::faults::Faults;
use crate::workflow::nudge::Nudge;
use crate::workflow::runner::{Options, Runner};

/// A runner in this process.
pub struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    /// Starts a runner over a bench's world. It never renews its leases, so that a test decides when they lapse.
    pub fn start(bench: &impl Bench, faults: Faults) -> Self {
        let options = Options {
            concurrency: 4,
            lease: Duration::from_secs(600),
            heartbeat: Duration::from_secs(300),
            poll: Duration::from_millis(50),
            grace: Duration::from_secs(5),
            backoff_first: Duration::from_millis(5),
            backoff_most: Duration::from_millis(50),
            faults,
            ..Options::default()
        };
        let runner = Runner::new(bench.pool(), bench.registry(), Nudge::default(), options);
        let stop = CancellationToken::new();
        let token = stop.clone();
        Self { stop, task: tokio::spawn(async move { runner.run(token).await }) }
    }

    /// Stops it in good order.
    ///
    /// # Panics
    /// When it does not stop, or has panicked.
    pub async fn stop(self) {
        self.stop.cancel();
        let joined = tokio::time::timeout(PATIENCE, self.task).await;
        assert!(matches!(joined, Ok(Ok(()))), "the runner did not stop: {joined:?}");
    }

    /// Waits until a failpoint has killed it.
    ///
    /// # Panics
    /// When none does, or it has panicked.
    pub(super) async fn killed(self, case: &str) {
        let joined = tokio::time::timeout(PATIENCE, self.task).await;
        assert!(matches!(joined, Ok(Ok(()))), "{case}: the failpoint did not kill the runner: {joined:?}");
    }
}
