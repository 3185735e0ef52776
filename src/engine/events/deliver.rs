//! The deliverer: takes due events trigger by trigger and posts them to their webhooks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use sqlx::{PgPool, Row};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::outcome::{self, Log, Next, Outcome};
use super::payload::{Delivery, EVENT_LOG, Event, LoggedHeader, LoggedRequest, Reply};
use super::send::send;
use crate::engine::kriti::SessionVariables;
use crate::engine::metadata::{EventTrigger, QualifiedName, Source};
use crate::engine::outbound::{Outbound, OutboundError, USER_AGENT};
use crate::engine::transform::{Outgoing, RequestTransformer, ResponseTransformer, TransformError};

/// Seconds that a webhook has when the trigger names none.
const DEFAULT_TIMEOUT: u64 = 60;
/// Seconds beyond the time-out after which a claimed event counts as abandoned.
const LEASE_SLACK: i64 = 15;

/// How many of a trigger's oldest events a claim looks at.
const WINDOW: i64 = 512;
/// Pause after a claim that filled every slot: a backlog is taken in larger bites.
const GATHER: Duration = Duration::from_millis(5);
/// Least time between two looks that nothing nudges.
const SOONEST: Duration = Duration::from_millis(20);

/// How events are delivered.
#[derive(Debug, Clone)]
pub struct DelivererOptions {
    /// How often the table is looked at when nothing nudges.
    pub poll: Duration,
    /// Deliveries of one trigger at a time; 100, as `HASURA_GRAPHQL_EVENTS_HTTP_POOL_SIZE` has it by default.
    pub concurrency: usize,
}

impl Default for DelivererOptions {
    fn default() -> Self {
        Self { poll: Duration::from_secs(1), concurrency: 100 }
    }
}

