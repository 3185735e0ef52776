//! What an operation of the cache costs on a server of the same machine: 99 of 100 within a millisecond.
//!
//! `cargo bench --bench cache`, on a machine that does nothing else; it fails when an operation takes longer. The floor is a `GET` over a bare connection of the `redis` crate, measured in the same run.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use northstack::cache::Cache;
use northstack::config;
use northstack::dev::servers::Redis;
use northstack::domain::Redacted;
use serde_json::{Value, json};

const ROUNDS: usize = 5_000;
const MINUTE: Duration = Duration::from_secs(60);

fn row() -> Value {
    json!({ "id": "5b0b5b7e-3f5e-4a3a-9d7e-0d4f2a6f0c11", "status": "running", "revision": 17, "replicas": [3, 3, 3] })
}

/// The longest time that 99 of 100 may take.
const LIMIT: Duration = Duration::from_millis(1);
/// Operations that took longer.
static OVER: AtomicUsize = AtomicUsize::new(0);

/// Runs a piece of work again and again, one after the other, and prints how long it took. Gives the median.
async fn measure(what: &str, floor: Option<Duration>, mut work: impl AsyncFnMut(usize)) -> Duration {
    for round in 0..200 {
        work(round).await;
    }
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let began = Instant::now();
        work(round).await;
        times.push(began.elapsed());
    }
    times.sort();
    let (median, last) = (times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
    let ratio = floor.map(|floor| format!(", {:.2} x the floor", median.as_secs_f64() / floor.as_secs_f64()));
    let verdict = if last < LIMIT { "" } else { "  OVER 1 ms" };
    if last >= LIMIT && floor.is_some() {
        OVER.fetch_add(1, Ordering::Relaxed);
    }
    println!("{what:<28} p50 {median:>9.2?}  p99 {last:>9.2?}{}{verdict}", ratio.unwrap_or_default());
    median
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let password = Redacted::from("bench");
    let server = Redis::start(directory.path(), &password).await.unwrap();
    let bare = redis::Client::open(server.url().expose().as_str()).unwrap();
    let mut bare = bare.get_multiplexed_async_connection().await.unwrap();
    let settings = config::Cache {
        addresses: vec![format!("127.0.0.1:{}", server.port())],
        password: Some(password),
        ..config::Cache::default()
    };
    let cache = Cache::connect(&settings).await.unwrap();
    cache.set("row", &row(), MINUTE).await.unwrap();
    let key = cache.key("row");
    let floor = measure("floor: GET, bare", None, async |_| {
        redis::cmd("GET").arg(&key).query_async::<Vec<u8>>(&mut bare).await.unwrap();
    })
    .await;
    let floor = Some(floor);
    measure("get", floor, async |_| drop(cache.get::<Value>("row").await.unwrap())).await;
    measure("set", floor, async |_| cache.set("row", &row(), MINUTE).await.unwrap()).await;
    measure("get_or_set, present", floor, async |_| {
        cache.get_or_set("row", MINUTE, || async { Ok(row()) }).await.unwrap();
    })
    .await;
    measure("get_or_set, absent", floor, async |round| {
        cache.get_or_set(&format!("new-{round}"), MINUTE, || async { Ok(round) }).await.unwrap();
    })
    .await;
    let limiter = cache.rate_limiter("bench");
    measure("limit", floor, async |_| {
        limiter.check("me", 100, MINUTE).await.unwrap();
    })
    .await;
    let lock = cache.lock("bench", MINUTE);
    measure("lock and release", floor, async |_| lock.try_acquire().await.unwrap().release().await.unwrap()).await;
    measure("publish", floor, async |_| {
        cache.publish("bench", &row()).await.unwrap();
    })
    .await;
    let mut pipeline = redis::pipe();
    for number in 0..10 {
        pipeline.cmd("SET").arg(cache.key(&format!("p{number}"))).arg(number).ignore();
    }
    measure("pipeline of 10", floor, async |_| cache.pipeline::<()>(&pipeline).await.unwrap()).await;
    server.stop().await;
    let over = OVER.load(Ordering::Relaxed);
    assert!(over == 0, "{over} operations take longer than {LIMIT:?}");
}
