//! The cache (DragonflyDB or Redis): cache-aside, rate limits, locks, messages.
//!
//! Everything in it can be lost at any time without loss of data. Every failure is a typed
//! [`Error`], so that each caller decides whether to go on without the cache or to refuse.

mod aside;
mod connection;
mod error;
mod limit;
mod lock;
mod pubsub;
mod rest;
mod value;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::{Cmd, FromRedisValue, Pipeline};
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::domain::transaction;

pub use error::{Error, Result};
pub use limit::{RateDecision, RateLimiter, Ticket};
pub use lock::{Lock, LockGuard};
pub use pubsub::Message;

use connection::Connection;

/// The name under which [`Cache::health`] is counted.
const PING: &str = "ping";

/// The cache. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    /// None once the cache is closed.
    connections: ArcSwap<Vec<Connection>>,
    closed: CancellationToken,
    turn: AtomicUsize,
    prefix: String,
    patience: Duration,
    /// Opens the connections of subscribers, which carry nothing else.
    client: redis::Client,
    flights: aside::Flights,
    rest: rest::Rest,
}

impl Cache {
    /// Prepares the connections. A single server need not answer yet: each connection is made when it
    /// is first used and again whenever it is lost. A cluster has to answer, because its shape is read.
    pub async fn connect(config: &config::Cache) -> Result<Self> {
        let client = connection::client(config)?;
        let mut connections = Vec::with_capacity(config.connections);
        for _ in 0..config.connections.max(1) {
            connections.push(connection::open(config, &client).await?);
        }
        Ok(Self(Arc::new(Inner {
            connections: ArcSwap::from_pointee(connections),
            closed: CancellationToken::new(),
            turn: AtomicUsize::new(0),
            prefix: config.key_prefix.clone(),
            patience: config.connect_timeout + config.response_timeout,
            client,
            flights: aside::Flights::default(),
            rest: rest::Rest::default(),
        })))
    }

    /// The full key of `key`: with the installation's prefix. Needed only with [`Cache::run`] and [`Cache::pipeline`];
    /// all other methods add the prefix themselves.
    pub fn key(&self, key: &str) -> String {
        format!("{}{key}", self.0.prefix)
    }

    /// Sends one command, for what has no method of its own. Keys need [`Cache::key`].
    pub async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.bounded("command", async |mut connection| command.query_async(&mut connection).await).await
    }

    /// Sends several commands in one round trip and returns their answers. Keys need [`Cache::key`], and in a cluster
    /// they have to lie in one slot: a common part in braces, as in `{cart-7}:items`, sees to that.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T> {
        self.bounded("pipeline", async |mut connection| pipeline.query_async(&mut connection).await).await
    }

    /// One round trip, and how long it took.
    pub async fn health(&self) -> Result<Duration> {
        let started = tokio::time::Instant::now();
        self.bounded(PING, async |mut connection| redis::cmd("PING").query_async::<String>(&mut connection).await)
            .await?;
        Ok(started.elapsed())
    }

    /// Lets the connections go, once the commands under way have their answers, and ends the subscriptions. Whatever is
    /// asked of the cache later is refused with [`Error::Closed`]; values are made each time then.
    pub fn close(&self) {
        self.0.connections.store(Arc::default());
        self.0.closed.cancel();
    }

    fn connection(&self) -> Result<Connection> {
        let connections = self.0.connections.load();
        let turn = self.0.turn.fetch_add(1, Ordering::Relaxed) % connections.len().max(1);
        connections.get(turn).cloned().ok_or(Error::Closed)
    }

    /// Runs one round trip on the next connection, within the time limit, and counts it. A server that stands still is
    /// not waited for by every command; the question whether it is well again is put to it always.
    async fn bounded<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(Connection) -> redis::RedisResult<T>,
    ) -> Result<T> {
        transaction::asks_outside("the cache");
        if operation != PING && self.0.rest.now() {
            metrics::counter!("northstack_cache_operations_total", "operation" => operation, "outcome" => "rest")
                .increment(1);
            return Err(Error::Timeout);
        }
        let started = tokio::time::Instant::now();
        let result = match tokio::time::timeout(self.0.patience, work(self.connection()?)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Error::from(error)),
            Err(_) => Err(Error::Timeout),
        };
        self.0.rest.note(&result);
        let outcome = if result.is_ok() { "ok" } else { "error" };
        metrics::histogram!("northstack_cache_operation_seconds", "operation" => operation)
            .record(started.elapsed().as_secs_f64());
        metrics::counter!("northstack_cache_operations_total", "operation" => operation, "outcome" => outcome)
            .increment(1);
        result
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("connections", &self.0.connections.load().len()).finish_non_exhaustive()
    }
}