/// Delivers the events of one metadata version until stopped.
pub struct Deliverer {
    nudges: HashMap<String, Arc<Notify>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Everything that one trigger's deliveries need.
struct Target {
    name: String,
    url: url::Url,
    /// The address as it was configured, for transforms.
    base_url: String,
    headers: HeaderMap,
    logged_headers: Vec<LoggedHeader>,
    transform: Option<RequestTransformer>,
    response_transform: Option<ResponseTransformer>,
    retries: u32,
    interval: u64,
    timeout: Duration,
}

impl Target {
    fn new(trigger: &EventTrigger, outbound: &Outbound) -> Result<Self, OutboundError> {
        let (url, base_url) = match (&trigger.webhook, &trigger.webhook_from_env) {
            (Some(template), _) => (outbound.url(template)?, outbound.fill(template)?),
            (None, Some(variable)) => (outbound.url_from_env(variable)?, outbound.variable(variable)?.to_owned()),
            (None, None) => return Err(OutboundError::BadUrl(String::new())),
        };
        let untransformed = |error: TransformError| OutboundError::Untransformed(error.to_string());
        let transform = trigger.request_transform.as_ref().map(RequestTransformer::compile);
        let response_transform = trigger.response_transform.as_ref().map(ResponseTransformer::compile);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.extend(outbound.headers(&trigger.headers)?);
        Ok(Self {
            name: trigger.name.clone(),
            url,
            base_url,
            headers,
            logged_headers: LoggedHeader::of(&trigger.headers),
            transform: transform.transpose().map_err(untransformed)?,
            response_transform: response_transform.transpose().map_err(untransformed)?,
            retries: trigger.retry_conf.num_retries,
            interval: trigger.retry_conf.interval_sec,
            timeout: Duration::from_secs(trigger.retry_conf.timeout_sec.unwrap_or(DEFAULT_TIMEOUT).max(1)),
        })
    }
}

impl Deliverer {
    /// Starts delivering for the source's triggers. A trigger whose address or headers cannot be filled in is
    /// left out and named in the second part of the answer.
    pub fn start(
        pool: PgPool,
        outbound: &Outbound,
        source: &Source,
        options: DelivererOptions,
    ) -> (Self, Vec<(String, OutboundError)>) {
        let (mut nudges, mut tasks, mut refused) = (HashMap::new(), JoinSet::new(), Vec::new());
        let stop = CancellationToken::new();
        let (outcomes, written) = mpsc::channel(1024);
        for trigger in source.tables.iter().flat_map(|table| &table.event_triggers) {
            match Target::new(trigger, outbound) {
                Ok(target) => {
                    let nudge = Arc::new(Notify::new());
                    nudges.insert(target.name.clone(), nudge.clone());
                    let worker = Worker {
                        pool: pool.clone(),
                        http: outbound.http.clone(),
                        target: Arc::new(target),
                        nudge,
                        slots: Arc::new(Semaphore::new(options.concurrency)),
                        outcomes: outcomes.clone(),
                        poll: options.poll,
                    };
                    tasks.spawn(worker.run(stop.clone()));
                }
                Err(error) => refused.push((trigger.name.clone(), error)),
            }
        }
        if !nudges.is_empty() {
            tasks.spawn(outcome::write(pool, written));
        }
        (Self { nudges, stop, tasks }, refused)
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
    pub async fn stop(mut self, limit: Duration) {
        self.stop.cancel();
        let all_done = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, all_done).await.is_err() {
            tracing::warn!("event deliveries still in flight at the end; they will be repeated");
        }
    }
}

struct Worker {
    pool: PgPool,
    http: reqwest::Client,
    target: Arc<Target>,
    nudge: Arc<Notify>,
    slots: Arc<Semaphore>,
    outcomes: mpsc::Sender<Outcome>,
    poll: Duration,
}

/// What a look at the table found.
enum Found {
    Events(Vec<Event>),
    /// Nothing to deliver before so much time has passed, unless something nudges.
    Nothing(Duration),
}

impl Worker {
    async fn run(self, stop: CancellationToken) {
        let mut in_flight = JoinSet::new();
        let mut whole = true;
        while !stop.is_cancelled() {
            while in_flight.try_join_next().is_some() {}
            let free = self.slots.available_permits();
            let mut wait = self.poll;
            if free > 0 {
                match self.find(free, whole || in_flight.len() < free).await {
                    Ok(Found::Events(events)) => {
                        let backlog = events.len() == free;
                        for event in events {
                            let Ok(slot) = self.slots.clone().acquire_owned().await else { break };
                            let delivery =
                                deliver(self.http.clone(), self.target.clone(), self.outcomes.clone(), event, slot);
                            let nudge = self.nudge.clone();
                            in_flight.spawn(async move {
                                delivery.await;
                                nudge.notify_one();
                            });
                        }
                        if backlog {
                            tokio::time::sleep(GATHER).await;
                        }
                        continue;
                    }
                    Ok(Found::Nothing(until)) => wait = until,
                    Err(error) => tracing::warn!(trigger = self.target.name, error = %error, "events not claimed"),
                }
            }
            whole = tokio::select! {
                () = stop.cancelled() => break,
                () = self.nudge.notified() => false,
                () = tokio::time::sleep(wait) => true,
            };
        }
        while in_flight.join_next().await.is_some() {}
    }

    /// Claims what may go, at most `limit`, among the oldest events; where none of these may (each waits behind another
    /// of its row or for its next try) among all, if `whole` says so.
    async fn find(&self, limit: usize, whole: bool) -> sqlx::Result<Found> {
        let events = self.claim(limit, Some(WINDOW)).await?;
        if !events.is_empty() {
            return Ok(Found::Events(events));
        }
        let (pending, until) = self.rest().await?;
        if whole && pending > WINDOW {
            let events = self.claim(limit, None).await?;
            if !events.is_empty() {
                return Ok(Found::Events(events));
            }
        }
        Ok(Found::Nothing(until))
    }

    /// Claims due events, of each row the oldest only, among the oldest `window` of the trigger. The claim is not waited
    /// for to be on disk: what a crash of the database forgets of it is claimed again, as after any crash.
    async fn claim(&self, limit: usize, window: Option<i64>) -> sqlx::Result<Vec<Event>> {
        let lease = i64::try_from(self.target.timeout.as_secs()).unwrap_or(3600) + LEASE_SLACK;
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
        .bind(&self.target.name)
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
        .bind(&self.target.name)
        .fetch_one(&self.pool)
        .await?;
        let until = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok());
        Ok((pending, until.map_or(self.poll, |until| until.clamp(SOONEST.min(self.poll), self.poll))))
    }
}

