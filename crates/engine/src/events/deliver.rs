//! The deliverer: has the events of each trigger delivered to its webhook.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::record;
use super::source::Trigger;
use crate::metadata::Source;
use crate::outbound::{Outbound, OutboundError};
use crate::webhook::{Pace, Queue};

/// How often the table is looked at when nothing nudges.
pub(super) const POLL: Duration = Duration::from_secs(1);

/// Delivers the events of one metadata version until stopped.
pub struct Deliverer {
    nudges: HashMap<String, Arc<Notify>>,
    queue: Queue,
    stop: CancellationToken,
    /// Writes outcomes, of all triggers together.
    _writer: AbortOnDropHandle<()>,
}

impl Deliverer {
    /// Starts delivering for the source's triggers. A trigger whose address or headers cannot be filled in is
    /// left out and named in the second part of the answer.
    pub fn start(pool: PgPool, outbound: &Outbound, source: &Source) -> (Self, Vec<(String, OutboundError)>) {
        let (mut nudges, mut refused) = (HashMap::new(), Vec::new());
        let (queue, stop) = (Queue::default(), CancellationToken::new());
        let (records, written) = mpsc::channel(1024);
        for configured in source.tables.iter().flat_map(|table| &table.event_triggers) {
            match Trigger::new(configured, &pool, outbound, &records) {
                Ok(trigger) => {
                    let (name, nudge) = (configured.name.clone(), Arc::new(Notify::new()));
                    nudges.insert(name.clone(), nudge.clone());
                    queue.start(Arc::new(trigger), Pace { name, nudge, poll: POLL }, stop.clone());
                }
                Err(error) => refused.push((configured.name.clone(), error)),
            }
        }
        let writer = AbortOnDropHandle::new(tokio::spawn(record::write(pool, written)));
        (Self { nudges, queue, stop, _writer: writer }, refused)
    }

    /// Tells that a trigger may have captured something; an unknown name is ignored.
    pub fn nudge(&self, trigger: &str) {
        if let Some(nudge) = self.nudges.get(trigger) {
            nudge.notify_one();
        }
    }

    /// Tells that any trigger may have captured something.
    pub fn nudge_all(&self) {
        self.nudges.values().for_each(|nudge| nudge.notify_one());
    }

    /// Takes no more events, waits until those in flight are answered and written down, at most `limit`.
    pub async fn stop(self, limit: Duration) {
        self.stop.cancel();
        if !self.queue.finish(limit).await {
            tracing::warn!("event deliveries still in flight at the end; they will be repeated");
        }
    }
}
