//! The loop behind every delivery: claim what is due, deliver it with bounded concurrency, wait for a nudge or the
//! next due time, and on shutdown finish what is under way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Seconds beyond the time-out of a delivery after which its claim counts as abandoned. Whoever is killed in the
/// middle leaves a claim that ends by itself; any instance delivers it again then: at least once, never lost.
pub(crate) const LEASE_SLACK: u32 = 15;

/// Room for one delivery; free for another once it is dropped.
pub(crate) type Slot = OwnedSemaphorePermit;

/// Where deliveries come from: a table in which they are claimed and in which is written what came of them.
pub(crate) trait Source: Send + Sync + 'static {
    /// A claimed delivery.
    type Call: Send + 'static;

    /// The slots of which a delivery takes one.
    fn slots(&self, call: &Self::Call) -> Arc<Semaphore>;

    /// Claims what is due, at most as much as there are free slots.
    fn claim(&self, look: Look) -> impl Future<Output = sqlx::Result<Found<Self::Call>>> + Send;

    /// Delivers, and writes down what came of it. The slot may be dropped before that is written.
    fn deliver(&self, call: Self::Call, slot: Slot) -> impl Future<Output = ()> + Send;
}

/// How a source is looked after.
pub(crate) struct Pace {
    /// What warnings call the source.
    pub name: String,
    /// Told when there may be something to claim.
    pub nudge: Arc<Notify>,
    /// How often is looked when nothing nudges and nothing is known to fall due.
    pub poll: Duration,
}

/// Why a source is asked, and what is under way.
pub(crate) struct Look {
    /// Whether something nudged, rather than time having passed.
    pub nudged: bool,
    /// Deliveries whose outcome is not written yet.
    pub under_way: usize,
}

pub(crate) enum Found<C> {
    /// Claimed deliveries, and how long to pause before the next look, if at all.
    Calls(Vec<C>, Option<Duration>),
    /// Nothing before so much time has passed, by default the poll interval, unless something nudges.
    Nothing(Option<Duration>),
}

/// The running loops of one or several sources; aborted when it is dropped.
#[derive(Default)]
pub(crate) struct Queue(Mutex<JoinSet<()>>);

impl Queue {
    /// Delivers what a source has until stopped.
    pub fn start<S: Source>(&self, source: Arc<S>, pace: Pace, stop: CancellationToken) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(run(source, pace, stop));
    }

    /// Waits until what is under way is delivered and written down, at most `limit`; says whether all was. The tokens
    /// that the sources were started with must have been cancelled.
    pub async fn finish(&self, limit: Duration) -> bool {
        let mut loops = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let all_done = async { while loops.join_next().await.is_some() {} };
        tokio::time::timeout(limit, all_done).await.is_ok()
    }
}

async fn run<S: Source>(source: Arc<S>, pace: Pace, stop: CancellationToken) {
    let mut deliveries = JoinSet::new();
    let mut nudged = false;
    while !stop.is_cancelled() {
        while deliveries.try_join_next().is_some() {}
        let wait = match source.claim(Look { nudged, under_way: deliveries.len() }).await {
            Ok(Found::Calls(calls, pause)) => {
                for call in calls {
                    let Ok(slot) = source.slots(&call).acquire_owned().await else { break };
                    let (source, nudge) = (source.clone(), pace.nudge.clone());
                    deliveries.spawn(async move {
                        source.deliver(call, slot).await;
                        // There is a free slot again, and perhaps something that waited behind this delivery.
                        nudge.notify_one();
                    });
                }
                if let Some(pause) = pause {
                    tokio::time::sleep(pause).await;
                }
                continue;
            }
            Ok(Found::Nothing(wait)) => wait.unwrap_or(pace.poll),
            Err(error) => {
                tracing::warn!(queue = pace.name, %error, "deliveries_not_claimed");
                pace.poll
            }
        };
        nudged = tokio::select! {
            () = stop.cancelled() => break,
            () = pace.nudge.notified() => true,
            () = tokio::time::sleep(wait) => false,
        };
    }
    while deliveries.join_next().await.is_some() {}
}
