//! Ten thousand applications against the simulated cluster (T15): what a whole resync takes of time and memory, what is
//! written when everything is as it is to be, how soon drift is put right, and how soon a mutation reaches the cluster.
//!
//! `cargo bench --bench reconcile`; `NORTHSTACK_BENCH_APPLICATIONS` asks for fewer. The cluster is a process of its own,
//! behind a proxy that counts requests; PostgreSQL, Redis and NATS are private ones. Memory is that of this process:
//! the use cases, the watch and the runner.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod cluster;
mod counter;
mod rows;

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use northstack::app::background::{DriftWatch, check_drift};
use northstack::app::{App, Caller, Provisioning};
use northstack::auth::SigningKey;
use northstack::bus::Bus;
use northstack::cache::Cache;
use northstack::config::{self, Config, Live};
use northstack::db::Db;
use northstack::dev::servers::{Durability, Nats, Postgres, Redis};
use northstack::domain::{Actor, Redacted};
use northstack::vendors::kubernetes::{Client, Source};
use northstack::workflow::{Options, Runner};
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use cluster::{Cluster, Place};
use counter::Counter;

const PASSWORD: &str = "bench";
/// Applications in one namespace.
const TOGETHER: usize = 10;
/// Whole resyncs.
const RESYNCS: usize = 3;
/// Applications that are touched by another hand, one after the other.
const DRIFTS: usize = 200;
/// Mutations, one after the other.
const MUTATIONS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);

fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * percent / 100]
}

fn spread(mut times: Vec<Duration>) -> String {
    let (median, last) = (quantile(&mut times, 50), quantile(&mut times, 99));
    format!("p50 {median:.1?}, p99 {last:.1?}, most {:.1?} of {}", times.last().unwrap(), times.len())
}

/// A line of this process's memory in MB: `VmRSS` now, `VmHWM` the most so far.
fn memory(line: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(':')).unwrap();
    found.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// The rows that every write of a reconciler adds to.
async fn written(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from audit_logs").fetch_one(pool).await.unwrap()
}

struct Servers {
    postgres: Postgres,
    redis: Redis,
    nats: Nats,
}

impl Servers {
    async fn start(root: &std::path::Path) -> Self {
        let secret = Redacted::from(PASSWORD);
        let postgres = Postgres::start(&root.join("postgres"), &secret, Durability::Durable).await.unwrap();
        postgres.create_database("bench").await.unwrap();
        let redis = Redis::start(&root.join("redis"), &secret).await.unwrap();
        let nats = Nats::start(&root.join("nats"), &secret).await.unwrap();
        Self { postgres, redis, nats }
    }

    fn config(&self) -> Config {
        let options = self.postgres.options("bench");
        let secret = || Some(Redacted::from(PASSWORD));
        let mut config = Config {
            database: config::Database {
                hosts: vec!["127.0.0.1".to_owned()],
                port: options.get_port(),
                database: "bench".to_owned(),
                user: options.get_username().to_owned(),
                password: secret(),
                max_connections: 16,
                ..config::Database::default()
            },
            cache: config::Cache {
                addresses: vec![format!("127.0.0.1:{}", self.redis.port())],
                password: secret(),
                ..config::Cache::default()
            },
            ..Config::default()
        };
        (config.nats.servers, config.nats.token) = (vec![self.nats.url()], secret());
        config.auth.signing_key = Some(SigningKey::generate().pem().unwrap());
        config
    }
}

