//! Requests about one store in the same moment.

use futures::future::join_all;
use northstack::workflow::Faults;
use northstack::workflow::flows::store;
use northstack::workflow::testing::{Bench, Worker, ended};
use sqlx::PgPool;
use uuid::Uuid;

use super::bench::Town;
use crate::workflow::runner::until;

/// Waits until so many statements of a database wait for a lock.
pub async fn waiting_for_locks(pool: &PgPool, count: i64) {
    until(&format!("{count} requests wait for each other"), async || {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.unwrap() >= count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_of_one_store_are_one_deletion() {
    let town = Town::with(store::DELETE, |config| config.database.max_connections = 12).await;
    let id = town.ready("My Shop").await;
    // Each has read which operations are open before the first gets the store.
    let mut held = town.pool().begin().await.unwrap();
    sqlx::query("select 1 from stores where id = $1 for update").bind(id).execute(&mut *held).await.unwrap();
    let deletions = join_all((0..6).map(|_| town.delete(id)));
    let (deletions, ()) = tokio::join!(deletions, async {
        waiting_for_locks(&town.pool(), 6).await;
        held.rollback().await.unwrap();
    });
    assert!(deletions.iter().all(|deletion| *deletion == deletions[0]), "{deletions:?}");
    let operations: i64 = sqlx::query_scalar("select count(*) from operations where kind = 'store.delete'")
        .fetch_one(&town.pool())
        .await
        .unwrap();
    assert_eq!(operations, 1);
    let worker = Worker::start(&town, Faults::none());
    assert_eq!(ended(&town, deletions[0].operation).await, "succeeded");
    worker.stop().await;
    assert_eq!(town.row(id).await.1, "deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_that_are_open_beside_each_other_all_end() {
    let town = Town::new(store::DELETE).await;
    let id = town.ready("My Shop").await;
    let first = town.delete(id).await.operation;
    // As an earlier release made them.
    let copy = "insert into operations (kind, flow_version, team_id, subject_type, subject_id, input, correlation_id)
                select kind, flow_version, team_id, subject_type, subject_id, input, correlation_id
                from operations where id = $1 returning id";
    let second: Uuid = sqlx::query_scalar(copy).bind(first).fetch_one(&town.pool()).await.unwrap();
    let steps = "insert into operation_steps (operation_id, ordinal, name, title)
                 select $2, ordinal, name, title from operation_steps where operation_id = $1";
    sqlx::query(steps).bind(first).bind(second).execute(&town.pool()).await.unwrap();
    let worker = Worker::start(&town, Faults::none());
    assert_eq!(ended(&town, first).await, "succeeded");
    assert_eq!(ended(&town, second).await, "succeeded");
    worker.stop().await;
    assert_eq!(town.row(id).await.1, "deleted");
    let said = "select count(*) from store_events where store_id = $1 and event_type = 'deleted'";
    let said: i64 = sqlx::query_scalar(said).bind(id).fetch_one(&town.pool()).await.unwrap();
    assert_eq!(said, 1, "it is said once");
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_and_a_deletion_of_a_failed_store_leave_one_operation_at_work() {
    let town = Town::with(store::CREATE, |config| config.database.max_connections = 12).await;
    let made = town.create("My Shop").await;
    sqlx::query("update stores set status = 'failed'").execute(&town.pool()).await.unwrap();
    sqlx::query("update operations set status = 'failed'").execute(&town.pool()).await.unwrap();
    let mut held = town.pool().begin().await.unwrap();
    sqlx::query("select 1 from stores where id = $1 for update").bind(made.store).execute(&mut *held).await.unwrap();
    let retries = join_all((0..3).map(|_| town.service.app.retry_store(&town.caller, made.store, None)));
    let deletions = join_all((0..3).map(|_| town.service.app.delete_store(&town.caller, made.store, None)));
    let (_, deletions, ()) = tokio::join!(retries, deletions, async {
        waiting_for_locks(&town.pool(), 6).await;
        held.rollback().await.unwrap();
    });
    let deletions: Vec<_> = deletions.into_iter().map(Result::unwrap).collect();
    assert!(deletions.iter().all(|deletion| *deletion == deletions[0]), "{deletions:?}");
    let worker = Worker::start(&town, Faults::none());
    assert_eq!(ended(&town, deletions[0].operation).await, "succeeded");
    worker.stop().await;
    assert_eq!(town.row(made.store).await.1, "deleted");
    let open: i64 =
        sqlx::query_scalar("select count(*) from operations where status in ('queued','running','waiting')")
            .fetch_one(&town.pool())
            .await
            .unwrap();
    assert_eq!(open, 0);
}
