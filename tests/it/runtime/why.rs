//! `whyNot`: each way of not being live ends in the sentence that says so.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Service};
use kube::api::{Api, Patch, PatchParams, PostParams};
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
            "Application",
            "Revision",
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
    concludes(&why_not, "The deployment failed: the quota is full");
    assert_eq!(facts(&why_not, "Operation")[0]["subject"], json!(operation));
    let step = facts(&why_not, "Step")[0];
    assert_eq!(
        (&step["subject"], &step["evidence"]),
        (&json!("Wait until it is ready"), &json!("it failed (attempt 3): 0/2 ready"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_revision_that_was_taken_back_leaves_the_application_live() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    for statement in [
        "insert into deployments (application_id, revision, status, image) values ($1, 99, 'cancelled', 'nginx:2')",
        "insert into operations (kind, team_id, subject_type, subject_id, correlation_id, status, direction)
         select 'deployment.canary', p.team_id, 'application', a.id, 'c', 'cancelled', 'undo'
         from applications a join projects p on p.id = a.project_id where a.id = $1",
        // The step that made it fail stays failed.
        "insert into operation_steps (operation_id, ordinal, name, title, status, attempt, detail)
         select id, 0, 'ready', 'Wait until it is ready', 'failed', 1, 'revision 99 does not become ready'
         from operations where subject_id = $1",
    ] {
        sqlx::query(statement).bind(api.id).execute(town.pool()).await.unwrap();
    }
    town.until("it is live", async || why(&town, &api).await["live"] == true).await;
    let seen = why(&town, &api).await;
    assert_eq!(
        facts(&seen, "Revision")[0]["evidence"],
        "revision 99 of nginx:2 was given up; an earlier revision serves"
    );
    assert!(facts(&seen, "Step").is_empty(), "what failed is past: {seen:#}");
    assert!(facts(&seen, "Operation")[0]["evidence"].as_str().unwrap().ends_with("was taken back"), "{seen:#}");

    let stopped = "update applications set status = 'stopped' where id = $1";
    sqlx::query(stopped).bind(api.id).execute(town.pool()).await.unwrap();
    assert_eq!(facts(&why(&town, &api).await, "Revision")[0]["ok"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_answer_is_a_fact_and_no_error() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.fault(json!({ "verb": "list", "status": 503, "message": "etcd is away" })).await;
    let why_not = why(&town, &api).await;
    concludes(&why_not, "The cluster does not answer");
}

/// What somebody else's client does in the cluster.
async fn client(town: &Town) -> kube::Client {
    let config = kube::Config::from_custom_kubeconfig(town.simulator.kubeconfig(), &Default::default()).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

/// A warning, as a controller records it about an object.
async fn warn(town: &Town, api: &Standing, about: Value, reason: &str, message: &str) {
    let now = json!("2099-01-01T00:00:00Z");
    let mut about = about;
    about["namespace"] = json!(api.target.namespace);
    let event = json!({ "metadata": { "generateName": "told-" }, "involvedObject": about, "reason": reason,
        "message": message, "type": "Warning", "count": 3, "firstTimestamp": now, "lastTimestamp": now });
    let events: Api<Event> = Api::namespaced(client(town).await, &api.target.namespace);
    events.create(&PostParams::default(), &serde_json::from_value(event).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_events_say_of_others_or_of_what_is_past_does_not_count() {
    // No metrics server: the autoscaler complains of that for as long as it stands.
    let town = Town::with(false, |_| {}).await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    let namespace = api.target.namespace.clone();
    let autoscaler = json!({ "metadata": { "name": "api", "labels": { "northstack.dev/application": api.id.to_string() } },
        "spec": { "minReplicas": 2, "maxReplicas": 4,
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "api" } } });
    let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(autoscaler).unwrap();
    town.kubernetes.apply(&namespace, &autoscaler).await.unwrap();
    town.until("it complains", async || {
        let events = town.kubernetes.events(&namespace).await.unwrap();
        events.iter().any(|event| event.reason.as_deref() == Some("FailedGetResourceMetric"))
    })
    .await;
    // A budget bears the Deployment's name.
    let budget = json!({ "kind": "PodDisruptionBudget", "name": "api", "uid": "11111111-1111-4111-8111-111111111111" });
    warn(&town, &api, budget, "CalculateExpectedPodCountFailed", "found no controllers for pod").await;
    // A quota that was raised since.
    let sets: Vec<ReplicaSet> = town.kubernetes.list(&namespace, &api.target.selector()).await.unwrap();
    let set = &sets[0].metadata;
    let about = json!({ "kind": "ReplicaSet", "name": set.name, "uid": set.uid });
    warn(&town, &api, about, "FailedCreate", "exceeded quota: pods").await;
    town.until("it is live", async || why(&town, &api).await["live"] == true).await;
    let seen = why(&town, &api).await;
    assert_eq!(seen["conclusion"], format!("The application is live at {}.", api.url));
    let events = facts(&seen, "Event");
    assert_eq!(events.len(), 1, "those of others are left out: {seen:#}");
    assert!(events[0]["evidence"].as_str().unwrap().contains("that is past: exceeded quota"), "{seen:#}");
    let scaling = facts(&seen, "HorizontalPodAutoscaler");
    assert!(scaling[0]["evidence"].as_str().unwrap().contains("leaves their number as it is"), "{seen:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_was_evicted_is_told_and_takes_nothing_away() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    let pods: Api<Pod> = Api::namespaced(client(&town).await, &api.target.namespace);
    let all: Vec<Pod> = town.kubernetes.list(&api.target.namespace, &api.target.selector()).await.unwrap();
    let name = all[0].metadata.name.clone().unwrap();
    let conditions = json!([{ "type": "Ready", "status": "False" }]);
    let evicted = json!({ "status": { "phase": "Failed", "reason": "Evicted", "conditions": conditions,
        "message": "The node was low on resource: memory." } });
    pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(evicted)).await.unwrap();
    town.until("another is in its place", async || {
        let seen = why(&town, &api).await;
        seen["live"] == true && facts(&seen, "Pod").len() == 3
    })
    .await;
    let seen = why(&town, &api).await;
    let told = facts(&seen, "Pod")[2];
    assert_eq!((&told["subject"], &told["ok"]), (&json!(name), &json!(true)), "{seen:#}");
    let evidence = told["evidence"].as_str().unwrap();
    assert!(evidence.contains("(Evicted)") && evidence.contains("low on resource: memory"), "{evidence}");
    let tree = town.see("resourceTree", "health nodes { kind health }", api.id).await;
    assert_ne!(tree["health"], "PROGRESSING", "{tree:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_says_how_it_ended_at_every_moment() {
    let town = Town::new().await;
    for (name, image, fault, words) in [
        ("memory", "nginx:oom", None, "more memory than its limit"),
        ("command", "nginx:nocommand", None, "StartError: "),
        ("plain", "nginx:crash", None, "it ended with exit code 1"),
        ("probed", "nginx:1", Some("not-live"), "its liveness probe failed (HTTP probe failed with statuscode: 500)"),
    ] {
        if let Some(fault) = fault {
            town.fault(json!({ "pod": fault, "name": name })).await;
        }
        let broken = town.deployed(name, image).await;
        town.until("each has crashed", async || {
            let seen = why(&town, &broken).await;
            let all = facts(&seen, "Container");
            all.len() == 2 && all.iter().all(|fact| fact["evidence"].as_str().unwrap().contains("it was restarted"))
        })
        .await;
        for _ in 0..20 {
            let seen = why(&town, &broken).await;
            let conclusion = seen["conclusion"].as_str().unwrap();
            assert!(conclusion.contains(words), "{name}: {words}: {seen:#}");
            assert!(!conclusion.contains("No pod takes traffic"), "{seen:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cause_is_told_once_and_whole() {
    let town = Town::new().await;
    let long = format!("registry.example.com/{}/nginx:missing", "team".repeat(30));
    let broken = town.deployed("api", &long).await;
    town.waiting(&broken, "ImagePullBackOff").await;
    town.until("it is told", async || why(&town, &broken).await["conclusion"].as_str().unwrap().contains("tag")).await;
    let seen = why(&town, &broken).await;
    let all: Vec<&str> =
        seen["facts"].as_array().unwrap().iter().map(|fact| fact["evidence"].as_str().unwrap()).collect();
    let causes = all.iter().filter(|evidence| evidence.contains("nginx:missing: not found")).count();
    assert_eq!(causes, 1, "{seen:#}");
    assert!(seen["conclusion"].as_str().unwrap().contains("nginx:missing: not found"), "{seen:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_turn_says_for_whom_and_what_ends_it() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    let insert = "insert into operations (kind, team_id, subject_type, subject_id, correlation_id, status, lane,
           lane_turn, lane_blocked)
         select $2, p.team_id, 'application', a.id, 'c', $3, 'lane', $4, $5
         from applications a join projects p on p.id = a.project_id where a.id = $1 returning id";
    let mut made = Vec::new();
    for (kind, status, turn, blocked) in
        [("deployment.canary", "waiting", 1_i64, false), ("deployment.rollback", "queued", 2, true)]
    {
        let insert = sqlx::query_scalar(insert).bind(api.id).bind(kind).bind(status).bind(turn).bind(blocked);
        let id: uuid::Uuid = insert.fetch_one(town.pool()).await.unwrap();
        made.push(id);
    }
    let seen = why(&town, &api).await;
    let words = format!("wait, or cancel it (northstack operations cancel {})", made[0]);
    concludes(&seen, &format!("The rollback waits for the canary deployment of api, which is at work: {words}."));
    let paused = "insert into deployments (application_id, revision, status, image, operation_id)
        values ($1, 7, 'paused', 'nginx:2', $2)";
    sqlx::query(paused).bind(api.id).bind(made[0]).execute(town.pool()).await.unwrap();
    let newest = "insert into deployments (application_id, revision, status, image, operation_id)
        values ($1, 8, 'queued', 'nginx:1', $2)";
    sqlx::query(newest).bind(api.id).bind(made[1]).execute(town.pool()).await.unwrap();
    let seen = why(&town, &api).await;
    concludes(
        &seen,
        "The rollback waits for the canary deployment of revision 7 of api, which waits for a person: promote it (northstack promote api)",
    );
    concludes(&seen, "or abort it (northstack abort api)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_held_names_who_holds_it() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    let held = json!({ "metadata": { "name": "held", "finalizers": ["example.com/hold"] } });
    let held: ConfigMap = serde_json::from_value(held).unwrap();
    town.kubernetes.apply(&api.target.namespace, &held).await.unwrap();
    town.kubernetes.delete_namespace(&api.target.namespace).await.unwrap();
    town.until("its objects are gone", async || {
        town.kubernetes.get::<Deployment>(&api.target.namespace, "api").await.unwrap().is_none()
    })
    .await;
    concludes(&why(&town, &api).await, "example.com/hold");
    let open = "insert into operations (kind, team_id, subject_type, subject_id, correlation_id, status)
         select 'deployment.rolling', p.team_id, 'application', a.id, 'c', 'waiting'
         from applications a join projects p on p.id = a.project_id where a.id = $1";
    sqlx::query(open).bind(api.id).execute(town.pool()).await.unwrap();
    concludes(&why(&town, &api).await, "goes on by itself when it is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_failed_and_has_no_pods_left_is_told_by_why_it_failed() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    let deployments: Api<Deployment> = Api::namespaced(client(&town).await, &api.target.namespace);
    let none = Patch::Merge(json!({ "spec": { "replicas": 0 } }));
    deployments.patch("api", &PatchParams::default(), &none).await.unwrap();
    town.until("no pods are wanted", async || {
        let why = why(&town, &api).await;
        why["conclusion"].as_str().unwrap().contains("No pods are wanted")
    })
    .await;
    let failed = "update deployments set status = 'failed', error = 'the canary at 20 % has failed: it was restarted'
                  where application_id = $1";
    sqlx::query(failed).bind(api.id).execute(town.pool()).await.unwrap();
    concludes(
        &why(&town, &api).await,
        "failed: the canary at 20 % has failed: it was restarted. Deploy a repaired one",
    );
}
