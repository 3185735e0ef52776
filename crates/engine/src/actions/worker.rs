//! The worker behind asynchronous actions: takes stored calls, makes them and writes down what came of them.
//!
//! A call is claimed with `SKIP LOCKED` for as long as its webhook may take. What its webhook answers is final: no call
//! is tried again, only one whose claim has ended without an answer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::HeaderMap;
use serde_json::{Map, Value};
use sqlx::{PgPool, Row};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{DEFAULT_TIMEOUT, Request, invoke, log, output};
use crate::error::{GraphqlError, Result};
use crate::json;
use crate::metadata::{Action, CustomTypes, Metadata};
use crate::outbound::Outbound;
use crate::retry;
use crate::webhook::{Found, LEASE_SLACK, Look, Pace, Queue, Slot, Source};

/// How often the log is looked at when nothing nudges, as in Hasura.
const POLL: Duration = Duration::from_secs(1);
/// Calls of one action at a time.
const CONCURRENCY: usize = 32;

/// The worker. One lives as long as the engine; metadata changes under it.
pub struct Worker {
    pool: PgPool,
    outbound: Outbound,
    targets: ArcSwap<HashMap<String, Arc<Target>>>,
    in_flight: Mutex<HashSet<Uuid>>,
    queue: Queue,
}

/// An action that the worker calls.
struct Target {
    action: Action,
    types: Arc<CustomTypes>,
    slots: Arc<Semaphore>,
}

impl Target {
    fn lease(&self) -> i64 {
        let timeout = self.action.definition.timeout.unwrap_or(DEFAULT_TIMEOUT);
        i64::try_from(timeout.saturating_add(u64::from(LEASE_SLACK))).unwrap_or(i64::MAX).min(86_400)
    }
}

/// A call that was claimed.
pub struct Claimed {
    id: Uuid,
    target: Arc<Target>,
    input: Map<String, Value>,
    session: BTreeMap<String, String>,
    headers: HeaderMap,
}

impl Worker {
    /// A worker that has nothing to do yet.
    pub fn new(pool: PgPool, outbound: Outbound) -> Arc<Self> {
        Arc::new(Self {
            pool,
            outbound,
            targets: ArcSwap::default(),
            in_flight: Mutex::default(),
            queue: Queue::default(),
        })
    }

    /// Serves the asynchronous actions of this metadata from now on. Calls under way are not disturbed; those of an
    /// action that is gone wait until it is back.
    pub fn serve(&self, metadata: &Metadata) {
        let types = Arc::new(metadata.custom_types.clone());
        let old = self.targets.load_full();
        let target = |action: &Action| Target {
            action: action.clone(),
            types: types.clone(),
            slots: old
                .get(&action.name)
                .map_or_else(|| Arc::new(Semaphore::new(CONCURRENCY)), |target| target.slots.clone()),
        };
        let actions = metadata.actions.iter().filter(|action| action.definition.is_asynchronous());
        self.targets.store(Arc::new(actions.map(|action| (action.name.clone(), Arc::new(target(action)))).collect()));
        self.outbound.stored.notify_one();
    }

    /// Starts working until stopped.
    pub fn start(self: &Arc<Self>, stop: CancellationToken) {
        let pace = Pace { name: "asynchronous actions".to_owned(), nudge: self.outbound.stored.clone(), poll: POLL };
        self.queue.start(self.clone(), pace, stop);
    }

    /// Waits until the calls in flight are answered, at most `limit`; the others are given back, to be made again.
    /// The token that it was started with must have been cancelled.
    pub async fn finish(&self, limit: Duration) {
        if self.queue.finish(limit).await {
            return;
        }
        let left: Vec<Uuid> = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        tracing::warn!(calls = left.len(), "asynchronous actions still in flight at the end; they will be repeated");
        let given_back = sqlx::query(
            "update hdb_catalog.hdb_action_log set status = 'created', locked = null \
             where id = any($1) and status = 'processing'",
        )
        .bind(left)
        .execute(&self.pool);
        if let Err(error) = given_back.await {
            tracing::warn!(error = %error, "asynchronous actions not given back; they are repeated when their claims end");
        }
    }

    async fn ask(&self, call: &Claimed) -> Result<Value> {
        let request = Request { input: &call.input, query: None, session: &call.session, client: &call.headers };
        let answer = invoke(&self.outbound, &call.target.action, request).await?.body;
        output::Expected::of(&call.target.types, &call.target.action.definition.output_type).hold(&answer)?;
        match output::holds_nul(&answer) {
            true => Err(GraphqlError::unexpected("the webhook's response holds a NUL, which cannot be stored")),
            false => Ok(answer),
        }
    }

