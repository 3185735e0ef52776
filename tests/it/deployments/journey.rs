//! An application's life, over the use cases.

use northstack::domain::Code;
use northstack::workflow::Faults;
use northstack::workflow::flows::application;
use northstack::workflow::testing::{Bench, Worker, ended};
use serde_json::json;

use super::bench::Town;

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_deployed_replaced_and_brought_back() {
    let town = Town::new(application::ROLLING).await;
    let id = town.application("api", json!({ "replicas": 2, "settings": { "health": { "path": "/healthz" } } })).await;
    let variable = "insert into environment_variables (application_id, name, value) values ($1, 'LOG', 'info')";
    sqlx::query(variable).bind(id).execute(&town.pool()).await.unwrap();

    let first = town.deploy(id, "nginx:1").await;
    assert_eq!(town.finish(first.operation).await, "succeeded");
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("running"));
    assert_eq!(town.pods(id).await, ["nginx:1", "nginx:1"]);
    let url = town.text("applications", "url", id).await.unwrap();
    assert!(url.starts_with("http://api-") && url.ends_with(".127.0.0.1.nip.io"), "{url}");
    let cluster = town.cluster(id).await;
    assert_eq!(cluster["configuration"][0]["data"], json!({ "LOG": "info" }));
    assert_eq!(cluster["budgets"].as_array().unwrap().len(), 1);
    let page = town.kubernetes.service_get(&town.namespace(id).await, "api", 80, "/").await.unwrap();
    assert_eq!(page.status, 200, "{}", page.body);

    sqlx::query("update environment_variables set value = 'debug'").execute(&town.pool()).await.unwrap();
    let second = town.deploy(id, "nginx:2").await;
    assert_eq!(town.finish(second.operation).await, "succeeded");
    assert_eq!(town.pods(id).await, ["nginx:2", "nginx:2"]);
    assert_eq!(town.text("deployments", "status", first.deployment).await.as_deref(), Some("superseded"));
    assert_eq!(town.cluster(id).await["configuration"].as_array().unwrap().len(), 1, "the first one's is gone");

    let changes = town.service.app.compare_revisions(&town.caller, id, 1, 2).await.unwrap();
    let fields: Vec<&str> = changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["image", "variables.LOG"]);

    let back = town.rollback(id, None).await;
    assert_eq!(back.revision, 1);
    assert!(back.not_restored.iter().any(|line| line.contains("Data in databases")), "{:?}", back.not_restored);
    assert_eq!(town.finish(back.deployment.operation).await, "succeeded");
    assert_eq!(town.pods(id).await, ["nginx:1", "nginx:1"]);
    assert_eq!(town.cluster(id).await["configuration"][0]["data"], json!({ "LOG": "info" }));
    assert_eq!(town.text("deployments", "status", second.deployment).await.as_deref(), Some("rolled_back"));
    let value = "select value from environment_variables where application_id = $1 and deleted_at is null";
    let value: String = sqlx::query_scalar(value).bind(id).fetch_one(&town.pool()).await.unwrap();
    assert_eq!(value, "info", "the next deployment goes on from what was brought back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_certain_soon_and_says_why_while_the_old_revision_serves() {
    let town = Town::new(application::ROLLING).await;
    for (image, reason) in [
        ("nginx:missing", "its image cannot be pulled (ImagePullBackOff"),
        ("nginx:crash", "its container crashes again and again (CrashLoopBackOff"),
    ] {
        let id = town.running("api", json!({})).await;
        let failing = town.deploy(id, image).await;
        assert_eq!(town.finish(failing.operation).await, "failed");
        let error = town.text("deployments", "error", failing.deployment).await.unwrap();
        assert!(error.starts_with("revision 2 does not become ready: ") && error.contains(reason), "{error}");
        assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("degraded"));
        let pods = town.pods(id).await;
        assert!(
            pods.iter().filter(|pod| *pod == "nginx:1").count() == 2 && pods.contains(&image.to_owned()),
            "{pods:?}"
        );

        // Discarded, it leaves nothing; the application is as it was.
        town.service.app.cancel_operation(&town.caller, failing.operation, None).await.unwrap();
        assert_eq!(town.finish(failing.operation).await, "cancelled");
        assert_eq!(town.pods(id).await, ["nginx:1", "nginx:1"]);
        assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("running"));
        assert_eq!(town.text("deployments", "status", failing.deployment).await.as_deref(), Some("cancelled"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_scaled_replaced_stopped_and_started() {
    let town = Town::new(application::SCALE).await;
    let (app, caller) = (&town.service.app, &town.caller);
    let id = town.running("api", json!({})).await;
    let size = |replicas| northstack::app::applications::NewSize { replicas: Some(replicas), ..Default::default() };
    let scaled = app.scale_application(caller, id, &size(4), None).await.unwrap();
    assert_eq!(town.finish(scaled.operation).await, "succeeded");
    assert_eq!(town.pods(id).await.len(), 4);

    let before = town.cluster(id).await["deployments"][0]["spec"]["template"].clone();
    let restarted = app.restart_application(caller, id, None).await.unwrap();
    assert_eq!(town.finish(restarted.operation).await, "succeeded");
    assert_ne!(town.cluster(id).await["deployments"][0]["spec"]["template"], before);
    assert_eq!(town.pods(id).await.len(), 4);

    let stopped = app.stop_application(caller, id, None).await.unwrap();
    assert_eq!(town.finish(stopped.operation).await, "succeeded");
    assert_eq!(
        (town.pods(id).await.len(), town.text("applications", "status", id).await.unwrap().as_str()),
        (0, "stopped")
    );
    let refused = app.restart_application(caller, id, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::IllegalTransition);
    let started = app.start_application(caller, id, None).await.unwrap();
    assert_eq!(town.finish(started.operation).await, "succeeded");
    assert_eq!(
        (town.pods(id).await.len(), town.text("applications", "status", id).await.unwrap().as_str()),
        (4, "running")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_the_revision_before_are_not_counted_for_the_new_one() {
    let town = Town::with(application::ROLLING, |config| {
        config.applications.stuck_after = std::time::Duration::from_secs(600);
    })
    .await;
    let id = town.running("api", json!({ "replicas": 4 })).await;
    let made = town.deploy(id, "nginx:missing").await;
    let worker = Worker::start(&town, Faults::none());
    let said = town.says(made.operation, "ImagePullBackOff").await;
    assert!(said.starts_with("0/4 pods of revision 2 ready, "), "{said}");
    assert_eq!(town.pods(id).await.iter().filter(|image| *image == "nginx:1").count(), 4);
    town.cancel(made.operation).await;
    assert_eq!(ended(&town, made.operation).await, "cancelled");
    worker.stop().await;
}
