//! A cluster that is away for longer than a step's tries last: the store waits for it, says so, and goes on by itself.

use northstack::workflow::Faults;
use northstack::workflow::flows::store;
use northstack::workflow::testing::{Bench, Worker, ended, undisturbed};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Town;
use crate::workflow::runner::until;

/// (name, attempt, detail) of the step at which an operation stands.
async fn stands(town: &Town, operation: Uuid) -> Option<(String, i32, Option<String>)> {
    sqlx::query_as(
        "select name, attempt, detail from operation_steps
         where operation_id = $1 and status in ('running', 'waiting', 'undoing') order by ordinal limit 1",
    )
    .bind(operation)
    .fetch_optional(&town.pool())
    .await
    .unwrap()
}

/// Waits until an operation says that it has waited for a second: with this kit's pauses that is twice the old tries.
async fn waits_for_it(town: &Town, operation: Uuid, reason: &str) {
    let mut seen = None;
    until(&format!("the step says: {reason}"), async || {
        seen = stands(town, operation).await;
        seen.as_ref()
            .and_then(|(_, _, detail)| detail.as_deref())
            .is_some_and(|detail| detail.contains(reason) && detail.ends_with(" s") && !detail.ends_with(" 0 s"))
    })
    .await;
    let (_, attempt, _) = seen.unwrap();
    assert!(attempt <= 1, "an outage uses up no try: {attempt}");
}

fn away() -> [(Value, &'static str); 4] {
    [
        (json!({"status": 503, "message": "apiserver not ready"}), "apiserver not ready"),
        (json!({"status": 500, "message": "etcdserver: leader changed"}), "leader changed"),
        (json!({"status": 429, "message": "too many requests"}), "too many requests"),
        (json!({"effect": "drop"}), "Kubernetes"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_goes_on_after_an_outage_as_if_there_had_been_none() {
    let town = Town::new(store::CREATE).await;
    let expected = undisturbed(&town).await;
    for (fault, reason) in away() {
        let operation = town.submit().await;
        town.order(Some(&fault)).await;
        let worker = Worker::start(&town, Faults::none());
        waits_for_it(&town, operation, reason).await;
        town.order(None).await;
        assert_eq!(ended(&town, operation).await, "succeeded", "{fault}");
        worker.stop().await;
        assert_eq!(town.dump(operation).await, expected, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_while_a_deletion_or_an_undo_is_at_work_is_waited_out() {
    let town = Town::new(store::DELETE).await;
    let id = town.ready("My Shop").await;
    town.order(Some(&json!({"status": 503}))).await;
    let deletion = town.delete(id).await.operation;
    let worker = Worker::start(&town, Faults::none());
    waits_for_it(&town, deletion, "Kubernetes").await;
    town.order(None).await;
    assert_eq!(ended(&town, deletion).await, "succeeded");

    let made = town.create("Another Shop").await;
    until("its namespace is there", async || {
        let (store_id, ..) = town.row(made.store).await;
        town.kubernetes.namespace(&store_id).await.unwrap().is_some()
    })
    .await;
    town.order(Some(&json!({"status": 503}))).await;
    town.cancel(made.operation).await;
    waits_for_it(&town, made.operation, "Kubernetes").await;
    town.order(None).await;
    assert_eq!(ended(&town, made.operation).await, "cancelled");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_the_cluster_refuses_is_said_and_left_out() {
    let town = Town::new(store::CREATE).await;
    for status in [403, 422, 404] {
        let operation = town.submit().await;
        let fault = json!({"verb": "patch", "kind": "ResourceQuota", "status": status, "message": "no quotas here"});
        town.order(Some(&fault)).await;
        let worker = Worker::start(&town, Faults::none());
        assert_eq!(ended(&town, operation).await, "succeeded", "{status}");
        worker.stop().await;
        town.order(None).await;
        let step: (String, Option<String>) =
            sqlx::query_as("select status, detail from operation_steps where operation_id = $1 and name = 'quota'")
                .bind(operation)
                .fetch_one(&town.pool())
                .await
                .unwrap();
        assert_eq!(step.0, "skipped", "{status}");
        assert!(step.1.as_deref().is_some_and(|detail| detail.contains("no quotas here")), "{:?}", step.1);
        let said: i64 = sqlx::query_scalar(
            "select count(*) from store_events e join operations o on o.subject_id = e.store_id
             where o.id = $1 and event_type = 'quota' and severity = 'warning' and message like '%no quotas here%'",
        )
        .bind(operation)
        .fetch_one(&town.pool())
        .await
        .unwrap();
        assert_eq!(said, 1, "{status}");
    }
}
