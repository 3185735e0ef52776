//! F4: workers are killed at random moments under mixed load; the end is that of an undisturbed run.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use super::{Process, load};
use crate::support;

/// How many kills, unless `NORTHSTACK_KILLS` says otherwise (`make kill-test` says 200).
const KILLS: usize = 30;
/// Operations enqueued before each kill.
const EACH: usize = 6;
/// Where the random moments come from, unless `NORTHSTACK_KILL_SEED` says otherwise: the same seed gives the same moments.
const SEED: u64 = 20_260_101;

fn given<T: std::str::FromStr>(variable: &str, default: T) -> T {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

struct World {
    pool: PgPool,
    owner: (Uuid, Uuid),
}

impl World {
    async fn new() -> Self {
        let database = support::database().await;
        let pool = PgPoolOptions::new().max_connections(8).connect_with(database).await.unwrap();
        let owner = load::prepare(&pool).await;
        Self { pool, owner }
    }

    async fn submit(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            load::submit(&self.pool, self.owner, number).await;
        }
    }

    async fn drained(&self, patience: Duration) {
        let began = Instant::now();
        loop {
            load::cancel_waiting(&self.pool).await;
            let open = load::open(&self.pool).await;
            if open == 0 {
                return;
            }
            assert!(began.elapsed() < patience, "{open} operations are still open");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_kills_under_mixed_load_end_as_an_undisturbed_run_does() {
    let (kills, seed) = (given("NORTHSTACK_KILLS", KILLS), given("NORTHSTACK_KILL_SEED", SEED));
    println!("{kills} kills, seed {seed}");
    let (calm, rough) = (World::new().await, World::new().await);
    let all = 0..kills * EACH;

    calm.submit(all.clone()).await;
    let worker = Process::start(&calm.pool.connect_options());
    calm.drained(Duration::from_secs(300)).await;
    drop(worker);

    let mut random = StdRng::seed_from_u64(seed);
    let database = rough.pool.connect_options();
    let mut workers = vec![Process::start(&database), Process::start(&database)];
    let (began, mut at_work) = (Instant::now(), 0);
    for kill in 0..kills {
        rough.submit(kill * EACH..(kill + 1) * EACH).await;
        load::cancel_waiting(&rough.pool).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(5..250))).await;
        let victim = workers.swap_remove(random.random_range(0..workers.len()));
        at_work += usize::from(load::held_by(&rough.pool, victim.kill()).await > 0);
        workers.push(Process::start(&database));
    }
    let disturbed = began.elapsed();
    rough.drained(Duration::from_secs(120)).await;
    drop(workers);
    let claims: i64 =
        sqlx::query_scalar("select sum(generation)::bigint from operations").fetch_one(&rough.pool).await.unwrap();
    println!("{} operations, {kills} kills in {disturbed:?}, {at_work} of them at work, {claims} claims", all.len());
    assert!(at_work * 5 >= kills, "seed {seed}: only {at_work} of {kills} kills met a worker at work");

    let (expected, left) = (load::dump(&calm.pool).await, load::dump(&rough.pool).await);
    assert_eq!(expected.len(), all.len());
    for (label, end) in &expected {
        assert_eq!(left.get(label), Some(end), "seed {seed}, operation {label}");
    }
    let order = load::lanes(&rough.pool).await;
    assert_eq!(order, load::lanes(&calm.pool).await, "seed {seed}");
    assert!(order.values().all(|labels| labels.is_sorted() && labels.len() > 1), "{order:?}");
}
