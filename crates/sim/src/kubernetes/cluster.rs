//! The running cluster: the store behind a lock, the news of its changes, the containers' output and the faults.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::faults::Faults;
use super::gateway::Turns;
use super::logs::Logs;
use super::plane::Plane;
use super::storage::State;
use super::{SimulatorOptions, SimulatorTiming};

/// What the API, the controllers and the storefronts share.
pub(crate) struct Cluster {
    state: Mutex<State>,
    revision: watch::Sender<u64>,
    /// Asks the controllers to look at everything again.
    again: Notify,
    pub(crate) timing: SimulatorTiming,
    /// Whether there is a metrics server.
    pub(crate) metrics: bool,
    /// Whether the Gateway API is installed.
    pub(crate) gateway_api: bool,
    /// Whose turn it is behind its routes.
    pub(crate) turns: Turns,
    /// What the network knows of Services and pods.
    pub(crate) plane: Plane,
    pub(crate) faults: Faults,
    pub(crate) logs: Logs,
    /// Ends every watch, log stream and controller.
    pub(crate) stop: CancellationToken,
}

impl Cluster {
    pub(crate) fn new(state: State, options: &SimulatorOptions) -> Self {
        let revision = watch::Sender::new(state.revision());
        Self {
            state: Mutex::new(state),
            revision,
            again: Notify::new(),
            timing: options.timing,
            metrics: options.metrics,
            gateway_api: options.gateway_api,
            turns: Turns::default(),
            plane: Plane::default(),
            faults: Faults::default(),
            logs: Logs::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Looks at the store.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.lock())
    }

    /// Changes the store and tells everyone who watches.
    pub(crate) fn write<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let revision = state.revision();
        drop(state);
        self.revision.send_if_modified(|known| {
            let newer = revision > *known;
            *known = revision.max(*known);
            newer
        });
        result
    }

    /// The newest revision, to wait on.
    pub(crate) fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Makes the controllers look at everything again.
    pub(crate) fn nudge(&self) {
        self.again.notify_one();
    }

    /// Waits for a nudge.
    pub(crate) async fn nudged(&self) {
        self.again.notified().await;
    }

    /// A panic while the lock was held left the store as its last whole write: every write is one statement.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
