//! One trigger's captured events as a source of deliveries.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use sqlx::{PgPool, Row};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::deliver::POLL;
use super::payload::{Delivery, Event};
use super::record::Record;
use crate::metadata::{EventTrigger, QualifiedName};
use crate::outbound::{Outbound, OutboundError};
use crate::webhook::{Found, LEASE_SLACK, LogFormat, Look, Retries, Settings, Slot, Source, Target};

/// Seconds that a webhook has when the trigger names none.
const DEFAULT_TIMEOUT: u64 = 60;
/// Deliveries of one trigger at a time, as `HASURA_GRAPHQL_EVENTS_HTTP_POOL_SIZE` has it by default.
const CONCURRENCY: usize = 100;
/// How many of a trigger's oldest events a claim looks at.
const WINDOW: i64 = 512;
/// Pause after a claim that filled every slot: a backlog is taken in larger bites.
const GATHER: Duration = Duration::from_millis(5);
/// Least time between two looks that nothing nudges.
const SOONEST: Duration = Duration::from_millis(20);

pub(super) struct Trigger {
    name: String,
    target: Target,
    retries: u32,
    timeout: Duration,
    pool: PgPool,
    http: reqwest::Client,
    records: mpsc::Sender<Record>,
    slots: Arc<Semaphore>,
}

impl Trigger {
    pub fn new(
        trigger: &EventTrigger,
        pool: &PgPool,
        outbound: &Outbound,
        records: &mpsc::Sender<Record>,
    ) -> Result<Self, OutboundError> {
        let (name, retries) = (&trigger.name, &trigger.retry_conf);
        let timeout = Duration::from_secs(retries.timeout_sec.unwrap_or(DEFAULT_TIMEOUT).max(1));
        let settings = Settings {
            name,
            webhook: trigger.webhook.as_deref(),
            webhook_from_env: trigger.webhook_from_env.as_deref(),
            headers: &trigger.headers,
            request: trigger.request_transform.as_ref(),
            response: trigger.response_transform.as_ref(),
            timeout,
            retries: Retries { limit: retries.num_retries, interval: Duration::from_secs(retries.interval_sec) },
            log: LogFormat {
                version: "2",
                timed_out: format!("\"Event Trigger \\\"{name}\\\" timed out while processing.\""),
                no_answer_is_status: true,
            },
        };
        Ok(Self {
            name: name.clone(),
            target: Target::new(settings, outbound)?,
            retries: retries.num_retries,
            timeout,
            pool: pool.clone(),
            http: outbound.http.clone(),
            records: records.clone(),
            slots: Arc::new(Semaphore::new(CONCURRENCY)),
        })
    }

    /// Claims due events, of each row the oldest only, among the oldest `window` of the trigger. The claim is not waited
    /// for to be on disk: what a crash of the database forgets of it is claimed again, as after any crash.
    async fn take(&self, limit: usize, window: Option<i64>) -> sqlx::Result<Vec<Event>> {
        let lease = i64::try_from(self.timeout.as_secs()).unwrap_or(3600) + i64::from(LEASE_SLACK);
        let rows = sqlx::query(
            "with quick as materialized (select set_config('synchronous_commit', 'off', true)), \
             oldest as ( \
               select id, coalesce(row_key, id) collate \"C\" as line, sequence, locked, next_retry_at \
               from hdb_catalog.event_log \
               where trigger_name = $1 and delivered = false and error = false and archived = false \
               order by sequence limit $4), \
             heads as (select distinct on (line) id, sequence, locked, next_retry_at from oldest order by line, sequence), \
             free as materialized ( \
               select id from heads where (locked is null or locked < now() - $2 * interval '1 second') \
                 and (next_retry_at is null or next_retry_at <= now() at time zone 'utc') \
               order by sequence limit $3) \
             update hdb_catalog.event_log l set locked = now() from quick where l.id in ( \
               select e.id from free join hdb_catalog.event_log e using (id) \
               where e.delivered = false and e.error = false and e.archived = false \
                 and (e.locked is null or e.locked < now() - $2 * interval '1 second') \
                 and (e.next_retry_at is null or e.next_retry_at <= now() at time zone 'utc') \
               for update of e skip locked) \
             returning l.id, l.schema_name, l.table_name, l.payload::text, l.tries, to_json(l.created_at)::text, l.sequence",
        )
        .bind(&self.name)
        .bind(lease)
        .bind(i64::try_from(limit.min(200)).unwrap_or(200))
        .bind(window)
        .fetch_all(&self.pool)
        .await?;
        let mut events = rows
            .iter()
            .map(|row| {
                let raw = |index| -> sqlx::Result<Box<RawValue>> {
                    RawValue::from_string(row.try_get(index)?).map_err(|error| sqlx::Error::Decode(error.into()))
                };
                let event = Event {
                    id: row.try_get(0)?,
                    table: QualifiedName::new(row.try_get::<String, _>(1)?, row.try_get::<String, _>(2)?),
                    payload: raw(3)?,
                    tries: row.try_get(4)?,
                    created_at: raw(5)?,
                };
                Ok((row.try_get::<i64, _>(6)?, event))
            })
            .collect::<sqlx::Result<Vec<_>>>()?;
        events.sort_by_key(|(sequence, _)| *sequence);
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }

    /// How many events wait, and the time until the next retry falls due, at most the poll interval. What is under way
    /// nudges when it ends.
    async fn rest(&self) -> sqlx::Result<(i64, Duration)> {
        let (pending, seconds): (i64, Option<f64>) = sqlx::query_as(
            "select count(*), (extract(epoch from min(next_retry_at) filter (where locked is null) \
               - (now() at time zone 'utc')))::float8 \
             from hdb_catalog.event_log \
             where trigger_name = $1 and delivered = false and error = false and archived = false",
        )
        .bind(&self.name)
        .fetch_one(&self.pool)
        .await?;
        let until = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok());
        Ok((pending, until.map_or(POLL, |until| until.clamp(SOONEST, POLL))))
    }
}

impl Source for Trigger {
    type Call = Event;

    fn slots(&self, _: &Event) -> Arc<Semaphore> {
        self.slots.clone()
    }

    /// Claims among the oldest events; where none of these may go (each waits behind another of its row or for its next
    /// try) among all. That is dear, so while most slots are taken not for each delivery that ends and nudges.
    async fn claim(&self, look: Look) -> sqlx::Result<Found<Event>> {
        let free = self.slots.available_permits();
        if free == 0 {
            return Ok(Found::Nothing(None));
        }
        let mut events = self.take(free, Some(WINDOW)).await?;
        if events.is_empty() {
            let (pending, until) = self.rest().await?;
            if pending > WINDOW && (!look.nudged || look.under_way < free) {
                events = self.take(free, None).await?;
            }
            if events.is_empty() {
                return Ok(Found::Nothing(Some(until)));
            }
        }
        let pause = (events.len() == free).then_some(GATHER);
        Ok(Found::Calls(events, pause))
    }

    /// The slot is free for another event once the webhook has answered; what came of it is on disk a little later.
    async fn deliver(&self, event: Event, slot: Slot) {
        let Ok(body) = serde_json::to_string(&Delivery::new(&event, &self.name, self.retries)) else { return };
        let outcome = self.target.deliver(&self.http, body, event.tries, || event.session()).await;
        drop(slot);
        let (done, written) = oneshot::channel();
        let record = Record { event_id: event.id, trigger: self.name.clone(), outcome, done };
        if self.records.send(record).await.is_ok() {
            let _ = written.await;
        }
    }
}