/// Somebody else's hand: how long until an application has its number of pods again.
async fn disturb(client: &kube::Client, place: &Place) -> Duration {
    let api: Api<Deployment> = Api::namespaced(client.clone(), &place.namespace);
    let patch = json!({ "spec": { "replicas": 3 } });
    api.patch(&place.name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    let begun = Instant::now();
    while api.get(&place.name).await.unwrap().spec.replicas != Some(1) {
        assert!(begun.elapsed() < PATIENCE, "{} is not put right", place.name);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

async fn measure(applications: usize) {
    let directory = tempfile::tempdir().unwrap();
    let servers = Servers::start(&directory.path().join("servers")).await;
    let config = servers.config();
    let db = Db::connect(&config.database).await.unwrap();
    northstack::db::migrate::up(&db).await.unwrap();
    let pool = db.pool().clone();

    let begun = Instant::now();
    let places = Place::many(applications, TOGETHER);
    let user = rows::seed(&pool, &places).await;
    let cluster = Cluster::start(&directory.path().join("cluster"), &config.applications, &places).await;
    println!(
        "{applications} applications in {} namespaces, seeded in {:.1?}",
        applications / TOGETHER,
        begun.elapsed()
    );

    let counter = Counter::start(cluster.address).await;
    let source = Source::Inline(Box::new(cluster.kubeconfig(counter.address)));
    let kubernetes = Client::connect(source, Duration::from_secs(60)).await.unwrap();
    let cache = Cache::connect(&config.cache).await.unwrap();
    let bus = Bus::connect(&config.nats).await.unwrap();
    let live = Live::fixed(config);
    let provisioning = Provisioning::new(kubernetes, &live, Duration::from_secs(1));
    let app = App::new(live, db, cache, bus).unwrap().with_provisioning(provisioning.clone());
    let app = Arc::new(app);
    println!("memory before: {} MB", memory("VmRSS"));

    let stop = CancellationToken::new();
    let (watch, stopped) = (DriftWatch::new(Arc::clone(&app)), stop.clone());
    let (begun, mut synced) = (Instant::now(), watch.synced());
    let watching = tokio::spawn(async move { watch.run(stopped).await });
    synced.wait_for(|synced| *synced).await.unwrap();
    println!("the watch knows all objects after {:.1?}, memory {} MB", begun.elapsed(), memory("VmRSS"));

    let before = (written(&pool).await, counter.writes(), cluster.revision().await);
    for _ in 0..RESYNCS {
        let (begun, requests) = (Instant::now(), counter.requests());
        let drift = check_drift(&app).await.unwrap();
        assert_eq!((drift.looked_at, drift.drifted.len()), (applications, 0));
        let (took, requests) = (begun.elapsed(), counter.requests() - requests);
        println!("a resync: {took:.1?}, {requests} requests, memory {} MB", memory("VmRSS"));
    }
    let after = (written(&pool).await, counter.writes(), cluster.revision().await);
    println!(
        "written meanwhile: {} rows, {} requests that write, {} revisions of the cluster; most memory {} MB",
        after.0 - before.0,
        after.1 - before.1,
        after.2 - before.2,
        memory("VmHWM")
    );

    let direct = kube::Config::from_custom_kubeconfig(cluster.kubeconfig(cluster.address), &Default::default()).await;
    let direct = kube::Client::try_from(direct.unwrap()).unwrap();
    let mut times = Vec::with_capacity(DRIFTS);
    let step = (applications / DRIFTS).max(1);
    for place in places.iter().step_by(step).take(DRIFTS) {
        times.push(disturb(&direct, place).await);
    }
    println!("drift to fixed: {}", spread(times));

    let Provisioning { flows, nudge, .. } = provisioning;
    // The simulated cluster is long over each rollout: none is to wait for the end of another.
    let options = Options { concurrency: 2 * MUTATIONS, ..Options::default() };
    let runner = Runner::new(pool, flows, nudge, options);
    let stopped = stop.clone();
    let running = tokio::spawn(async move { runner.run(stopped).await });
    let caller = Caller { actor: Actor::User(user), correlation_id: "bench".to_owned(), address: None };
    let mut times = Vec::with_capacity(MUTATIONS);
    for place in places.iter().skip(step / 2 + 1).step_by(step).take(MUTATIONS) {
        let (begun, request) = (Instant::now(), counter.next(&place.namespace));
        app.restart_application(&caller, place.id, None).await.unwrap();
        times.push(request.await.duration_since(begun));
    }
    println!("mutation to first request: {}", spread(times));
    println!("memory at the end {} MB, most {} MB", memory("VmRSS"), memory("VmHWM"));
    stop.cancel();
    running.await.unwrap();
    watching.await.unwrap();
    cluster.stop().await;
    servers.nats.stop().await;
    servers.redis.stop().await;
    servers.postgres.stop().await;
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match std::env::var(cluster::DIRECTORY) {
        Ok(directory) => runtime.block_on(cluster::serve(directory.into())),
        Err(_) => {
            let asked = std::env::var("NORTHSTACK_BENCH_APPLICATIONS").ok().map(|number| number.parse().unwrap());
            runtime.block_on(measure(asked.unwrap_or(10_000)));
        }
    }
}
