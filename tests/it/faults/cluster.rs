//! A cluster whose API refuses, breaks off and loses answers, under the creation of a store.

use northstack::workflow::Faults;
use northstack::workflow::flows::store;
use northstack::workflow::testing::{Bench, Worker, ended, undisturbed};
use serde_json::{Value, json};

use crate::stores::Town;

/// What the API does to the next requests, each of which a client may ask again.
pub(super) fn passing() -> Vec<Value> {
    vec![
        json!({"verb": "patch", "status": 409, "times": 5}),
        json!({"status": 429, "retryAfter": 1, "times": 2}),
        json!({"status": 429, "times": 3}),
        json!({"verb": "patch", "status": 500, "times": 4}),
        json!({"verb": "get", "status": 500, "times": 4}),
        json!({"status": 503, "times": 4}),
        json!({"status": 504, "times": 4}),
        json!({"effect": "drop", "times": 4}),
        json!({"verb": "patch", "effect": "lose-answer", "times": 4}),
        json!({"verb": "create", "effect": "lose-answer", "times": 4}),
        json!({"latencyMs": 300, "times": 20}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_passes_leaves_what_a_run_without_faults_leaves() {
    let town = Town::new(store::CREATE).await;
    let expected = undisturbed(&town).await;
    for fault in passing() {
        let operation = town.submit().await;
        town.order(Some(&fault)).await;
        let worker = Worker::start(&town, Faults::none());
        assert_eq!(ended(&town, operation).await, "succeeded", "{fault}");
        worker.stop().await;
        town.order(None).await;
        assert_eq!(town.dump(operation).await, expected, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_stays_is_said_and_retried_when_it_is_gone() {
    let town = Town::new(store::CREATE).await;
    let expected = undisturbed(&town).await;
    let operation = town.submit().await;
    town.order(Some(&json!({"verb": "patch", "kind": "Deployment", "status": 403, "message": "not for you"}))).await;
    let worker = Worker::start(&town, Faults::none());
    assert_eq!(ended(&town, operation).await, "failed");
    let said: Option<String> =
        sqlx::query_scalar("select detail from operation_steps where operation_id = $1 and status = 'failed'")
            .bind(operation)
            .fetch_one(&town.pool())
            .await
            .unwrap();
    assert!(said.as_deref().is_some_and(|said| said.contains("not for you")), "{said:?}");
    town.order(None).await;
    town.retry(operation).await;
    assert_eq!(ended(&town, operation).await, "succeeded");
    worker.stop().await;
    assert_eq!(town.dump(operation).await, expected);
}
