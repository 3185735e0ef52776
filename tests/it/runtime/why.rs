//! `whyNot`: each way of not being live ends in the sentence that says so.

use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::town::{Standing, Town};

const SELECTION: &str = "live conclusion facts { source subject ok evidence observedAt }";

async fn why(town: &Town, standing: &Standing) -> Value {
    town.see("whyNot", SELECTION, standing.id).await
}

/// The facts of a source.
fn facts<'a>(why: &'a Value, source: &str) -> Vec<&'a Value> {
    why["facts"].as_array().unwrap().iter().filter(|fact| fact["source"] == source).collect()
}

fn concludes(why: &Value, words: &str) {
    assert_eq!(why["live"], false, "{why:#}");
    assert!(why["conclusion"].as_str().unwrap().contains(words), "{words}: {why:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_live_has_every_fact_on_its_side() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    town.until("it is live", async || why(&town, &api).await["live"] == true).await;
    let why = why(&town, &api).await;
    assert_eq!(why["conclusion"], format!("The application is live at {}.", api.url));
    let mut sources: Vec<&str> =
        why["facts"].as_array().unwrap().iter().map(|fact| fact["source"].as_str().unwrap()).collect();
    sources.retain(|source| *source != "Event");
    sources.dedup();
    assert_eq!(
        sources,
        [
            "applications",
            "deployments",
            "Namespace",
            "Deployment",
            "ReplicaSet",
            "Pod",
            "Container",
            "Pod",
            "Container",
            "Service",
            "EndpointSlice",
            "Ingress",
        ]
    );
    assert!(why["facts"].as_array().unwrap().iter().all(|fact| fact["observedAt"].is_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_container_that_cannot_run_is_the_reason() {
    let town = Town::new().await;
    for (name, image, reason, words) in [
        ("api", "nginx:missing", "ImagePullBackOff", "Check the image's name and tag"),
        ("web", "nginx:crash", "CrashLoopBackOff", "Read its logs"),
    ] {
        let broken = town.deployed(name, image).await;
        town.waiting(&broken, reason).await;
        town.until(reason, async || why(&town, &broken).await["conclusion"].as_str().unwrap().contains(words)).await;
        let why = why(&town, &broken).await;
        concludes(&why, words);
        let container = facts(&why, "Container")[0];
        assert_eq!(container["ok"], false, "{why:#}");
        assert!(container["subject"].as_str().unwrap().ends_with("/app"), "{container}");
        let endpoints = facts(&why, "EndpointSlice")[0];
        assert_eq!(endpoints["ok"], false, "the consequence is a fact too: {endpoints}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_is_gone_is_the_reason_while_the_pods_are_well() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    town.until("it is live", async || why(&town, &api).await["live"] == true).await;
    town.kubernetes.delete::<Service>(&api.target.namespace, "api").await.unwrap();
    let why_not = why(&town, &api).await;
    concludes(&why_not, "The Service api is not there");
    assert!(facts(&why_not, "Pod").iter().all(|fact| fact["ok"] == true));

    town.kubernetes.delete_namespace(&api.target.namespace).await.unwrap();
    concludes(&why(&town, &api).await, "The namespace");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_wanted_comes_before_what_the_cluster_says() {
    let town = Town::new().await;
    let fresh = town.rows("fresh", "nginx:1").await;
    for statement in [
        "delete from deployment_revisions where application_id = $1",
        "delete from deployments where application_id = $1",
        "update applications set status = 'created', namespace = null, workload = null, url = null where id = $1",
    ] {
        sqlx::query(statement).bind(fresh.id).execute(town.pool()).await.unwrap();
    }
    let why_not = why(&town, &fresh).await;
    concludes(&why_not, "was never deployed");
    assert_eq!(why_not["facts"].as_array().unwrap().len(), 1, "nothing else is asked: {why_not:#}");

    let api = town.deployed("api", "nginx:missing").await;
    let paused = "update deployments set status = 'paused' where application_id = $1";
    sqlx::query(paused).bind(api.id).execute(town.pool()).await.unwrap();
    concludes(&why(&town, &api).await, "Promote it or abort it");
    for statement in [
        "update deployments set status = 'running' where application_id = $1",
        "update applications set status = 'stopped' where id = $1",
    ] {
        sqlx::query(statement).bind(api.id).execute(town.pool()).await.unwrap();
    }
    concludes(&why(&town, &api).await, "was stopped on request");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operation_and_its_step_are_facts() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    let operation: uuid::Uuid = sqlx::query_scalar(
        "insert into operations (kind, team_id, subject_type, subject_id, correlation_id, status, error_message)
         select 'deployment.rolling', p.team_id, 'application', a.id, 'c', 'failed', 'the quota is full'
         from applications a join projects p on p.id = a.project_id where a.id = $1 returning id",
    )
    .bind(api.id)
    .fetch_one(town.pool())
    .await
    .unwrap();
    let step = "insert into operation_steps (operation_id, ordinal, name, title, status, attempt, detail)
        values ($1, 0, 'prepare', 'Look', 'succeeded', 1, null), ($1, 1, 'ready', 'Wait until it is ready', 'failed', 3, '0/2 ready')";
    sqlx::query(step).bind(operation).execute(town.pool()).await.unwrap();
    let why_not = why(&town, &api).await;
    concludes(&why_not, "deployment.rolling failed: the quota is full");
    assert_eq!(facts(&why_not, "operations")[0]["subject"], json!(operation));
    let evidence = facts(&why_not, "operation_steps")[0]["evidence"].clone();
    assert_eq!(evidence, "Wait until it is ready is failed (attempt 3): 0/2 ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_revision_that_was_taken_back_leaves_the_application_live() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    for statement in [
        "insert into deployments (application_id, revision, status, image) values ($1, 99, 'cancelled', 'nginx:2')",
        "insert into operations (kind, team_id, subject_type, subject_id, correlation_id, status)
         select 'deployment.canary', p.team_id, 'application', a.id, 'c', 'cancelled'
         from applications a join projects p on p.id = a.project_id where a.id = $1",
    ] {
        sqlx::query(statement).bind(api.id).execute(town.pool()).await.unwrap();
    }
    town.until("it is live", async || why(&town, &api).await["live"] == true).await;
    let seen = why(&town, &api).await;
    assert_eq!(
        facts(&seen, "deployments")[0]["evidence"],
        "revision 99 of nginx:2 is cancelled; an earlier revision serves"
    );

    let stopped = "update applications set status = 'stopped' where id = $1";
    sqlx::query(stopped).bind(api.id).execute(town.pool()).await.unwrap();
    assert_eq!(facts(&why(&town, &api).await, "deployments")[0]["ok"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_answer_is_a_fact_and_no_error() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.fault(json!({ "verb": "list", "status": 503, "message": "etcd is away" })).await;
    let why_not = why(&town, &api).await;
    concludes(&why_not, "The cluster does not answer");
}
