//! The Secret of an application that somebody has taken away: told without its value, and put right.

use k8s_openapi::api::core::v1::Secret;
use northstack::app::background::check_drift;
use northstack::workflow::Faults;
use northstack::workflow::testing::{Bench, Worker};
use serde_json::json;

use super::{in_cluster, point, seen_by_pods, set, town};

const VALUE: &str = "canary-77b3";

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_gone_is_told_and_comes_back_while_its_value_is_kept() {
    let town = town().await;
    set(&town, "api-key", VALUE).await;
    let app = town.application("api", json!({ "heal_drift": true })).await;
    point(&town, app, json!({ "API_KEY": "api-key" })).await;
    let made = town.deploy(app, "nginx:1").await;
    assert_eq!(town.finish(made.operation).await, "succeeded");
    let pass = async || {
        let worker = Worker::start(&town, Faults::none());
        let seen = check_drift(&town.service.app).await.unwrap();
        worker.stop().await;
        seen
    };
    assert!(pass().await.drifted.is_empty(), "a Secret that stands as it was written is no drift");

    let namespace = town.namespace(app).await;
    town.kubernetes.delete::<Secret>(&namespace, "api-env-1").await.unwrap();
    let seen = pass().await;
    assert_eq!((&seen.drifted, &seen.healed), (&vec![app], &vec![app]), "{seen:?}");
    assert_eq!(seen_by_pods(&town, app, "API_KEY").await, [VALUE, VALUE]);
    assert!(pass().await.drifted.is_empty());

    // Without the value there is nothing to put it right with; with the next deployment all is well.
    set(&town, "api-key", "another").await;
    town.kubernetes.delete::<Secret>(&namespace, "api-env-1").await.unwrap();
    let seen = pass().await;
    assert!(seen.drifted == [app] && seen.healed.is_empty(), "{seen:?}");
    let detail: String = sqlx::query_scalar("select detail from alerts where resolved_at is null")
        .fetch_one(&town.pool())
        .await
        .unwrap();
    assert!(detail.contains("Secret api-env-1 is not there") && detail.contains("version 2 by now"), "{detail}");
    assert!(!detail.contains(VALUE), "{detail}");
    let again = town.deploy(app, "nginx:1").await;
    assert_eq!(town.finish(again.operation).await, "succeeded");
    assert_eq!(in_cluster(&town, app).await.len(), 1);
    assert!(pass().await.drifted.is_empty());
}
