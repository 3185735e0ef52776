//! Canaries, and blue and green.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Service;
use northstack::app::deployments::NewDeployment;
use northstack::domain::Code;
use northstack::workflow::Faults;
use northstack::workflow::flows::application;
use northstack::workflow::testing::{Bench, Worker, ended};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Town;
use crate::stores::at_once::waiting_for_locks;

/// Waits until a deployment has a status.
async fn until(town: &Town, deployment: Uuid, wanted: &str) {
    let begun = Instant::now();
    loop {
        let status = town.text("deployments", "status", deployment).await.unwrap();
        if status == wanted {
            return;
        }
        let error = town.text("deployments", "error", deployment).await;
        assert!(begun.elapsed() < Duration::from_secs(30), "{status}, not {wanted}: {error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn progress(town: &Town, deployment: Uuid) -> Value {
    serde_json::from_str(&town.text("deployments", "progress", deployment).await.unwrap()).unwrap()
}

async fn deploy(town: &Town, application: Uuid, image: &str) -> northstack::app::deployments::DeploymentOperation {
    let new = NewDeployment { image: Some(image.to_owned()), ..NewDeployment::default() };
    town.service.app.deploy_application(&town.caller, application, &new, None).await.unwrap()
}

fn count(pods: &[String], image: &str) -> usize {
    pods.iter().filter(|pod| *pod == image).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_promoted_share_by_share() {
    let town = Town::new(application::CANARY).await;
    let steps = json!({ "canary": { "steps": [{ "weight": 25 }, { "weight": 50 }] } });
    let columns = json!({ "strategy": "canary", "replicas": 4, "settings": steps });
    let id = town.running("api", columns).await;
    let made = deploy(&town, id, "nginx:2").await;
    let worker = Worker::start(&town, Faults::none());

    until(&town, made.deployment, "paused").await;
    assert_eq!(
        (progress(&town, made.deployment).await["canary"]["weight"].clone(), town.pods(id).await.len()),
        (json!(25), 4)
    );
    assert_eq!(count(&town.pods(id).await, "nginx:2"), 1);
    let app = &town.service.app;
    let promoted = app.promote_deployment(&town.caller, made.deployment, false, None).await.unwrap();
    assert_eq!(promoted, made);
    let begun = Instant::now();
    while progress(&town, made.deployment).await["canary"]["weight"] != 50 {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    until(&town, made.deployment, "paused").await;
    assert_eq!(count(&town.pods(id).await, "nginx:2"), 2);
    app.promote_deployment(&town.caller, made.deployment, true, None).await.unwrap();
    assert_eq!(ended(&town, made.operation).await, "succeeded");
    worker.stop().await;
    assert_eq!(town.pods(id).await, ["nginx:2"; 4]);
    let again = app.promote_deployment(&town.caller, made.deployment, false, None).await.unwrap_err();
    assert_eq!(again.code(), Code::IllegalTransition);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_given_up_leaves_the_old_revision_whole() {
    let town = Town::new(application::CANARY).await;
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 4 })).await;
    let before = town.cluster(id).await;
    let made = deploy(&town, id, "nginx:2").await;
    let worker = Worker::start(&town, Faults::none());
    until(&town, made.deployment, "paused").await;
    town.service.app.abort_deployment(&town.caller, made.deployment, None).await.unwrap();
    assert_eq!(ended(&town, made.operation).await, "cancelled");
    worker.stop().await;
    assert_eq!(town.cluster(id).await, before);
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("running"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_crashes_is_judged_and_serves_nobody() {
    let town = Town::new(application::CANARY).await;
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 4 })).await;
    let made = deploy(&town, id, "nginx:crash").await;
    assert_eq!(town.finish(made.operation).await, "failed");
    let error = town.text("deployments", "error", made.deployment).await.unwrap();
    assert!(error.contains("crash") || error.contains("restarted"), "{error}");
    let begun = Instant::now();
    while count(&town.pods(id).await, "nginx:1") != 4 || count(&town.pods(id).await, "nginx:crash") != 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", town.pods(id).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("degraded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_has_the_applications_row_before_the_audit_chain() {
    let town = Town::new(application::CANARY).await;
    let settings = json!({ "canary": { "steps": [{ "weight": 50 }] } });
    let id = town.running("api", json!({ "strategy": "canary", "settings": settings })).await;
    let made = deploy(&town, id, "nginx:2").await;
    let worker = Worker::start(&town, Faults::none());
    until(&town, made.deployment, "paused").await;
    // Whoever changes the application's row asks for the chain next.
    let mut held = town.pool().begin().await.unwrap();
    sqlx::query("select 1 from applications where id = $1 for no key update")
        .bind(id)
        .execute(&mut *held)
        .await
        .unwrap();
    town.service.app.promote_deployment(&town.caller, made.deployment, true, None).await.unwrap();
    waiting_for_locks(&town.pool(), 1).await;
    sqlx::query("select 1 from audit_chains for update nowait").execute(&mut *held).await.unwrap();
    held.rollback().await.unwrap();
    assert_eq!(ended(&town, made.operation).await, "succeeded");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn green_stands_beside_blue_until_it_is_promoted() {
    let town = Town::new(application::BLUE_GREEN).await;
    let id = town.running("api", json!({ "strategy": "blue_green" })).await;
    let colour = async || {
        let service: Service = town.kubernetes.get(&town.namespace(id).await, "api").await.unwrap().unwrap();
        service.spec.unwrap().selector.unwrap()["northstack.dev/colour"].clone()
    };
    let made = deploy(&town, id, "nginx:2").await;
    let worker = Worker::start(&town, Faults::none());
    until(&town, made.deployment, "paused").await;
    assert_eq!(
        (colour().await.as_str(), town.pods(id).await),
        ("blue", ["nginx:1", "nginx:1", "nginx:2", "nginx:2"].map(str::to_owned).to_vec())
    );
    let preview = town.kubernetes.service_get(&town.namespace(id).await, "api-preview", 80, "/").await.unwrap();
    assert_eq!(preview.status, 200);
    town.service.app.promote_deployment(&town.caller, made.deployment, false, None).await.unwrap();
    assert_eq!(ended(&town, made.operation).await, "succeeded");
    worker.stop().await;
    assert_eq!((colour().await.as_str(), town.pods(id).await), ("green", ["nginx:2"; 2].map(str::to_owned).to_vec()));

    // The next one goes the other way, and is given up.
    let before = town.cluster(id).await;
    let third = deploy(&town, id, "nginx:3").await;
    let worker = Worker::start(&town, Faults::none());
    until(&town, third.deployment, "paused").await;
    town.service.app.abort_deployment(&town.caller, third.deployment, None).await.unwrap();
    assert_eq!(ended(&town, third.operation).await, "cancelled");
    worker.stop().await;
    assert_eq!(town.cluster(id).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_promotes_retries_and_ends_is_in_the_audit_trail() {
    let town = Town::new(application::CANARY).await;
    let steps = json!({ "canary": { "steps": [{ "weight": 25 }, { "weight": 50 }] } });
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 4, "settings": steps })).await;
    let dave = town.service.register("dave@example.com").await;
    let dave: Uuid = dave["userId"].as_str().unwrap().parse().unwrap();
    sqlx::query(
        "insert into team_members (team_id, user_id, role) select team_id, $2, 'developer' from projects where id = $1",
    )
    .bind(town.project)
    .bind(dave)
    .execute(&town.pool())
    .await
    .unwrap();
    let other = northstack::app::Caller { actor: northstack::domain::Actor::User(dave), ..town.caller.clone() };
    let made = deploy(&town, id, "nginx:2").await;
    let worker = Worker::start(&town, Faults::none());
    until(&town, made.deployment, "paused").await;
    let app = &town.service.app;
    app.promote_deployment(&other, made.deployment, false, None).await.unwrap();
    app.cancel_operation(&other, made.operation, None).await.unwrap();
    assert_eq!(ended(&town, made.operation).await, "cancelled");
    worker.stop().await;
    // One that failed: gone on with, and given up.
    let failed = deploy(&town, id, "nginx:3").await;
    sqlx::query("update operations set status = 'failed', lane_blocked = false where id = $1")
        .bind(failed.operation)
        .execute(&town.pool())
        .await
        .unwrap();
    app.retry_operation(&other, failed.operation, None).await.unwrap();
    app.abort_deployment(&other, failed.deployment, None).await.unwrap();
    let acts: Vec<(String, Option<Uuid>, Uuid)> = sqlx::query_as(
        "select action, actor_id, resource_id from audit_logs
         where resource_type = 'operations' and resource_id = any($1) order by created_at",
    )
    .bind([made.operation, failed.operation])
    .fetch_all(&town.pool())
    .await
    .unwrap();
    let ada = town.caller.actor.user_id();
    let act = |action: &str, who: Option<Uuid>, operation: Uuid| (action.to_owned(), who, operation);
    assert_eq!(
        acts,
        [
            act("request", ada, made.operation),
            act("promote", Some(dave), made.operation),
            act("cancel", Some(dave), made.operation),
            act("request", ada, failed.operation),
            act("retry", Some(dave), failed.operation),
            act("cancel", Some(dave), failed.operation),
        ]
    );
}
