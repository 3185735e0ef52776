//! A cluster whose API refuses, breaks off, loses answers, hangs, talks nonsense and lags behind, under deployments (F9).

use std::time::Duration;

use northstack::app::background::check_drift;
use northstack::vendors::kubernetes::{Client, Source};
use northstack::workflow::Faults;
use northstack::workflow::flows::application::{CANARY, ROLLING};
use northstack::workflow::testing::{Bench, Worker, ended, undisturbed};
use serde_json::{Value, json};
use uuid::Uuid;

use super::cluster::passing;
use crate::deployments::Town;
use crate::support::{newest, order};

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

/// How long this service waits for an answer of the cluster.
const SOON: Duration = Duration::from_secs(1);

/// An API that says nothing, nonsense, or what was; and what a person is told meanwhile.
fn doubtful() -> Vec<(Value, Option<&'static str>)> {
    let (silent, nonsense) =
        ("Kubernetes gave no answer within 1 s", "Kubernetes gave an answer that could not be read");
    vec![
        (json!({"effect": "hang", "times": 2}), Some(silent)),
        (json!({"verb": "patch", "kind": "Deployment", "effect": "hang", "times": 2}), Some(silent)),
        (json!({"verb": "list", "kind": "Pod", "effect": "hang", "times": 2}), Some(silent)),
        (json!({"effect": "garble", "times": 3}), Some(nonsense)),
        (json!({"verb": "patch", "kind": "Deployment", "effect": "garble", "times": 3}), Some(nonsense)),
        (json!({"verb": "list", "kind": "Pod", "effect": "garble", "times": 3}), Some(nonsense)),
        (json!({"verb": "get", "kind": "Deployment", "effect": "stale", "times": 6}), None),
        (json!({"verb": "list", "kind": "Pod", "effect": "stale", "times": 12}), None),
    ]
}

/// Writes down whatever a step says, though it says something else a moment later.
async fn overhear(town: &Town) {
    sqlx::raw_sql(
        "create table overheard (operation_id uuid, detail text);
         create function overhear() returns trigger language plpgsql as $$ begin
           insert into overheard values (new.operation_id, new.detail);
           return null;
         end $$;
         create trigger overhear after update on operation_steps
           for each row when (new.detail is not null) execute procedure overhear();",
    )
    .execute(&town.pool())
    .await
    .unwrap();
}

async fn overheard(town: &Town, operation: Uuid) -> Vec<String> {
    let query = sqlx::query_scalar("select distinct detail from overheard where operation_id = $1").bind(operation);
    query.fetch_all(&town.pool()).await.unwrap()
}

/// What stands as it is to be is looked at, and not written.
async fn converged(town: &Town, application: Uuid) {
    let mut before = newest(&town.simulator).await;
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = newest(&town.simulator).await;
        if now == before {
            break;
        }
        before = now;
    }
    let drift = check_drift(&town.service.app).await.unwrap();
    assert!(!drift.drifted.contains(&application), "{:?}", drift.drifted);
    assert_eq!(newest(&town.simulator).await, before, "the cluster was written to");
}

async fn in_doubt(kind: &'static str) {
    let mut town = Town::new(kind).await;
    let source = Source::Inline(Box::new(town.simulator.kubeconfig()));
    town.kubernetes = Client::connect(source, SOON).await.unwrap();
    // Time passes while nothing is heard, which is no verdict on a pod.
    town.configure(|config| config.applications.stuck_after = Duration::from_secs(20));
    overhear(&town).await;
    let expected = undisturbed(&town).await;
    for (fault, words) in doubtful() {
        let operation = town.submit().await;
        let application = town.application_of(operation).await;
        order(&town.simulator, Some(&fault)).await;
        let worker = Worker::start(&town, Faults::none());
        assert_eq!(ended(&town, operation).await, "succeeded", "{fault}: {}", town.detail(operation).await);
        worker.stop().await;
        order(&town.simulator, None).await;
        let said = overheard(&town, operation).await;
        assert!(words.is_none_or(|words| said.iter().any(|said| said.contains(words))), "{fault}: {said:#?}");
        converged(&town, application).await;
        assert_eq!(town.dump(operation).await, expected, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_nonsense_and_old_answers_delay_a_rollout_and_change_nothing() {
    in_doubt(ROLLING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_nonsense_and_old_answers_delay_a_canary_and_change_nothing() {
    in_doubt(CANARY).await;
}
