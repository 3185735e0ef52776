//! What reconcilers do to applications are operations: a slow cluster holds no row, and what fails is not begun again and
//! again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use northstack::app::background::{Drift, Reconciler, check_drift, once, remove_departed};
use northstack::db::{Audit, operations};
use northstack::workflow::flows::application::drift::heal::HEAL;
use northstack::workflow::flows::application::sweep::SWEEP;
use northstack::workflow::flows::application::{OBJECTS, SUBJECT};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::drift::{healing, tamper};
use crate::runtime::town::Town;

/// How long the cluster takes for one answer.
const SLOW: Duration = Duration::from_secs(3);
/// How soon whoever else wants an application's row gets it.
const SOON: Duration = Duration::from_millis(800);

async fn pass(town: &Town) -> Drift {
    check_drift(&town.service.app).await.unwrap()
}

/// (kind, status, what it failed by) of what was done to an application's objects, oldest first.
async fn repairs(town: &Town, application: Uuid) -> Vec<(String, String, Option<String>)> {
    sqlx::query_as(
        "select kind, status, error_message from operations
         where subject_type = $1 and subject_id = $2 and lane = 'application/' || $2 and requested_by is null
         order by created_at",
    )
    .bind(OBJECTS)
    .bind(application)
    .fetch_all(town.pool())
    .await
    .unwrap()
}

