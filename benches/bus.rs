//! From a commit to the consumer of its event (T13): row change, event trigger, webhook, JetStream, durable consumer.
//!
//! `cargo bench --bench bus`. All of it runs in this process beside private servers: the engine that captures and
//! delivers, the service that takes the webhook, the bus, the bridge and a consumer. PostgreSQL and NATS write to disk.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use futures::{StreamExt, TryStreamExt, stream};
use northstack::app::App;
use northstack::auth::SigningKey;
use northstack::bus::{Bus, Delivery, Event, Subject, Subscription, bridge};
use northstack::cache::Cache;
use northstack::config::{self, Config, Live};
use northstack::db::Db;
use northstack::dev::servers::{Durability, Nats, Postgres, Redis};
use northstack::domain::Redacted;
use northstack::engine::metadata::Metadata;
use northstack::engine::server::Server;
use northstack::engine::{EngineOptions, MetadataSource};
use northstack::http::{AppState, Backend, Settings};
use serde_json::{Map, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PASSWORD: &str = "bench";
/// Rows that change: the aggregates whose events have an order.
const ROWS: i64 = 200;
/// How often each changes while the rate is measured.
const ROUNDS: i64 = 50;
/// Changes whose way is timed one by one, and the pause between them.
const TIMED: i64 = 2_000;
const PAUSE: Duration = Duration::from_millis(5);
/// Events that are published without the way through the database.
const PUBLISHED: usize = 20_000;

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    format!("p50 {:.1?}, p99 {:.1?}, most {:.1?} of {}", at(50), at(99), at(100), times.len())
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn rate(count: usize, took: Duration) -> String {
    format!("{:.0} a second ({count} in {took:.1?})", count as f64 / took.as_secs_f64())
}

/// What a consumer has got: the place in the stream, the row, its round, and when.
type Seen = Arc<Mutex<Vec<(u64, Uuid, i64, Instant)>>>;

fn note(seen: &Seen, delivery: &Delivery) {
    let row = &delivery.event.data["row"];
    let (id, round) = (row["id"].as_str().unwrap(), row["detail"].as_str().unwrap());
    seen.lock().unwrap().push((delivery.sequence, id.parse().unwrap(), round.parse().unwrap(), Instant::now()));
}

async fn reach(seen: &Seen, count: usize) -> Instant {
    loop {
        if let Some(last) = seen.lock().unwrap().get(count - 1) {
            return last.3;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Private servers, and a service over them.
struct Stage {
    pool: PgPool,
    bus: Bus,
    db: Db,
    address: std::net::SocketAddr,
    servers: (Postgres, Redis, Nats),
    _directory: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (root, secret) = (directory.path(), Redacted::from(PASSWORD));
        let postgres = Postgres::start(&root.join("postgres"), &secret, Durability::Durable).await.unwrap();
        postgres.create_database("bench").await.unwrap();
        let redis = Redis::start(&root.join("redis"), &secret).await.unwrap();
        let nats = Nats::start(&root.join("nats"), &secret).await.unwrap();
        let options = postgres.options("bench");
        let mut config = Config {
            database: config::Database {
                hosts: vec!["127.0.0.1".to_owned()],
                port: options.get_port(),
                database: "bench".to_owned(),
                user: options.get_username().to_owned(),
                password: Some(secret.clone()),
                max_connections: 16,
                ..config::Database::default()
            },
            ..Config::default()
        };
        config.cache.addresses = vec![format!("127.0.0.1:{}", redis.port())];
        config.cache.password = Some(secret.clone());
        config.nats.servers = vec![nats.url()];
        config.nats.token = Some(secret.clone());
        config.nats.max_in_flight = 1_000;
        config.auth.signing_key = Some(SigningKey::generate().pem().unwrap());
        config.actions.secret = Some(secret);
        config.rate_limits.enabled = false;
        let live = Live::fixed(config.clone());
        let db = Db::connect(&config.database).await.unwrap();
        northstack::db::migrate::up(&db).await.unwrap();
        let bus = Bus::connect(&config.nats).await.unwrap();
        let cache = Cache::connect(&config.cache).await.unwrap();
        let app = Arc::new(App::new(live.clone(), db.clone(), cache, bus.clone()).unwrap());
        let state = AppState::new(app, Settings::from(&live), Backend::Embedded(Router::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = northstack::http::router(state).into_make_service_with_connect_info::<std::net::SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let pool = db.pool().clone();
        Self { pool, bus, db, address, servers: (postgres, redis, nats), _directory: directory }
    }

    /// An engine whose one event trigger tells the service of alerts.
    async fn engine(&self) -> Server {
        let metadata = json!({ "version": 3, "sources": [{
            "name": "default", "kind": "postgres",
            "configuration": { "connection_info": { "database_url": { "from_env": "DATABASE_URL" } } },
            "tables": [{ "table": { "name": "alerts", "schema": "public" }, "event_triggers": [{
                "name": "alerts", "webhook": format!("http://{}/events/alerts", self.address),
                "definition": { "enable_manual": true, "update": { "columns": "*" } },
                "retry_conf": { "num_retries": 10, "interval_sec": 1, "timeout_sec": 10 },
                "headers": [{ "name": "x-northstack-action-secret", "value": PASSWORD }],
            }] }],
        }] });
        let metadata = Metadata::from_document(&metadata).unwrap();
        let mut options = EngineOptions::new(self.pool.clone(), MetadataSource::Document(Box::new(metadata)));
        options.admin_secret = Some(PASSWORD.to_owned().into());
        Server::start(&options).await.unwrap()
    }

    async fn rows(&self) -> Vec<Uuid> {
        // The audit trail is not what is measured.
        sqlx::query("alter table alerts disable trigger alerts_audit").execute(&self.pool).await.unwrap();
        sqlx::query_scalar(
            "with team as (insert into teams (name, slug) values ('Bench', 'bench') returning id)
             insert into alerts (team_id, severity, title, detail)
             select team.id, 'info', 'bench', '0' from team, generate_series(1, $1) returning id",
        )
        .bind(ROWS)
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    fn consume(&self, name: &str, concurrency: usize, stop: &CancellationToken) -> Seen {
        let seen = Seen::default();
        let (bus, noted, stop) = (self.bus.clone(), Arc::clone(&seen), stop.clone());
        let subscription = Subscription { name: name.to_owned(), filter: "alert.>".to_owned(), concurrency };
        tokio::spawn(async move {
            let handle = async |delivery: Delivery| {
                note(&noted, &delivery);
                Ok(())
            };
            bus.subscribe(subscription, handle, stop).await.unwrap();
        });
        seen
    }
}

/// Every row changes many times while nobody delivers; then the engine begins.
async fn backlog(stage: &Stage, seen: &Seen) -> Server {
    let engine = stage.engine().await;
    engine.stop().await;
    for round in 1..=ROUNDS {
        let update = sqlx::query("update alerts set detail = $1::text").bind(round.to_string());
        update.execute(&stage.pool).await.unwrap();
    }
    let count = usize::try_from(ROWS * ROUNDS).unwrap();
    let begun = Instant::now();
    let engine = stage.engine().await;
    let took = reach(seen, count).await - begun;
    println!("row changes to a consumer, with a backlog:   {}", rate(count, took));
    engine
}

/// Changes one by one, each timed from its commit.
async fn timed(stage: &Stage, rows: &[Uuid], seen: &Seen) {
    let before = seen.lock().unwrap().len();
    let mut committed = HashMap::new();
    for round in (ROUNDS + 1..).take(usize::try_from(TIMED).unwrap()) {
        let row = rows[usize::try_from(round).unwrap() % rows.len()];
        let update = sqlx::query("update alerts set detail = $2 where id = $1").bind(row).bind(round.to_string());
        update.execute(&stage.pool).await.unwrap();
        committed.insert(round, Instant::now());
        tokio::time::sleep(PAUSE).await;
    }
    reach(seen, before + committed.len()).await;
    let seen = seen.lock().unwrap();
    // The event may arrive before the answer to the commit has.
    let times = seen[before..].iter().map(|(_, _, round, at)| at.saturating_duration_since(committed[round]));
    println!("commit to consumer, {PAUSE:?} apart:            {}", spread(times.collect()));
}

/// Delivers a part of the events again, as after answers that were lost.
async fn again(stage: &Stage, seen: &Seen) {
    let before = seen.lock().unwrap().len();
    let repeated: i64 = sqlx::query_scalar(
        "with again as (update hdb_catalog.event_log set delivered = false, tries = 0
           where id in (select id from hdb_catalog.event_log order by sequence desc limit 500) returning 1)
         select count(*) from again",
    )
    .fetch_one(&stage.pool)
    .await
    .unwrap();
    loop {
        let open = "select count(*) from hdb_catalog.event_log where not delivered";
        if sqlx::query_scalar::<_, i64>(open).fetch_one(&stage.pool).await.unwrap() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let more = seen.lock().unwrap().len() - before;
    println!("of {repeated} events that were delivered again, {more} reached the consumer again");
    assert_eq!(more, 0);
}

fn check_order(seen: &Seen) {
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_by_key(|(sequence, ..)| *sequence);
    let mut last = HashMap::new();
    for (_, row, round, _) in &seen {
        let before = last.insert(*row, *round).unwrap_or(0);
        assert!(before < *round, "the change {round} of {row} came after {before}");
    }
    println!("the {} events of each of {} rows came in their order, each once", seen.len() / last.len(), last.len());
}

/// The bus alone: acknowledged publishing, and a consumer.
async fn alone(stage: &Stage, stop: &CancellationToken) {
    let subject = Subject::new("cluster", &["updated"], "bench");
    let send = async |number: usize| {
        let mut data = Map::new();
        data.insert("row".to_owned(), json!({ "id": Uuid::nil(), "detail": number.to_string() }));
        stage.bus.publish_async(&subject, &Event::now(&subject, data, "bench")).await
    };
    let begun = Instant::now();
    let sent = stream::iter(0..PUBLISHED).then(send).map_ok(|sent| sent.confirmed()).try_buffered(256);
    sent.try_for_each(async |_| Ok(())).await.unwrap();
    println!("floor: acknowledged publishing, 256 at once: {}", rate(PUBLISHED, begun.elapsed()));
    let seen = Seen::default();
    let (noted, begun) = (Arc::clone(&seen), Instant::now());
    let handle = async |delivery: Delivery| {
        note(&noted, &delivery);
        Ok(())
    };
    let subscription = Subscription { name: "alone".to_owned(), filter: "cluster.>".to_owned(), concurrency: 64 };
    let took = tokio::select! {
        last = reach(&seen, PUBLISHED) => last - begun,
        ended = stage.bus.subscribe(subscription, handle, stop.clone()) => panic!("{ended:?}"),
    };
    println!("a consumer of 64 at once:                    {}", rate(PUBLISHED, took));
}

async fn bridged(stage: &Stage, count: usize) {
    let stop = CancellationToken::new();
    let begun = Instant::now();
    let bridge = tokio::spawn(bridge::run(stage.db.clone(), stage.bus.clone(), stop.clone()));
    let count = i64::try_from(count).unwrap();
    let query = "select count(*) from platform_events";
    while sqlx::query_scalar::<_, i64>(query).fetch_one(&stage.pool).await.unwrap() < count {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("the bridge, into platform_events:            {}", rate(usize::try_from(count).unwrap(), begun.elapsed()));
    stop.cancel();
    bridge.await.unwrap();
}

async fn measure() {
    let stage = Stage::set().await;
    let stop = CancellationToken::new();
    alone(&stage, &stop).await;
    let rows = stage.rows().await;
    let seen = stage.consume("bench", 64, &stop);
    let engine = backlog(&stage, &seen).await;
    timed(&stage, &rows, &seen).await;
    again(&stage, &seen).await;
    check_order(&seen);
    let published = seen.lock().unwrap().len();
    bridged(&stage, PUBLISHED + published).await;
    engine.stop().await;
    stop.cancel();
    let (postgres, redis, nats) = stage.servers;
    stage.db.close().await;
    nats.stop().await;
    redis.stop().await;
    postgres.stop().await;
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(measure());
}
