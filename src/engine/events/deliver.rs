//! The deliverer: takes due events trigger by trigger and posts them to their webhooks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use serde_json::value::{RawValue, to_raw_value};
use sqlx::{PgPool, Row};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::outcome::{self, Next, Outcome};
use super::payload::{Delivery, Event, LoggedHeader, LoggedRequest, Reply};
use crate::engine::metadata::{EventTrigger, QualifiedName, Source};
use crate::engine::outbound::{Outbound, OutboundError, USER_AGENT};

/// Seconds that a webhook has when the trigger names none.
const DEFAULT_TIMEOUT: u64 = 60;
/// Seconds beyond the time-out after which a claimed event counts as abandoned.
const LEASE_SLACK: i64 = 15;
/// Longest part of an answer that is kept in the log, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// How events are delivered.
#[derive(Debug, Clone)]
pub struct DelivererOptions {
    /// How often the table is looked at when nothing nudges.
    pub poll: Duration,
    /// Deliveries of one trigger at a time.
    pub concurrency: usize,
}

impl Default for DelivererOptions {
    fn default() -> Self {
        Self { poll: Duration::from_secs(1), concurrency: 64 }
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
    headers: HeaderMap,
    logged_headers: Vec<LoggedHeader>,
    retries: u32,
    interval: u64,
    timeout: Duration,
}

impl Target {
    fn new(trigger: &EventTrigger, outbound: &Outbound) -> Result<Self, OutboundError> {
        let url = match (&trigger.webhook, &trigger.webhook_from_env) {
            (Some(template), _) => outbound.url(template)?,
            (None, Some(variable)) => outbound.url_from_env(variable)?,
            (None, None) => return Err(OutboundError::BadUrl(String::new())),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.extend(outbound.headers(&trigger.headers)?);
        Ok(Self {
            name: trigger.name.clone(),
            url,
            headers,
            logged_headers: LoggedHeader::of(&trigger.headers),
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

impl Worker {
    async fn run(self, stop: CancellationToken) {
        let mut in_flight = JoinSet::new();
        while !stop.is_cancelled() {
            while in_flight.try_join_next().is_some() {}
            let free = self.slots.available_permits();
            let mut wait = self.poll;
            if free > 0 {
                match self.claim(free).await {
                    Ok(events) if events.is_empty() => wait = self.until_due().await.unwrap_or(self.poll),
                    Ok(events) => {
                        for event in events {
                            let Ok(slot) = self.slots.clone().acquire_owned().await else { break };
                            let delivery =
                                deliver(self.http.clone(), self.target.clone(), self.outcomes.clone(), event);
                            let nudge = self.nudge.clone();
                            in_flight.spawn(async move {
                                delivery.await;
                                drop(slot);
                                nudge.notify_one();
                            });
                        }
                        continue;
                    }
                    Err(error) => tracing::warn!(trigger = self.target.name, error = %error, "events not claimed"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.nudge.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while in_flight.join_next().await.is_some() {}
    }

    /// Claims due events, of each row the oldest only.
    async fn claim(&self, limit: usize) -> sqlx::Result<Vec<Event>> {
        let lease = i64::try_from(self.target.timeout.as_secs()).unwrap_or(3600) + LEASE_SLACK;
        let rows = sqlx::query(
            "update hdb_catalog.event_log l set locked = now() where l.id in ( \
               select e.id from hdb_catalog.event_log e \
               where e.trigger_name = $1 and e.delivered = false and e.error = false and e.archived = false \
                 and (e.locked is null or e.locked < now() - $2 * interval '1 second') \
                 and (e.next_retry_at is null or e.next_retry_at <= now() at time zone 'utc') \
                 and (e.row_key is null or not exists ( \
                   select 1 from hdb_catalog.event_log p where p.trigger_name = $1 and p.row_key = e.row_key \
                   and p.sequence < e.sequence and p.delivered = false and p.error = false and p.archived = false)) \
               order by e.sequence limit $3 for update skip locked) \
             returning l.id, l.schema_name, l.table_name, l.payload::text, l.tries, to_json(l.created_at)::text, l.sequence",
        )
        .bind(&self.target.name)
        .bind(lease)
        .bind(i64::try_from(limit.min(200)).unwrap_or(200))
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

    /// Time until the next retry falls due, at most the poll interval.
    async fn until_due(&self) -> Option<Duration> {
        let seconds: Option<f64> = sqlx::query_scalar(
            "select extract(epoch from min(next_retry_at) - (now() at time zone 'utc'))::float8 from hdb_catalog.event_log \
             where trigger_name = $1 and delivered = false and error = false and archived = false and next_retry_at is not null",
        )
        .bind(&self.target.name)
        .fetch_one(&self.pool)
        .await
        .ok()?;
        let until = Duration::try_from_secs_f64(seconds?.max(0.001)).ok()?;
        Some(until.min(self.poll))
    }
}

async fn deliver(http: reqwest::Client, target: Arc<Target>, outcomes: mpsc::Sender<Outcome>, event: Event) {
    let Ok(body) = to_raw_value(&Delivery::new(&event, &target.name, target.retries)) else { return };
    let reply = post(&http, &target, &body).await;
    let next = decide(&reply, event.tries, &target);
    let request = serde_json::to_string(&LoggedRequest::new(&target.logged_headers, &body)).unwrap_or_default();
    let (done, written) = oneshot::channel();
    let outcome = Outcome {
        event_id: event.id,
        trigger: target.name.clone(),
        status: reply.status,
        request,
        response: reply.logged().to_string(),
        next,
        done,
    };
    if outcomes.send(outcome).await.is_ok() {
        let _ = written.await;
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

async fn post(http: &reqwest::Client, target: &Target, body: &RawValue) -> Reply {
    let call = async {
        let mut response =
            http.post(target.url.clone()).headers(target.headers.clone()).body(body.get().to_owned()).send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            text.extend_from_slice(&chunk);
            if text.len() > LONGEST_ANSWER {
                text.truncate(LONGEST_ANSWER);
                break;
            }
        }
        Ok::<_, reqwest::Error>((status, headers, text))
    };
    match tokio::time::timeout(target.timeout, call).await {
        Ok(Ok((status, headers, body))) => Reply {
            status: i32::from(status.as_u16()),
            body: String::from_utf8_lossy(&body).replace('\0', ""),
            retry_after: retry_after(&headers).filter(|_| !status.is_success()),
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
        },
        Ok(Err(error)) if !error.is_timeout() => failed(1000, format!("http exception: {}", error.without_url())),
        Ok(Err(_)) | Err(_) => {
            failed(500, format!("\"Event Trigger \\\"{}\\\" timed out while processing.\"", target.name))
        }
    }
}

fn failed(status: i32, body: String) -> Reply {
    Reply { status, body, headers: Vec::new(), retry_after: None }
}

/// Positive whole seconds; dates are ignored.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(retries: u32) -> Target {
        Target {
            name: "t".into(),
            url: url::Url::parse("http://service.test/x").unwrap(),
            headers: HeaderMap::new(),
            logged_headers: Vec::new(),
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

    #[test]
    fn only_whole_positive_seconds_count_as_retry_after() {
        let header = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
            retry_after(&headers)
        };
        assert_eq!(header("3"), Some(3));
        assert_eq!(header("0"), None);
        assert_eq!(header("Sat, 21 Nov 2026 23:59:59 GMT"), None);
    }
}
