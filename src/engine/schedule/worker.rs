//! The worker behind schedules: writes events ahead, takes those that are due and delivers them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::Value;
use sqlx::{PgPool, Row};
use time::OffsetDateTime;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::admin::Kind;
use super::deliver::{Configured, Due, Target, lease};
use super::outcome::{self, Next};
use super::times::Schedule;
use super::{ScheduleOptions, catalog};
use crate::engine::json;
use crate::engine::metadata::{CronRetryConfiguration, CronTrigger, Header, Metadata};
use crate::engine::outbound::{Outbound, OutboundError};

/// Deliveries at a time.
const CONCURRENCY: usize = 64;
/// How often events are written ahead when nothing changes.
const WRITE_AHEAD: Duration = Duration::from_secs(60);

/// The worker. One lives as long as the engine; metadata changes under it.
pub struct Worker {
    pool: PgPool,
    outbound: Outbound,
    options: ScheduleOptions,
    triggers: ArcSwap<HashMap<String, Arc<Trigger>>>,
    /// Whether the tables are there.
    ready: AtomicBool,
    nudge: Notify,
    slots: Arc<Semaphore>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// A cron trigger that is served.
struct Trigger {
    schedule: Schedule,
    target: Target,
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
            nudge: Notify::new(),
            slots: Arc::new(Semaphore::new(CONCURRENCY)),
            task: Mutex::default(),
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
            let target = Target::of_trigger(given, &self.outbound).map_err(|error| error.to_string());
            match schedule.and_then(|schedule| Ok(Trigger { schedule, target: target? })) {
                Ok(trigger) => {
                    triggers.insert(given.name.clone(), Arc::new(trigger));
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
        let task = tokio::spawn(self.clone().run(stop));
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Waits until the deliveries in flight are answered, at most `limit`; the others are made again when their claims
    /// end. The token that it was started with must have been cancelled.
    pub async fn finish(&self, limit: Duration) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if tokio::time::timeout(limit, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("scheduled events still in flight at the end; they will be repeated");
        }
    }

    fn now(&self) -> OffsetDateTime {
        (self.options.clock)()
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut deliveries = JoinSet::new();
        let mut written = tokio::time::Instant::now();
        while !stop.is_cancelled() {
            while deliveries.try_join_next().is_some() {}
            let mut wait = self.options.poll;
            // A delivery that ends nudges, so that there is a free slot again.
            let free = self.slots.available_permits();
            if self.ready.load(Ordering::Relaxed) && free > 0 {
                if written.elapsed() >= WRITE_AHEAD {
                    written = tokio::time::Instant::now();
                    if let Err(error) = self.write_ahead().await {
                        tracing::warn!(error = %error, "cron events not written ahead");
                    }
                }
                match self.round(&mut deliveries, free).await {
                    Ok(true) => continue,
                    Ok(false) => wait = self.until_due().await.unwrap_or(wait),
                    Err(error) => tracing::warn!(error = %error, "scheduled events not claimed"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.nudge.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while deliveries.join_next().await.is_some() {}
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

    /// Claims what is due and has it delivered; says whether there was something.
    async fn round(self: &Arc<Self>, deliveries: &mut JoinSet<()>, free: usize) -> sqlx::Result<bool> {
        let triggers = self.triggers.load_full();
        let mut claimed: Vec<(Due, Kind, Result<Claim, OutboundError>)> = Vec::new();
        for event in self.claim_cron(&triggers, free).await? {
            let trigger = event.trigger.as_ref().and_then(|name| triggers.get(name));
            if let Some(trigger) = trigger {
                claimed.push((event, Kind::Cron, Ok(Claim::Cron(trigger.clone()))));
            }
        }
        for (event, target) in self.claim_one_off(free.saturating_sub(claimed.len())).await? {
            claimed.push((event, Kind::OneOff, target.map(|target| Claim::OneOff(Box::new(target)))));
        }
        let any = !claimed.is_empty();
        for (event, kind, claim) in claimed {
            let Ok(slot) = self.slots.clone().acquire_owned().await else { break };
            let worker = self.clone();
            deliveries.spawn(async move {
                let (log, next) = match &claim {
                    Ok(claim) => claim.target().deliver(&worker.outbound.http, &event, worker.now()).await,
                    Err(error) => {
                        tracing::warn!(event = event.id, reason = %error, "scheduled_event_not_deliverable");
                        (None, Next::Failed)
                    }
                };
                outcome::write(&worker.pool, kind, &event.id, log.as_ref(), next, worker.now()).await;
                drop(slot);
                worker.nudge.notify_one();
            });
        }
        Ok(any)
    }

    async fn claim_cron(&self, triggers: &HashMap<String, Arc<Trigger>>, limit: usize) -> sqlx::Result<Vec<Due>> {
        if triggers.is_empty() {
            return Ok(Vec::new());
        }
        let (names, leases): (Vec<&str>, Vec<f64>) =
            triggers.iter().map(|(name, trigger)| (name.as_str(), trigger.target.lease())).unzip();
        let rows = sqlx::query(
            "update hdb_catalog.hdb_cron_events e set status = 'locked', locked = now() where e.id in ( \
               select c.id from hdb_catalog.hdb_cron_events c \
               join unnest($1::text[], $2::float8[]) t(name, lease) on t.name = c.trigger_name \
               where (c.status = 'scheduled' and coalesce(c.next_retry_at, c.scheduled_time) <= $3) \
                 or (c.status = 'locked' and coalesce(c.locked, c.scheduled_time) < now() - t.lease * interval '1 second') \
               order by c.scheduled_time limit $4 for update of c skip locked) \
             returning e.id, e.trigger_name, e.scheduled_time, e.tries",
        )
        .bind(names)
        .bind(leases)
        .bind(self.now())
        .bind(i64::try_from(limit).unwrap_or(1))
        .fetch_all(&self.pool)
        .await?;
        let due = |row: &sqlx::postgres::PgRow| {
            Ok(Due {
                id: row.try_get(0)?,
                trigger: Some(row.try_get(1)?),
                scheduled_time: row.try_get(2)?,
                created_at: None,
                tries: row.try_get(3)?,
            })
        };
        rows.iter().map(due).collect()
    }

    async fn claim_one_off(&self, limit: usize) -> sqlx::Result<Vec<(Due, Result<Target, OutboundError>)>> {
        let rows = sqlx::query(
            "update hdb_catalog.hdb_scheduled_events e set status = 'locked', locked = now() where e.id in ( \
               select c.id from hdb_catalog.hdb_scheduled_events c \
               where (c.status = 'scheduled' and coalesce(c.next_retry_at, c.scheduled_time) <= $1) \
                 or (c.status = 'locked' and coalesce(c.locked, c.scheduled_time) < now() - ($3 + \
                   coalesce((c.retry_conf ->> 'timeout_seconds')::float8, 60)) * interval '1 second') \
               order by c.scheduled_time limit $2 for update of c skip locked) \
             returning e.id, e.scheduled_time, e.created_at, e.tries, e.webhook_conf, coalesce(e.retry_conf, 'null'), \
               coalesce(e.header_conf, 'null'), coalesce(e.payload, 'null')::text, e.comment, \
               coalesce(e.request_transform, 'null'), coalesce(e.response_transform, 'null')",
        )
        .bind(self.now())
        .bind(i64::try_from(limit).unwrap_or(1))
        .bind(lease(0.0))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let due = Due {
                    id: row.try_get(0)?,
                    trigger: None,
                    scheduled_time: row.try_get(1)?,
                    created_at: row.try_get(2)?,
                    tries: row.try_get(3)?,
                };
                // One row that cannot be read does not keep the others from being delivered.
                let unreadable = |_| Err(OutboundError::Untransformed("the stored event is malformed".to_owned()));
                Ok((due, self.one_off_target(row).unwrap_or_else(unreadable)))
            })
            .collect()
    }

    fn one_off_target(&self, row: &sqlx::postgres::PgRow) -> sqlx::Result<Result<Target, OutboundError>> {
        fn read<T: serde::de::DeserializeOwned>(row: &sqlx::postgres::PgRow, index: usize) -> sqlx::Result<T> {
            let value: Value = row.try_get(index)?;
            serde_json::from_value(value).map_err(|error| sqlx::Error::Decode(error.into()))
        }
        let (headers, request, response) =
            (read::<Option<Vec<Header>>>(row, 6)?.unwrap_or_default(), read(row, 9)?, read(row, 10)?);
        let (request, response): (Option<_>, Option<_>) = (request, response);
        let webhook: String = read(row, 4)?;
        let payload: String = row.try_get(7)?;
        let payload = json::read(payload.as_bytes()).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let configured = Configured {
            webhook: &webhook,
            headers: &headers,
            retries: read::<Option<CronRetryConfiguration>>(row, 5)?.unwrap_or_default(),
            request: request.as_ref(),
            response: response.as_ref(),
            payload,
            comment: row.try_get(8)?,
        };
        Ok(Target::new(configured, &self.outbound))
    }

    /// Time until the next event falls due, at most the poll interval.
    async fn until_due(&self) -> Option<Duration> {
        let next: Option<OffsetDateTime> = sqlx::query_scalar(
            "select min(at) from (select min(coalesce(next_retry_at, scheduled_time)) as at \
               from hdb_catalog.hdb_cron_events where status = 'scheduled' and trigger_name = any($1) union all \
             select min(coalesce(next_retry_at, scheduled_time)) from hdb_catalog.hdb_scheduled_events \
               where status = 'scheduled') d",
        )
        .bind(self.triggers.load().keys().cloned().collect::<Vec<_>>())
        .fetch_one(&self.pool)
        .await
        .ok()?;
        let until = (next? - self.now()).as_seconds_f64();
        let until = Duration::try_from_secs_f64(until.max(0.001)).ok()?;
        Some(until.min(self.options.poll))
    }
}

/// Where an event goes.
enum Claim {
    Cron(Arc<Trigger>),
    OneOff(Box<Target>),
}

impl Claim {
    fn target(&self) -> &Target {
        match self {
            Self::Cron(trigger) => &trigger.target,
            Self::OneOff(target) => target,
        }
    }
}
