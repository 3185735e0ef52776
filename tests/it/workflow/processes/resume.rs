//! A worker that is started again after `kill -9` goes on at once, however long its predecessor's leases are.

use std::time::{Duration, Instant};

use sqlx::postgres::PgPoolOptions;

use super::{Process, load};
use crate::support;
use crate::workflow::runner::until;

/// Far longer than the test: nothing of it lapses.
const LEASE: Duration = Duration::from_secs(3600);
/// What T14 allows from the kill to the operation's end by its successor.
const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_worker_takes_over_from_the_one_that_was_killed() {
    let pool = PgPoolOptions::new().max_connections(4).connect_with(support::database().await).await.unwrap();
    let owner = load::prepare(&pool).await;
    // A lock that another transaction holds keeps the worker in the effect of a step.
    let mut held = pool.begin().await.unwrap();
    sqlx::query("lock table effects in access exclusive mode").execute(&mut *held).await.unwrap();
    let id = load::submit(&pool, owner, 0).await;
    let first = Process::with_lease(&pool.connect_options(), LEASE);
    let id_of_first = first.0.id();
    until("the worker is in the step", async || load::held_by(&pool, id_of_first).await == 1).await;
    first.kill();
    let killed = Instant::now();
    held.rollback().await.unwrap();
    let _second = Process::with_lease(&pool.connect_options(), LEASE);
    until("the successor ends the operation", async || load::open(&pool).await == 0).await;
    let took = killed.elapsed();
    println!("resumed and ended {took:?} after the kill");
    let dump = load::dump(&pool).await;
    assert_eq!(dump["00000"][1], "succeeded", "{id}: {dump:?}");
    assert!(took < LIMIT, "{took:?}");
}
