//! What waits for a person keeps nobody waiting: a newer deployment or a rollback ends it; and where a rollback leads.

use std::time::{Duration, Instant};

use northstack::app::deployments::NewDeployment;
use northstack::workflow::Faults;
use northstack::workflow::flows::application;
use northstack::workflow::testing::{Bench, Worker, ended};
use serde_json::json;
use uuid::Uuid;

use super::bench::Town;

async fn until(town: &Town, deployment: Uuid, wanted: &str) {
    let begun = Instant::now();
    while town.text("deployments", "status", deployment).await.as_deref() != Some(wanted) {
        let error = town.text("deployments", "error", deployment).await;
        assert!(begun.elapsed() < Duration::from_secs(30), "the deployment is not {wanted}: {error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn by(town: &Town, id: Uuid, image: &str, strategy: &str) -> northstack::app::deployments::DeploymentOperation {
    let (image, strategy) = (Some(image.to_owned()), Some(strategy.to_owned()));
    let new = NewDeployment { image, strategy, ..NewDeployment::default() };
    town.service.app.deploy_application(&town.caller, id, &new, None).await.unwrap()
}

async fn waits_for(town: &Town, operation: Uuid) -> Option<String> {
    town.text("operations", "northstack_operation_waits_for(operations)", operation).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_or_a_deployment_ends_what_waits_for_a_person() {
    let town = Town::new(application::CANARY).await;
    for strategy in ["canary", "blue_green"] {
        let id = town.running(&strategy.replace('_', "-"), json!({ "replicas": 3 })).await;
        let two = town.deploy(id, "nginx:2").await;
        assert_eq!(town.finish(two.operation).await, "succeeded");
        let worker = Worker::start(&town, Faults::none());
        let waiting = by(&town, id, "nginx:3", strategy).await;
        until(&town, waiting.deployment, "paused").await;
        let said = waits_for(&town, waiting.operation).await.unwrap();
        assert!(said.contains("a person: promote revision 3") && said.contains("northstack abort"), "{said}");

        let back = town.rollback(id, Some(1)).await;
        assert_eq!(back.deployment.supersedes, Some(3));
        assert_eq!(ended(&town, back.deployment.operation).await, "succeeded", "{strategy}");
        assert_eq!(town.text("operations", "status", waiting.operation).await.as_deref(), Some("cancelled"));
        assert_eq!(town.text("deployments", "status", waiting.deployment).await.as_deref(), Some("cancelled"));
        let successor = town.text("operations", "superseded_by", waiting.operation).await;
        assert_eq!(successor, Some(back.deployment.operation.to_string()));
        assert_eq!(town.pods(id).await, ["nginx:1"; 3]);

        let waiting = by(&town, id, "nginx:5", strategy).await;
        until(&town, waiting.deployment, "paused").await;
        let newer = town.deploy(id, "nginx:6").await;
        assert_eq!(newer.supersedes, Some(5));
        assert_eq!(ended(&town, newer.operation).await, "succeeded", "{strategy}");
        worker.stop().await;
        assert_eq!(town.pods(id).await, ["nginx:6"; 3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_says_what_it_waits_for_and_a_rollback_does_not_wait_for_a_rollout() {
    let town = Town::new(application::ROLLING).await;
    let id = town.running("api", json!({ "strategy": "canary" })).await;
    let worker = Worker::start(&town, Faults::none());
    let canary = by(&town, id, "nginx:2", "canary").await;
    until(&town, canary.deployment, "paused").await;
    let restart = town.service.app.restart_application(&town.caller, id, None).await.unwrap();
    let said = waits_for(&town, restart.operation).await.unwrap();
    let wanted = "the canary deployment of revision 2 of api, which waits for a person: promote it (northstack promote api) \
                  or abort it (northstack abort api)";
    assert_eq!(said, wanted);
    town.service.app.abort_deployment(&town.caller, canary.deployment, None).await.unwrap();
    assert_eq!(ended(&town, restart.operation).await, "succeeded");
    assert_eq!(waits_for(&town, restart.operation).await, None);

    town.fault(json!({ "pod": "never-ready" })).await;
    let stuck = by(&town, id, "nginx:3", "rolling").await;
    town.says(stuck.operation, "0/2 pods of revision 3 ready").await;
    let queued = by(&town, id, "nginx:4", "rolling").await;
    let said = waits_for(&town, queued.operation).await.unwrap();
    assert!(
        said.contains("the deployment of revision 3 of api, which is being rolled out: wait, or abort it"),
        "{said}"
    );
    let back = town.rollback(id, None).await;
    assert_eq!((back.revision, back.deployment.supersedes), (1, Some(3)));
    town.well().await;
    assert_eq!(ended(&town, back.deployment.operation).await, "succeeded");
    worker.stop().await;
    assert_eq!(town.text("deployments", "status", queued.deployment).await.as_deref(), Some("superseded"));
    assert_eq!(town.pods(id).await, ["nginx:1"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_leads_to_another_revision_than_the_one_that_serves() {
    let town = Town::new(application::ROLLING).await;
    let id = town.running("api", json!({})).await;
    let two = town.deploy(id, "nginx:2").await;
    assert_eq!(town.finish(two.operation).await, "succeeded");
    let broken = town.deploy(id, "nginx:missing").await;
    assert_eq!(town.finish(broken.operation).await, "failed");
    // While the failed one stands, the one that serves is gone back to; after it was taken back, the one before.
    let app = &town.service.app;
    app.abort_deployment(&town.caller, broken.deployment, None).await.unwrap();
    assert_eq!(town.finish(broken.operation).await, "cancelled");
    let back = town.rollback(id, None).await;
    assert_eq!(back.revision, 1);
    assert_eq!(town.finish(back.deployment.operation).await, "succeeded");
    assert_eq!(town.pods(id).await, ["nginx:1"; 2]);
    // What serves now is a copy of revision 1: the one before is 2, not 1.
    let forth = town.rollback(id, None).await;
    assert_eq!(forth.revision, 2);
    assert_eq!(town.finish(forth.deployment.operation).await, "succeeded");
    let broken = town.deploy(id, "nginx:missing").await;
    assert_eq!(town.finish(broken.operation).await, "failed");
    let back = town.rollback(id, None).await;
    assert_eq!(back.revision, 5, "the one that serves, while a failed one stands");
    assert_eq!(town.finish(back.deployment.operation).await, "succeeded");
    assert_eq!(town.pods(id).await, ["nginx:2"; 2]);
    let back = town.rollback(id, None).await;
    assert_eq!(back.revision, 4, "not 5 or 2, which are what serves");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_several_failures_an_abort_leads_to_the_last_that_served() {
    let town = Town::new(application::ROLLING).await;
    let id = town.running("api", json!({})).await;
    let before = town.cluster(id).await;
    for image in ["nginx:missing", "nginx:broken"] {
        let made = town.deploy(id, image).await;
        assert_eq!(town.finish(made.operation).await, "failed");
    }
    let newest = northstack::db::operations::newest(&town.pool(), application::SUBJECT, id).await.unwrap().unwrap();
    town.service.app.cancel_operation(&town.caller, newest, None).await.unwrap();
    assert_eq!(town.finish(newest).await, "cancelled", "{:?}", town.text("operations", "stuck_reason", newest).await);
    assert_eq!(town.pods(id).await, ["nginx:1"; 2]);
    // What failed before is over as well: the application is as it is to be.
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("running"));
    let serving = northstack::db::settled::serving(&town.pool()).await.unwrap();
    assert!(serving.iter().any(|application| application.id == id && application.newest_serves));
    let mut after = town.cluster(id).await;
    // The configuration of the first failed one stays until the next success, as evidence.
    after["configuration"] = before["configuration"].clone();
    assert_eq!(after, before);

    // Where nothing has ever served, nothing is left.
    let never = town.application("never", json!({})).await;
    for image in ["nginx:missing", "nginx:broken"] {
        let made = town.deploy(never, image).await;
        assert_eq!(town.finish(made.operation).await, "failed");
    }
    let newest = northstack::db::operations::newest(&town.pool(), application::SUBJECT, never).await.unwrap().unwrap();
    town.service.app.cancel_operation(&town.caller, newest, None).await.unwrap();
    assert_eq!(town.finish(newest).await, "cancelled");
    assert!(town.pods(never).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_runs_again_once_the_newest_of_two_that_failed_was_given_up() {
    let town = Town::new(application::ROLLING).await;
    let id = town.running("api", json!({})).await;
    let newer = town.deploy(id, "nginx:2").await;
    assert_eq!(town.finish(newer.operation).await, "succeeded");
    let first = town.deploy(id, "nginx:missing").await;
    assert_eq!(town.finish(first.operation).await, "failed");
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("degraded"));
    let second = town.deploy(id, "nginx:broken").await;
    assert_eq!(town.finish(second.operation).await, "failed");
    town.service.app.abort_deployment(&town.caller, second.deployment, None).await.unwrap();
    assert_eq!(town.finish(second.operation).await, "cancelled");
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("running"));
    assert_eq!(town.rollback(id, None).await.revision, 1, "revision 2 serves already");
}
