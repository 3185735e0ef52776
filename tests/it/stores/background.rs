//! The reconcilers, against real PostgreSQL and the simulated cluster: each pass once, and once more to find nothing.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Service as KubernetesService};
use northstack::app::background::{Changes, Reconciler, check_stores, find_orphans, once, sweep_leases};
use northstack::db::claims::{self, Claim};
use northstack::db::operations;
use northstack::domain::Direction;
use northstack::workflow::Faults;
use northstack::workflow::flows::store;
use northstack::workflow::testing::{Bench, Worker, ended};
use serde_json::json;
use uuid::Uuid;

use super::bench::Town;

/// (title, subject, whether it is resolved) of every alert, oldest first.
async fn alerts(town: &Town) -> Vec<(String, Uuid, bool)> {
    sqlx::query_as("select title, subject_id, resolved_at is not null from alerts order by created_at, title")
        .fetch_all(&town.pool())
        .await
        .unwrap()
}

/// The newest line of a store's event log.
async fn last_event(town: &Town, store: Uuid) -> (String, String) {
    sqlx::query_as("select event_type, message from store_events where store_id = $1 order by created_at desc limit 1")
        .bind(store)
        .fetch_one(&town.pool())
        .await
        .unwrap()
}

/// How many rows every write of the reconcilers would add to.
async fn writes(town: &Town) -> i64 {
    sqlx::query_scalar("select (select count(*) from audit_logs) + (select count(*) from store_events)")
        .fetch_one(&town.pool())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_no_longer_answers_is_reported_once_and_again_when_it_does() {
    let town = Town::new(store::CREATE).await;
    let app = &town.service.app;
    let id = town.ready("My Shop").await;
    let (namespace, ..) = town.row(id).await;
    let before = writes(&town).await;
    assert_eq!(check_stores(app).await.unwrap(), Changes::default());
    assert_eq!(writes(&town).await, before, "a store that answers is not written to");

    let mut service: KubernetesService = town.kubernetes.get(&namespace, "woocommerce-service").await.unwrap().unwrap();
    town.kubernetes.delete::<KubernetesService>(&namespace, "woocommerce-service").await.unwrap();
    assert_eq!(check_stores(app).await.unwrap(), Changes { raised: vec![id], resolved: vec![] });
    assert_eq!(alerts(&town).await, [("A store does not answer".to_owned(), id, false)]);
    let (kind, message) = last_event(&town, id).await;
    assert_eq!(kind, "unhealthy");
    assert!(message.starts_with("The store does not answer: its storefront answers with status "), "{message}");
    assert_eq!(town.row(id).await.1, "ready");
    let before = writes(&town).await;
    assert_eq!(check_stores(app).await.unwrap(), Changes::default());
    assert_eq!(writes(&town).await, before, "what is known is not written again");

    service.metadata.resource_version = None;
    service.metadata.uid = None;
    if let Some(spec) = &mut service.spec {
        spec.cluster_ip = None;
        spec.cluster_ips = None;
    }
    town.kubernetes.create_once(&namespace, &service).await.unwrap();
    assert_eq!(check_stores(app).await.unwrap(), Changes { raised: vec![], resolved: vec![id] });
    assert_eq!(alerts(&town).await, [("A store does not answer".to_owned(), id, true)]);
    assert_eq!(last_event(&town, id).await.0, "healthy");

    town.kubernetes.delete_namespace(&namespace).await.unwrap();
    assert_eq!(check_stores(app).await.unwrap().raised, [id], "a namespace that is on its way out");
    sqlx::query("update stores set status = 'deleting' where id = $1").bind(id).execute(&town.pool()).await.unwrap();
    assert_eq!(check_stores(app).await.unwrap().resolved, [id], "a store that is being deleted owes no answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_store_goes_with_it() {
    let town = Town::new(store::CREATE).await;
    let (app, pool) = (&town.service.app, town.pool());
    let id = town.ready("My Shop").await;
    let (namespace, ..) = town.row(id).await;
    town.kubernetes.delete::<KubernetesService>(&namespace, "woocommerce-service").await.unwrap();
    assert_eq!(check_stores(app).await.unwrap().raised, [id]);
    let title = "A store does not answer".to_owned();

    let deletion = town.delete(id).await;
    assert_eq!(alerts(&town).await, [(title.clone(), id, true)], "no pass has looked since");
    assert_eq!(check_stores(app).await.unwrap(), Changes::default());

    // A pass that looked before that may still have something to say.
    let late = "insert into alerts (team_id, severity, title, subject_type, subject_id)
                select team_id, severity, 'Late', subject_type, subject_id from alerts";
    assert_eq!(sqlx::query(late).execute(&pool).await.unwrap().rows_affected(), 1);
    let worker = Worker::start(&town, Faults::none());
    assert_eq!(ended(&town, deletion.operation).await, "succeeded");
    worker.stop().await;
    assert_eq!(alerts(&town).await, [(title, id, true), ("Late".to_owned(), id, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_without_a_store_is_reported_and_left_alone() {
    let town = Town::new(store::CREATE).await;
    let app = &town.service.app;
    let id = town.ready("My Shop").await;
    let (namespace, ..) = town.row(id).await;
    assert!(find_orphans(app).await.unwrap().is_empty(), "a live store's namespace is no orphan");

    let foreign: Namespace = serde_json::from_value(json!({
        "metadata": { "name": "store-00000000",
            "labels": { "app": "store-platform", "app.kubernetes.io/managed-by": "northstack" } },
    }))
    .unwrap();
    town.kubernetes.apply_namespace(&foreign).await.unwrap();
    let forget = "update stores set status = 'deleted', deleted_at = now() where id = $1";
    sqlx::query(forget).bind(id).execute(&town.pool()).await.unwrap();
    let expected = ["store-00000000".to_owned(), namespace.clone()];
    assert_eq!(find_orphans(app).await.unwrap(), expected);
    let title = "The namespace of a deleted store is still there".to_owned();
    assert_eq!(alerts(&town).await, [(title.clone(), id, false)], "nobody can be told of a store that never was");
    assert_eq!(find_orphans(app).await.unwrap(), expected);
    assert_eq!(alerts(&town).await.len(), 1);
    for name in &expected {
        let found = town.kubernetes.namespace(name).await.unwrap().expect("it is left alone");
        assert!(found.metadata.deletion_timestamp.is_none());
    }
    town.kubernetes.delete_namespace(&namespace).await.unwrap();
    assert_eq!(find_orphans(app).await.unwrap(), ["store-00000000"]);
    assert_eq!(alerts(&town).await, [(title, id, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_workers_lease_is_given_back_and_stuck_operations_are_reported() {
    let town = Town::new(store::CREATE).await;
    let (app, pool) = (&town.service.app, town.pool());
    let made = town.create("My Shop").await;
    let known = town.registry().known();
    let claim = Claim { holder: "a-worker", lease: Duration::ZERO, known: &known, limit: 1, per_team: 8 };
    let claimed = claims::claim(&pool, &claim).await.unwrap();
    let generation = claimed[0].generation;
    let swept = sweep_leases(app).await.unwrap();
    assert_eq!((swept.released, swept.unclaimed), (1, Changes::default()));
    let row: (Option<String>, i64) = sqlx::query_as("select lease_holder, generation from operations where id = $1")
        .bind(made.operation)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(row, (None, generation + 1), "whoever still writes under the old lease is fenced out");
    assert_eq!(sweep_leases(app).await.unwrap().released, 0);

    let age = async |seconds: f64| {
        let statement = "update operations set available_at = now() - make_interval(secs => $2) where id = $1";
        sqlx::query(statement).bind(made.operation).bind(seconds).execute(&pool).await.unwrap();
    };
    age(1000.0).await;
    assert_eq!(sweep_leases(app).await.unwrap().unclaimed.raised, [made.operation]);
    assert_eq!(sweep_leases(app).await.unwrap().unclaimed, Changes::default());
    age(0.0).await;
    assert_eq!(sweep_leases(app).await.unwrap().unclaimed.resolved, [made.operation]);

    let stuck =
        "update operations set status = 'failed', direction = 'undo', stuck_reason = 'it is kept' where id = $1";
    sqlx::query(stuck).bind(made.operation).execute(&pool).await.unwrap();
    assert_eq!(sweep_leases(app).await.unwrap().not_undone.raised, [made.operation]);
    let detail: String =
        sqlx::query_scalar("select detail from alerts where resolved_at is null").fetch_one(&pool).await.unwrap();
    assert_eq!(detail, "store.create: it is kept");
    let mut tx = pool.begin().await.unwrap();
    assert!(operations::requeue(&mut tx, made.operation, Direction::Undo).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(sweep_leases(app).await.unwrap().not_undone.resolved, [made.operation]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_one_does_the_pass_until_it_lets_go() {
    let town = Town::new(store::CREATE).await;
    let app = &town.service.app;
    let period = Duration::from_secs(60);
    let lease = once(app, Reconciler::Leases, "one", period).await.expect("nobody has it");
    assert!(once(app, Reconciler::Leases, "two", period).await.is_none());
    assert!(once(app, Reconciler::Leases, "one", period).await.is_some());
    assert!(once(app, Reconciler::Stores, "two", period).await.is_some(), "each reconciler is held by itself");
    lease.release(&town.pool()).await.unwrap();
    assert!(once(app, Reconciler::Leases, "two", period).await.is_some());
}