/// While work goes on, nobody holds the application's row, and no transaction stands open.
async fn free_while<T>(town: &Town, application: Uuid, work: impl Future<Output = T>) -> T {
    let mut other = PgConnection::connect_with(&town.pool().connect_options()).await.unwrap();
    let limit = format!("set lock_timeout = {}", SOON.as_millis());
    sqlx::query(sqlx::AssertSqlSafe(limit)).execute(&mut other).await.unwrap();
    let begun = Instant::now();
    // Beside the work, which goes on while the row is waited for.
    let looks = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let lock = sqlx::query("select from applications where id = $1 for update").bind(application);
            let locked = lock.execute(&mut other).await;
            assert!(locked.is_ok(), "{:?} after the beginning: {locked:?}", begun.elapsed());
            let idle: Vec<String> = sqlx::query_scalar(
                "select query from pg_stat_activity
                 where datname = current_database() and state like 'idle in transaction%'
                   and state_change < clock_timestamp() - make_interval(secs => $1)",
            )
            .bind(SOON.as_secs_f64())
            .fetch_all(&mut other)
            .await
            .unwrap();
            assert_eq!(idle, [] as [&str; 0], "{:?} after the beginning", begun.elapsed());
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = looks => unreachable!("they go on for as long as the work does"),
    };
    assert!(begun.elapsed() >= SLOW, "the cluster was slow");
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_cluster_holds_no_row_while_an_application_is_put_right() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    town.kubernetes.delete::<Service>(&api.target.namespace, "api").await.unwrap();
    let slow = json!({ "verb": "patch", "kind": "PodDisruptionBudget", "latencyMs": SLOW.as_millis(), "times": 1 });
    town.fault(slow).await;
    let seen = free_while(&town, api.id, pass(&town)).await;
    assert_eq!(seen.healed, [api.id], "{seen:?}");
    assert_eq!(repairs(&town, api.id).await, [(HEAL.to_owned(), "succeeded".to_owned(), None)]);
    let newest = operations::newest(town.pool(), SUBJECT, api.id).await.unwrap();
    assert_eq!(newest, None, "it is no newest operation of the application");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_cluster_holds_no_row_while_a_deleted_application_is_removed() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    let forget = "update applications set deleted_at = now() where id = $1";
    sqlx::query(forget).bind(api.id).execute(town.pool()).await.unwrap();
    let slow = json!({ "verb": "delete", "kind": "PodDisruptionBudget", "latencyMs": SLOW.as_millis(), "times": 1 });
    town.fault(slow).await;
    let removed = free_while(&town, api.id, remove_departed(&town.service.app)).await;
    assert_eq!(removed.unwrap(), [api.id]);
    assert_eq!(repairs(&town, api.id).await, [(SWEEP.to_owned(), "succeeded".to_owned(), None)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_right_is_tried_ever_more_rarely_and_told_as_before() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    tamper::<Deployment>(&town, &api, "api", json!({ "metadata": { "labels": { "northstack.dev/track": "x" } } }))
        .await;
    let refuse = json!({ "verb": "patch", "kind": "Deployment", "status": 403, "message": "not for you" });
    town.fault(refuse).await;
    for _ in 0..6 {
        let seen = pass(&town).await;
        assert_eq!((&seen.drifted, &seen.left, seen.healed.len()), (&vec![api.id], &vec![api.id], 0));
    }
    let done = repairs(&town, api.id).await;
    assert_eq!(done.len(), 3, "{done:?}");
    assert!(done.iter().all(|(_, status, why)| status == "failed" && why.as_ref().unwrap().contains("not for you")));
    let told: Vec<String> =
        sqlx::query_scalar("select detail from alerts where resolved_at is null").fetch_all(town.pool()).await.unwrap();
    let [told] = told.as_slice() else { panic!("one alert: {told:?}") };
    assert!(told.contains("northstack.dev/track") && told.contains("it could not be put right"), "{told}");
    assert!(told.contains("not for you"), "{told}");

    // Something else is another matter, and is tried at once.
    town.kubernetes.delete::<PodDisruptionBudget>(&api.target.namespace, "api").await.unwrap();
    pass(&town).await;
    assert_eq!(repairs(&town, api.id).await.len(), 4);
    // So is the same once it has rested.
    town.well().await;
    let rested = "update operations set finished_at = finished_at - interval '1 hour'";
    sqlx::query(rested).execute(town.pool()).await.unwrap();
    assert_eq!(pass(&town).await.healed, [api.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn repairs_that_ended_long_ago_are_forgotten() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    for _ in 0..2 {
        town.kubernetes.delete::<Service>(&api.target.namespace, "api").await.unwrap();
        assert_eq!(pass(&town).await.healed, [api.id]);
    }
    // Beside them an operation that a person has asked for.
    let deployed = "insert into operations (kind, team_id, subject_type, subject_id, correlation_id, status, finished_at)
                    select 'application.restart', team_id, $1, $2, 'c', 'succeeded', finished_at from operations limit 1";
    sqlx::query(deployed).bind(SUBJECT).bind(api.id).execute(town.pool()).await.unwrap();
    let counts = async || -> (i64, i64, i64) {
        let counts = "select count(*) filter (where subject_type = $1), count(*) filter (where subject_type = $2),
                             (select count(distinct operation_id) from operation_steps)
                      from operations where subject_id = $3";
        sqlx::query_as(counts).bind(OBJECTS).bind(SUBJECT).bind(api.id).fetch_one(town.pool()).await.unwrap()
    };
    let (_, requested, _) = counts().await;
    let collect = async || once(&town.service.app, Reconciler::Orphans, "it", Duration::from_secs(60)).await;
    assert!(collect().await.is_some());
    assert_eq!(counts().await, (2, requested, 2), "the recent ones stay");
    let age = "update operations set finished_at = finished_at - interval '15 days'
               where id in (select id from operations where subject_type = $1 order by created_at limit 1) or subject_type = $2";
    sqlx::query(age).bind(OBJECTS).bind(SUBJECT).execute(town.pool()).await.unwrap();
    assert!(collect().await.is_some());
    assert_eq!(counts().await, (1, requested, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_a_vendor_within_a_transaction_is_stopped() {
    let town = Arc::new(Town::new().await);
    let asks = tokio::spawn({
        let town = Arc::clone(&town);
        async move {
            let (db, by) = (&town.service.app.db, Audit::system(None));
            db.transaction(&by, async |_tx| Ok(town.kubernetes.version().await.unwrap())).await.unwrap()
        }
    });
    assert!(asks.await.unwrap_err().is_panic(), "a cluster was asked while a transaction was open");
    assert!(town.kubernetes.version().await.is_ok(), "and may be asked outside of one");
}