/// Posts one event and has its outcome written. The slot is free for another once the webhook has answered.
async fn deliver(
    http: reqwest::Client,
    target: Arc<Target>,
    outcomes: mpsc::Sender<Outcome>,
    event: Event,
    slot: OwnedSemaphorePermit,
) {
    let Ok(body) = to_raw_value(&Delivery::new(&event, &target.name, target.retries)) else { return };
    let (next, log) = match target.prepare(&event, &body) {
        Ok(prepared) => {
            let (reply, sent) = target.send(&http, prepared).await;
            let request = serde_json::to_string(&LoggedRequest::new(&target.logged_headers, &sent, EVENT_LOG));
            let log = Log {
                status: Some(reply.status),
                request: request.unwrap_or_default(),
                response: reply.logged(EVENT_LOG).to_string(),
            };
            (decide(&reply, event.tries, &target), Some(log))
        }
        // Nothing was sent, and the next try would fail alike.
        Err(error) => {
            tracing::warn!(trigger = target.name, reason = %error, "event_not_transformed");
            (Next::Failed, None)
        }
    };
    drop(slot);
    let (done, written) = oneshot::channel();
    let outcome = Outcome { event_id: event.id, trigger: target.name.clone(), log, next, done };
    if outcomes.send(outcome).await.is_ok() {
        let _ = written.await;
    }
}

/// A request with what its answer's transform may name.
struct Prepared {
    request: Outgoing,
    context: Value,
    session: Option<SessionVariables>,
}

impl Target {
    fn prepare(&self, event: &Event, body: &RawValue) -> Result<Prepared, TransformError> {
        let request = Outgoing::post(self.url.clone(), self.headers.clone(), body.get().to_owned());
        if self.transform.is_none() && self.response_transform.is_none() {
            return Ok(Prepared { request, context: Value::Null, session: None });
        }
        let session = event.session();
        let (request, context) = match &self.transform {
            Some(transform) => transform.apply(request, &self.base_url, session.as_ref())?,
            None => (request, Value::Null),
        };
        Ok(Prepared { request, context, session })
    }

    /// The answer, and the body that was sent as the log shows it.
    async fn send(&self, http: &reqwest::Client, prepared: Prepared) -> (Reply, Box<RawValue>) {
        let Prepared { request, context, session } = prepared;
        let sent = request.logged_body();
        let timed_out = || format!("\"Event Trigger \\\"{}\\\" timed out while processing.\"", self.name);
        let mut reply = send(http, request, self.timeout, timed_out).await;
        if let (Some(transform), Ok(status)) = (&self.response_transform, u16::try_from(reply.status)) {
            match transform.apply(status, reply.body.clone().into_bytes(), context, session.as_ref()) {
                Ok(body) => reply.body = String::from_utf8_lossy(&body).into_owned(),
                // Only the status counts; the log then has the answer as it came.
                Err(error) => tracing::warn!(trigger = self.name, reason = %error, "answer_not_transformed"),
            }
        }
        (reply, sent)
    }
}

/// `Retry-After` forces another try even when none is left, as Hasura does.
fn decide(reply: &Reply, tries: i32, target: &Target) -> Next {
    if reply.delivered() {
        return Next::Delivered;
    }
    match reply.retry_after {
        Some(seconds) => Next::Retry(seconds),
        None if i64::from(tries) < i64::from(target.retries) => Next::Retry(target.interval),
        None => Next::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(retries: u32) -> Target {
        Target {
            name: "t".into(),
            url: url::Url::parse("http://service.test/x").unwrap(),
            base_url: String::new(),
            headers: HeaderMap::new(),
            logged_headers: Vec::new(),
            transform: None,
            response_transform: None,
            retries,
            interval: 7,
            timeout: Duration::from_secs(1),
        }
    }

    fn reply(status: i32, retry_after: Option<u64>) -> Reply {
        Reply { status, body: String::new(), headers: Vec::new(), retry_after }
    }

    #[test]
    fn retries_follow_the_recorded_rules() {
        assert_eq!(decide(&reply(204, None), 0, &target(0)), Next::Delivered);
        assert_eq!(decide(&reply(500, None), 0, &target(0)), Next::Failed);
        assert_eq!(decide(&reply(500, None), 1, &target(2)), Next::Retry(7));
        assert_eq!(decide(&reply(500, None), 2, &target(2)), Next::Failed);
        assert_eq!(decide(&reply(429, Some(3)), 0, &target(2)), Next::Retry(3));
        assert_eq!(decide(&reply(500, Some(3)), 9, &target(2)), Next::Retry(3), "Retry-After forces another try");
    }
}
