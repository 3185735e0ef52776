//! What the control plane itself adds to the making of a store (T16): the simulated cluster does everything at once, so
//! that no time is spent waiting for volumes, images or pods.
//!
//! `cargo bench --bench stores`. PostgreSQL, Redis and NATS are private ones; PostgreSQL writes to disk before it
//! answers.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use northstack::app::stores::NewStore;
use northstack::app::{App, Caller, Provisioning};
use northstack::auth::SigningKey;
use northstack::bus::Bus;
use northstack::cache::Cache;
use northstack::config::{Config, Live};
use northstack::db::Db;
use northstack::dev::servers::{Durability, Nats, Postgres, Redis};
use northstack::domain::{Actor, Redacted};
use northstack::sim::kubernetes::{Simulator, SimulatorOptions, SimulatorTiming};
use northstack::vendors::kubernetes::{Client, Source};
use northstack::workflow::{Options, Runner};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Stores that are made, one after the other.
const STORES: usize = 100;
/// Made before, and not counted.
const WARM_UP: usize = 5;
const PASSWORD: &str = "bench";

/// A cluster that does what it is asked for at once.
fn at_once() -> SimulatorTiming {
    SimulatorTiming {
        namespace_drain: Duration::ZERO,
        volume_bind: Duration::ZERO,
        schedule: Duration::ZERO,
        container_start: Duration::ZERO,
        ready: Duration::ZERO,
        terminate: Duration::ZERO,
        endpoints: Duration::from_millis(1),
        pre_stop: Duration::from_millis(1),
        ingress: Duration::ZERO,
        crash_backoff: Duration::from_secs(1),
        job_run: Duration::ZERO,
        command: Duration::ZERO,
    }
}

struct Platform {
    app: Arc<App>,
    caller: Caller,
    team: Uuid,
    _simulator: Simulator,
}

impl Platform {
    async fn start(postgres: &Postgres, redis: &Redis, nats: &Nats) -> Self {
        let mut config = Config::default();
        config.database.hosts = vec!["127.0.0.1".to_owned()];
        config.database.port = postgres.port();
        config.database.database = "bench".to_owned();
        config.database.user = postgres.user().to_owned();
        config.database.password = Some(Redacted::from(PASSWORD));
        config.cache.addresses = vec![format!("127.0.0.1:{}", redis.port())];
        config.cache.password = Some(Redacted::from(PASSWORD));
        config.nats.servers = vec![nats.url()];
        config.nats.token = Some(nats.token().clone());
        config.auth.signing_key = Some(SigningKey::generate().pem().unwrap());
        config.rate_limits.enabled = false;
        let db = Db::connect(&config.database).await.unwrap();
        sqlx::migrate!().set_locking(false).run(db.pool()).await.unwrap();
        let simulator = Simulator::start(SimulatorOptions { timing: at_once(), ..SimulatorOptions::default() });
        let simulator = simulator.await.unwrap();
        let source = Source::Inline(Box::new(simulator.kubeconfig()));
        let kubernetes = Client::connect(source, Duration::from_secs(10)).await.unwrap();
        let live = Live::fixed(config.clone());
        let provisioning = Provisioning::new(kubernetes, &live, Duration::from_millis(5));
        let cache = Cache::connect(&config.cache).await.unwrap();
        let bus = Bus::connect(&config.nats).await.unwrap();
        let app = App::new(live, db, cache, bus).unwrap().with_provisioning(provisioning);
        let team =
            sqlx::query_scalar("insert into teams (name, slug, store_limit) values ('B', 'b', 1000) returning id");
        let team: Uuid = team.fetch_one(app.db.pool()).await.unwrap();
        let caller = Caller { actor: Actor::System, correlation_id: "bench".to_owned(), address: None };
        Self { app: Arc::new(app), caller, team, _simulator: simulator }
    }

    /// From the mutation to the store's readiness.
    async fn create(&self, number: usize) -> Duration {
        let name = format!("Store {number}");
        let new = NewStore { name, kind: None, team_id: Some(self.team), idempotency_key: None };
        let began = Instant::now();
        let made = self.app.create_store(&self.caller, &new).await.unwrap();
        loop {
            let status = sqlx::query_scalar::<_, String>("select status from stores where id = $1").bind(made.store);
            match status.fetch_one(self.app.db.pool()).await.unwrap().as_str() {
                "ready" => return began.elapsed(),
                "provisioning" => tokio::time::sleep(Duration::from_millis(2)).await,
                other => panic!("the store is {other}"),
            }
        }
    }
}

/// Where the time goes: each step from its beginning to its end.
async fn by_step(app: &App) {
    let steps: Vec<(String, f64, f64)> = sqlx::query_as(
        "select name, percentile_cont(0.5) within group (order by millis), percentile_cont(0.99) within group (order by millis)
         from (select name, ordinal, extract(epoch from finished_at - started_at)::float8 * 1000 as millis
               from operation_steps where status = 'succeeded') step
         group by name, ordinal order by ordinal",
    )
    .fetch_all(app.db.pool())
    .await
    .unwrap();
    for (name, p50, p99) in steps {
        println!("  {name:<16} p50 {p50:>6.1} ms, p99 {p99:>6.1} ms");
    }
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let password = Redacted::from(PASSWORD);
    let postgres = Postgres::start(&place("postgres"), &password, Durability::Durable).await.unwrap();
    postgres.create_database("bench").await.unwrap();
    let redis = Redis::start(&place("redis"), &password).await.unwrap();
    let nats = Nats::start(&place("nats"), &password).await.unwrap();
    let platform = Platform::start(&postgres, &redis, &nats).await;
    let provisioning = platform.app.provisioning.as_ref().unwrap();
    let (flows, nudge) = (provisioning.flows.clone(), provisioning.nudge.clone());
    let runner = Runner::new(platform.app.db.pool().clone(), flows, nudge, Options::default());
    let stop = CancellationToken::new();
    let token = stop.clone();
    let running = tokio::spawn(async move { runner.run(token).await });

    for number in 0..WARM_UP {
        platform.create(number).await;
    }
    let mut times = Vec::with_capacity(STORES);
    for number in 0..STORES {
        times.push(platform.create(WARM_UP + number).await);
    }
    times.sort();
    let (p50, p99, most) = (times[STORES / 2], times[STORES * 99 / 100], times[STORES - 1]);
    println!("createStore to ready, the cluster's waits removed: p50 {p50:.2?}, p99 {p99:.2?}, most {most:.2?}");
    by_step(&platform.app).await;

    stop.cancel();
    running.await.unwrap();
    nats.stop().await;
    redis.stop().await;
    postgres.stop().await;
}