    /// Writes an answer down; the client's headers have done their part and are forgotten.
    async fn record(&self, id: Uuid, answer: &Result<Value>) -> sqlx::Result<()> {
        let (payload, errors) = match answer {
            Ok(answer) => (Some(json::write(answer)), None),
            // Neither the webhook's extensions nor what only an admin sees are kept, as in Hasura.
            Err(error) => (None, Some(error.to_api_body(false).to_string().replace("\\u0000", ""))),
        };
        sqlx::query(
            "update hdb_catalog.hdb_action_log set response_payload = $2::jsonb, errors = $3::jsonb, \
               status = case when $3::text is null then 'completed' else 'error' end, response_received_at = now(), \
               locked = null, request_headers = '{}' \
             where id = $1 and status = 'processing'",
        )
        .bind(id)
        .bind(payload)
        .bind(errors)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

impl Source for Worker {
    type Call = Claimed;

    fn slots(&self, call: &Claimed) -> Arc<Semaphore> {
        call.target.slots.clone()
    }

    /// Claims the oldest calls of each action, as many as it has free slots.
    async fn claim(&self, _: Look) -> sqlx::Result<Found<Claimed>> {
        let targets = self.targets.load_full();
        let free: Vec<(&String, &Arc<Target>)> =
            targets.iter().filter(|(_, target)| target.slots.available_permits() > 0).collect();
        if free.is_empty() {
            // Without actions there is nothing to look for until the metadata changes, which nudges.
            return Ok(Found::Nothing(targets.is_empty().then_some(Duration::MAX)));
        }
        let names: Vec<&str> = free.iter().map(|(name, _)| name.as_str()).collect();
        let leases: Vec<i64> = free.iter().map(|(_, target)| target.lease()).collect();
        // An update that finds nothing would wake those who listen to the log's changes.
        let open: bool = sqlx::query_scalar(
            "select exists (select from unnest($1::text[], $2::int8[]) a(name, lease) join hdb_catalog.hdb_action_log w \
               on w.action_name = a.name and w.status in ('created', 'processing') and (w.status = 'created' \
                 or coalesce(w.locked, w.created_at) < now() - a.lease * interval '1 second'))",
        )
        .bind(&names)
        .bind(&leases)
        .fetch_one(&self.pool)
        .await?;
        if !open {
            return Ok(Found::Nothing(None));
        }
        let slots = |target: &Target| i64::try_from(target.slots.available_permits()).unwrap_or(1);
        let rows = sqlx::query(
            "update hdb_catalog.hdb_action_log l set status = 'processing', locked = now() where l.id in ( \
               select c.id from unnest($1::text[], $2::int8[], $3::int8[]) a(name, lease, free) cross join lateral ( \
                 select w.id from hdb_catalog.hdb_action_log w where w.action_name = a.name \
                   and w.status in ('created', 'processing') and (w.status = 'created' \
                     or coalesce(w.locked, w.created_at) < now() - a.lease * interval '1 second') \
                 order by w.created_at limit a.free for update skip locked) c) \
             returning l.id, l.action_name, l.input_payload::text, l.session_variables::text, l.request_headers::text",
        )
        .bind(&names)
        .bind(&leases)
        .bind(free.iter().map(|(_, target)| slots(target)).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let decode = |error: serde_json::Error| sqlx::Error::Decode(error.into());
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let text = |at: usize| row.try_get::<&str, _>(at);
            let Some(target) = targets.get(text(1)?) else { continue };
            let headers: Map<String, Value> = serde_json::from_str(text(4)?).map_err(decode)?;
            claimed.push(Claimed {
                id: row.try_get(0)?,
                target: target.clone(),
                input: match json::read(text(2)?.as_bytes()).map_err(decode)? {
                    Value::Object(input) => input,
                    _ => Map::new(),
                },
                session: serde_json::from_str(text(3)?).map_err(decode)?,
                headers: log::from_json(&headers),
            });
        }
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).extend(claimed.iter().map(|call| call.id));
        Ok(if claimed.is_empty() { Found::Nothing(None) } else { Found::Calls(claimed, None) })
    }

    async fn deliver(&self, call: Claimed, _slot: Slot) {
        let answer = self.ask(&call).await;
        // What cannot be written now is made again when the claim ends.
        retry::outcome("asynchronous actions", async || self.record(call.id, &answer).await).await;
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&call.id);
    }
}
