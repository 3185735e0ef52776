//! Leases: one holder at a time, by the database's clock.

use std::time::Duration;

use northstack::db::leases;

use super::database;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn one_holder_at_a_time_and_each_change_raises_the_generation() {
    let db = database().await;
    let first = leases::acquire(db.pool(), "bridge", "a", LONG).await.unwrap().unwrap();
    assert_eq!(leases::acquire(db.pool(), "bridge", "b", LONG).await.unwrap(), None);
    let again = leases::acquire(db.pool(), "bridge", "a", LONG).await.unwrap().unwrap();
    assert_eq!(again.generation, first.generation, "the same holder keeps its generation");
    assert!(first.renew(db.pool(), LONG).await.unwrap());
    first.release(db.pool()).await.unwrap();
    let second = leases::acquire(db.pool(), "bridge", "b", LONG).await.unwrap().unwrap();
    assert_eq!(second.generation, first.generation + 1);
    assert!(!first.renew(db.pool(), LONG).await.unwrap(), "the former holder is refused");
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_gets_it() {
    let db = database().await;
    let asked = (0..20).map(|n| {
        let pool = db.pool().clone();
        async move { leases::acquire(&pool, "race", &format!("holder-{n}"), LONG).await.unwrap() }
    });
    let granted = futures::future::join_all(asked).await.into_iter().flatten().count();
    assert_eq!(granted, 1);
}

#[tokio::test]
async fn an_expired_lease_is_free_and_a_kept_one_says_when_it_is_lost() {
    let db = database().await;
    let ttl = Duration::from_millis(150);
    let kept = leases::acquire(db.pool(), "kept", "a", ttl).await.unwrap().unwrap().keep(db.pool(), ttl);
    // Renewed in the background, it outlives its time.
    tokio::time::timeout(ttl * 3, kept.lost().cancelled()).await.unwrap_err();
    assert_eq!(leases::acquire(db.pool(), "kept", "b", ttl).await.unwrap(), None);
    // Somebody takes it by force, as after a pause of this process.
    sqlx::query("update leases set holder = 'b', generation = generation + 1").execute(db.pool()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), kept.lost().cancelled()).await.expect("the holder is told");
}
