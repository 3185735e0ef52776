//! A cluster whose API refuses, breaks off and loses answers, under deployments.

use northstack::workflow::Faults;
use northstack::workflow::flows::application::{CANARY, ROLLING};
use northstack::workflow::testing::{Bench, Worker, ended, undisturbed};
use serde_json::json;

use super::cluster::passing;
use crate::deployments::Town;
use crate::support::order;

/// Faults that pass, one deployment after the other.
async fn passes(kind: &'static str) {
    let town = Town::new(kind).await;
    let expected = undisturbed(&town).await;
    for fault in passing() {
        let operation = town.submit().await;
        order(&town.simulator, Some(&fault)).await;
        let worker = Worker::start(&town, Faults::none());
        assert_eq!(ended(&town, operation).await, "succeeded", "{fault}: {}", town.detail(operation).await);
        worker.stop().await;
        order(&town.simulator, None).await;
        assert_eq!(town.dump(operation).await, expected, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_passes_leaves_what_a_rollout_without_faults_leaves() {
    passes(ROLLING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_passes_leaves_what_a_canary_without_faults_leaves() {
    passes(CANARY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_stays_is_said_and_retried_when_it_is_gone() {
    for kind in [ROLLING, CANARY] {
        let town = Town::new(kind).await;
        let expected = undisturbed(&town).await;
        let operation = town.submit().await;
        let fault = json!({"verb": "patch", "kind": "Deployment", "status": 403, "message": "not for you"});
        order(&town.simulator, Some(&fault)).await;
        assert_eq!(town.finish(operation).await, "failed");
        assert!(town.detail(operation).await.contains("not for you"), "{}", town.detail(operation).await);
        order(&town.simulator, None).await;
        town.retry(operation).await;
        assert_eq!(town.finish(operation).await, "succeeded");
        assert_eq!(town.dump(operation).await, expected);
    }
}
