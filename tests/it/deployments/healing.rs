//! An application that is put right by an operation in its lane, and what else is asked of it meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Service;
use northstack::app::background::{Drift, check_drift_of};
use northstack::db::operations;
use northstack::domain::OperationStatus;
use northstack::workflow::Faults;
use northstack::workflow::flows::application::{ROLLING, SUBJECT};
use northstack::workflow::testing::{Bench, Worker, ended};
use serde_json::json;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::bench::Town;
use crate::support::Pause;

/// A running application that has drifted.
async fn drifted(town: &Town) -> Uuid {
    let id = town.running("api", json!({})).await;
    town.drifted(id).await;
    id
}

/// A look at an application, beside the test.
fn look(town: &Town, id: Uuid) -> JoinHandle<Drift> {
    let app = Arc::clone(&town.service.app);
    tokio::spawn(async move { check_drift_of(&app, &[id]).await.unwrap() })
}

async fn stands(town: &Town, id: Uuid) -> bool {
    town.kubernetes.get::<Service>(&town.namespace(id).await, "api").await.unwrap().is_some()
}

/// The statuses of an operation's steps.
async fn steps(town: &Town, operation: Uuid) -> Vec<String> {
    sqlx::query_scalar("select status from operation_steps where operation_id = $1 order by ordinal")
        .bind(operation)
        .fetch_all(&town.pool())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_takes_the_place_of_a_heal_that_nobody_has_begun() {
    let town = Town::new(ROLLING).await;
    let id = drifted(&town).await;
    let looks = look(&town, id);
    let heal = town.begun(id).await;
    let made = town.deploy(id, "nginx:2").await;
    let heal = operations::find(&town.pool(), heal).await.unwrap().unwrap();
    assert_eq!(heal.status, OperationStatus::Cancelled);
    let by = town.text("operations", "superseded_by", heal.id).await;
    assert_eq!(by, Some(made.operation.to_string()));
    assert_eq!(town.finish(made.operation).await, "succeeded");
    let seen = looks.await.unwrap();
    assert_eq!((seen.left, seen.healed), (vec![id], vec![]));
    assert!(stands(&town, id).await, "the deployment has put it right");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_waits_for_a_heal_at_work_and_goes_on_after_it() {
    let town = Town::new(ROLLING).await;
    let id = drifted(&town).await;
    let (pause, faults) = Pause::after("apply");
    let worker = Worker::start(&town, faults);
    let looks = look(&town, id);
    pause.reached().await;
    let heal = town.begun(id).await;
    let made = town.deploy(id, "nginx:2").await;
    let waits = operations::find(&town.pool(), made.operation).await.unwrap().unwrap();
    assert!(waits.lane_blocked && stands(&town, id).await);
    let waits_for = town.text("operations", "northstack_operation_waits_for(operations)", made.operation).await;
    assert_eq!(waits_for.as_deref(), Some("the repair of api, which is at work: wait"));
    assert_eq!(operations::newest(&town.pool(), SUBJECT, id).await.unwrap(), Some(made.operation));
    pause.go_on();
    assert_eq!(ended(&town, heal).await, "succeeded");
    assert_eq!(steps(&town, heal).await, ["succeeded", "skipped"], "the deployment is looked after instead");
    let seen = looks.await.unwrap();
    assert_eq!((seen.left, seen.healed), (vec![id], vec![]));
    assert_eq!(ended(&town, made.operation).await, "succeeded");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heal_that_the_cluster_does_not_answer_gives_up_soon_and_may_be_retried() {
    let town = Town::new(ROLLING).await;
    let id = drifted(&town).await;
    town.fault(json!({ "verb": "patch", "kind": "Service", "status": 503, "message": "etcd is away" })).await;
    let worker = Worker::start(&town, Faults::none());
    let begun = Instant::now();
    let looks = look(&town, id);
    let heal = town.begun(id).await;
    assert_eq!(ended(&town, heal).await, "failed");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    let seen = looks.await.unwrap();
    assert_eq!((&seen.left, seen.healed.len()), (&vec![id], 0), "{seen:?}");
    town.well().await;
    town.retry(heal).await;
    assert_eq!(ended(&town, heal).await, "succeeded");
    assert_eq!(steps(&town, heal).await, ["succeeded"; 2]);
    assert!(stands(&town, id).await);
    worker.stop().await;
}
