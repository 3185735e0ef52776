//! The worker behind schedules: writes events ahead, takes those that are due and delivers them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::target::ScheduledTarget;
use super::times::Schedule;
use super::{ScheduleOptions, catalog};
use crate::metadata::{CronTrigger, Metadata};
use crate::outbound::Outbound;
use crate::webhook::{Pace, Queue};

/// Deliveries at a time.
const CONCURRENCY: usize = 64;
/// How often events are written ahead when nothing changes.
const WRITE_AHEAD: Duration = Duration::from_secs(60);

/// The worker. One lives as long as the engine; metadata changes under it.
pub struct Worker {
    pub(super) pool: PgPool,
    pub(super) outbound: Outbound,
    pub(super) options: ScheduleOptions,
    pub(super) triggers: ArcSwap<HashMap<String, Trigger>>,
    /// Whether the tables are there.
    pub(super) ready: AtomicBool,
    /// When events were last written ahead by the clock.
    written: Mutex<Instant>,
    nudge: Arc<Notify>,
    pub(super) slots: Arc<Semaphore>,
    queue: Queue,
}

/// A cron trigger that is served.
pub(super) struct Trigger {
    schedule: Schedule,
    pub target: Arc<ScheduledTarget>,
}

impl Worker {
    /// A worker that has nothing to do yet.
    pub fn new(pool: PgPool, outbound: Outbound, options: ScheduleOptions) -> Arc<Self> {
        Arc::new(Self {
            pool,
            outbound,
            options,
            triggers: ArcSwap::default(),
            ready: AtomicBool::new(false),
            written: Mutex::new(Instant::now()),
            nudge: Arc::default(),
            slots: Arc::new(Semaphore::new(CONCURRENCY)),
            queue: Queue::default(),
        })
    }

    /// Serves the cron triggers of this metadata from now on, and gives those that cannot be served. Deliveries under
    /// way are not disturbed.
    ///
    /// # Errors
    /// What the database said.
    pub async fn serve(&self, metadata: &Metadata) -> sqlx::Result<Vec<(CronTrigger, String)>> {
        let (mut triggers, mut refused) = (HashMap::new(), Vec::new());
        for given in &metadata.cron_triggers {
            let schedule = Schedule::parse(&given.schedule).map_err(|error| error.to_string());
            let target = ScheduledTarget::new(given, &self.outbound).map_err(|error| error.to_string());
            match schedule.and_then(|schedule| Ok(Trigger { schedule, target: Arc::new(target?) })) {
                Ok(trigger) => {
                    triggers.insert(given.name.clone(), trigger);
                }
                Err(reason) => refused.push((given.clone(), reason)),
            }
        }
        let any = !triggers.is_empty();
        self.triggers.store(Arc::new(triggers));
        if any {
            catalog::prepare(&self.pool).await?;
            self.ready.store(true, Ordering::Relaxed);
        } else if !self.ready.load(Ordering::Relaxed) {
            self.ready.store(catalog::exist(&self.pool).await?, Ordering::Relaxed);
        }
        self.write_ahead().await?;
        self.nudge.notify_one();
        Ok(refused)
    }

    /// Tells that an event was created.
    pub fn nudge(&self) {
        self.ready.store(true, Ordering::Relaxed);
        self.nudge.notify_one();
    }

    /// Starts working until stopped.
    pub fn start(self: &Arc<Self>, stop: CancellationToken) {
        let (nudge, poll) = (self.nudge.clone(), self.options.poll);
        self.queue.start(self.clone(), Pace { name: "scheduled events".to_owned(), nudge, poll }, stop);
    }

    /// Waits until the deliveries in flight are answered, at most `limit`; the others are made again when their claims
    /// end. The token that it was started with must have been cancelled.
    pub async fn finish(&self, limit: Duration) {
        if !self.queue.finish(limit).await {
            tracing::warn!("scheduled events still in flight at the end; they will be repeated");
        }
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        (self.options.clock)()
    }

    /// Writes events ahead if that was [`WRITE_AHEAD`] ago.
    pub(super) async fn write_ahead_when_due(&self) {
        {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            if written.elapsed() < WRITE_AHEAD {
                return;
            }
            *written = Instant::now();
        }
        if let Err(error) = self.write_ahead().await {
            tracing::warn!(error = %error, "cron events not written ahead");
        }
    }

    /// Writes the next events of each trigger, and takes away those that are no longer due to come.
    async fn write_ahead(&self) -> sqlx::Result<()> {
        if !self.ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (triggers, now) = (self.triggers.load_full(), self.now());
        let (mut names, mut times) = (Vec::new(), Vec::new());
        for (name, trigger) in &*triggers {
            for time in trigger.schedule.after(now) {
                names.push(name.as_str());
                times.push(time);
            }
        }
        // An event that another instance has claimed already is not written again, even if its clock runs ahead.
        sqlx::query(
            "with ahead as (select * from unnest($1::text[], $2::timestamptz[]) a(name, at)), \
             gone as (delete from hdb_catalog.hdb_cron_events e where e.status = 'scheduled' and e.tries = 0 \
               and e.scheduled_time > $3 and not exists (select from ahead a where a.name = e.trigger_name \
               and a.at = e.scheduled_time)) \
             insert into hdb_catalog.hdb_cron_events (trigger_name, scheduled_time) \
               select a.name, a.at from ahead a where not exists (select from hdb_catalog.hdb_cron_events e \
                 where e.trigger_name = a.name and e.scheduled_time = a.at) \
             on conflict (trigger_name, scheduled_time) where status = 'scheduled' do nothing",
        )
        .bind(names)
        .bind(times)
        .bind(now)
        .execute(&self.pool)
        .await
        .map(|_| ())
    }
}
