//! What a real cluster does: it fills in fields when an object is made and keeps them, it keeps pods that were evicted, it
//! refuses images that run as root, and other hands change what is ours.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{LimitRange, Pod, ResourceQuota};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, Patch, PatchParams};
use northstack::app::deployments::NewDeployment;
use northstack::sim::kubernetes::{SimulatorOptions, SimulatorTiming};
use northstack::workflow::Faults;
use northstack::workflow::flows::application;
use northstack::workflow::testing::{Bench, Worker, ended};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Town;

async fn api<K>(town: &Town, namespace: &str) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    let config = kube::Config::from_custom_kubeconfig(town.simulator.kubeconfig(), &Default::default()).await.unwrap();
    Api::namespaced(kube::Client::try_from(config).unwrap(), namespace)
}

async fn spec(town: &Town, id: Uuid) -> Value {
    let found: Option<Deployment> = town.kubernetes.get(&town.namespace(id).await, "api").await.unwrap();
    serde_json::to_value(found.unwrap().spec).unwrap()
}

async fn until(town: &Town, deployment: Uuid, wanted: &str) {
    let begun = Instant::now();
    while town.text("deployments", "status", deployment).await.as_deref() != Some(wanted) {
        let error = town.text("deployments", "error", deployment).await;
        assert!(begun.elapsed() < Duration::from_secs(30), "the deployment is not {wanted}: {error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_the_same_whatever_was_there_before() {
    let town = Town::new(application::ROLLING).await;
    let id = town.running("api", json!({})).await;
    let policy = async || spec(&town, id).await["template"]["spec"]["containers"][0]["imagePullPolicy"].clone();
    assert_eq!(policy().await, "IfNotPresent");
    for (image, wanted) in
        [("example.com:5000/app:latest", "Always"), ("example.com:5000/app", "Always"), ("nginx:2", "IfNotPresent")]
    {
        let made = town.deploy(id, image).await;
        assert_eq!(town.finish(made.operation).await, "succeeded", "{image}");
        assert_eq!(policy().await, wanted, "{image}");
    }
    // The same revision where nothing was before: every field that the cluster fills in is written by us.
    let fresh = town.application("fresh", json!({ "image": "nginx:2" })).await;
    let made = town.deploy(fresh, "nginx:2").await;
    assert_eq!(town.finish(made.operation).await, "succeeded");
    let found: Option<Deployment> = town.kubernetes.get(&town.namespace(fresh).await, "fresh").await.unwrap();
    let plain = |value: &Value, id: Uuid, name: &str, revision: i32| -> Value {
        let text = value.to_string().replace(&id.to_string(), "id");
        let text = text.replace(&format!("{name}-env-{revision}"), "env").replace(&format!("\"{name}\""), "\"name\"");
        let text = text.replace(&format!("revision\":\"{revision}\""), "revision\":\"n\"");
        serde_json::from_str(&text).unwrap()
    };
    let fresh = plain(&serde_json::to_value(found.unwrap().spec).unwrap(), fresh, "fresh", 1);
    assert_eq!(plain(&spec(&town, id).await, id, "api", 4), fresh);
    let owned: Option<Deployment> = town.kubernetes.get(&town.namespace(id).await, "api").await.unwrap();
    let owned = owned.unwrap().metadata.managed_fields.unwrap();
    let ours = owned.iter().find(|entry| entry.manager.as_deref() == Some("northstack")).unwrap();
    let ours = serde_json::to_string(&ours.fields_v1).unwrap();
    let spec = spec(&town, id).await;
    for key in spec.as_object().unwrap().keys().chain(spec["template"]["spec"].as_object().unwrap().keys()) {
        assert!(ours.contains(&format!("\"f:{key}\"")) || key == "selector" || key == "template", "{key} is not ours");
    }
    for key in spec["template"]["spec"]["containers"][0].as_object().unwrap().keys() {
        assert!(ours.contains(&format!("\"f:{key}\"")), "{key} of the container is not ours");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_evicted_or_has_completed_keeps_no_stop_waiting() {
    let town = Town::new(application::STOP).await;
    let id = town.running("api", json!({})).await;
    let namespace = town.namespace(id).await;
    let pods: Api<Pod> = api(&town, &namespace).await;
    let first = pods.list(&Default::default()).await.unwrap().items[0].metadata.name.clone().unwrap();
    let evicted =
        json!({ "status": { "phase": "Failed", "reason": "Evicted", "message": "The node was low on memory." } });
    pods.patch_status(&first, &PatchParams::default(), &Patch::Merge(evicted)).await.unwrap();
    let stop = town.service.app.stop_application(&town.caller, id, None).await.unwrap();
    assert_eq!(town.finish(stop.operation).await, "succeeded", "{}", town.detail(stop.operation).await);
    let left = pods.list(&Default::default()).await.unwrap().items;
    assert!(left.iter().all(|pod| pod.status.as_ref().unwrap().phase.as_deref() == Some("Failed")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_another_hand_paused_goes_on() {
    let town = Town::new(application::ROLLING).await;
    let id = town.running("api", json!({})).await;
    let deployments: Api<Deployment> = api(&town, &town.namespace(id).await).await;
    let paused = Patch::Merge(json!({ "spec": { "paused": true } }));
    deployments.patch("api", &PatchParams::default(), &paused).await.unwrap();
    let made = town.deploy(id, "nginx:2").await;
    assert_eq!(town.finish(made.operation).await, "succeeded", "{}", town.detail(made.operation).await);
    assert_eq!(town.pods(id).await, ["nginx:2"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_runs_as_root_says_which_setting_lets_it() {
    let town = Town::new(application::ROLLING).await;
    let id = town.application("api", json!({})).await;
    let made = town.deploy(id, "nginx:root").await;
    assert_eq!(town.finish(made.operation).await, "failed");
    let error = town.text("deployments", "error", made.deployment).await.unwrap();
    assert!(error.contains("image will run as root") && error.contains("settings.security `baseline`"), "{error}");
    let loosen = "update applications set settings = '{\"security\": \"baseline\"}' where id = $1";
    sqlx::query(loosen).bind(id).execute(&town.pool()).await.unwrap();
    let made = town.deploy(id, "nginx:root").await;
    assert_eq!(town.finish(made.operation).await, "succeeded", "{}", town.detail(made.operation).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_are_held_apart_and_to_a_size() {
    let town = Town::with(application::ROLLING, |config| config.applications.namespace_pods = 3).await;
    let id = town.running("api", json!({})).await;
    let namespace = town.namespace(id).await;
    let labels = town.kubernetes.namespace(&namespace).await.unwrap().unwrap().metadata.labels.unwrap();
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "baseline");
    let policies: Vec<NetworkPolicy> = town.kubernetes.list(&namespace, "").await.unwrap();
    let policy = policies[0].spec.as_ref().unwrap();
    assert_eq!(policy.policy_types.as_deref().unwrap(), ["Ingress", "Egress"]);
    assert_eq!(town.kubernetes.list::<LimitRange>(&namespace, "").await.unwrap().len(), 1);
    assert_eq!(town.kubernetes.list::<ResourceQuota>(&namespace, "").await.unwrap().len(), 1);
    let grow = northstack::app::applications::NewSize { replicas: Some(5), ..Default::default() };
    let made = town.service.app.scale_application(&town.caller, id, &grow, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "failed");
    let error = town.text("operations", "error_message", made.operation).await.unwrap();
    assert!(error.contains("exceeded quota"), "{error}");
    // A stricter namespace takes what is restricted, and no other.
    let place = town.namespace(town.running("strict", json!({})).await).await;
    let config = kube::Config::from_custom_kubeconfig(town.simulator.kubeconfig(), &Default::default()).await.unwrap();
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(kube::Client::try_from(config).unwrap());
    let label =
        Patch::Merge(json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } }));
    namespaces.patch(&place, &PatchParams::default(), &label).await.unwrap();
    let pods: Api<Pod> = api(&town, &place).await;
    let plain = json!({ "metadata": { "name": "x" }, "spec": { "containers": [{ "name": "c", "image": "nginx:1" }] } });
    let refused = pods.create(&Default::default(), &serde_json::from_value(plain).unwrap()).await.unwrap_err();
    assert!(refused.to_string().contains("violates PodSecurity \"restricted:latest\""), "{refused}");
    let strict = "select id from applications where name = 'strict'";
    let strict: Uuid = sqlx::query_scalar(strict).fetch_one(&town.pool()).await.unwrap();
    let restart = town.service.app.restart_application(&town.caller, strict, None).await.unwrap();
    assert_eq!(town.finish(restart.operation).await, "succeeded", "{}", town.detail(restart.operation).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_end_hold_their_place_in_a_quota_and_are_waited_for() {
    let terminate = Duration::from_millis(600);
    let options = SimulatorOptions {
        timing: SimulatorTiming { terminate, ..SimulatorTiming::fast() },
        ..SimulatorOptions::default()
    };
    let town = Town::on(options, application::ROLLING, |config| config.applications.namespace_pods = 3).await;
    assert!(town.service.config.applications.stuck_after < terminate);
    let id = town.running("api", json!({})).await;
    let made = town.service.app.restart_application(&town.caller, id, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "succeeded", "{}", town.detail(made.operation).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_to_become_ready_is_counted_from_when_a_paused_canary_became_unready() {
    let town = Town::with(application::CANARY, |config| {
        config.applications.ready_timeout = Duration::from_secs(2);
    })
    .await;
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 4 })).await;
    let worker = Worker::start(&town, Faults::none());
    let made = town.deploy(id, "nginx:2").await;
    until(&town, made.deployment, "paused").await;
    // It has paused for longer than a rollout may take to become ready.
    let since = "update operation_steps set started_at = started_at - interval '1 hour'
                 where operation_id = $1 and status in ('running', 'waiting')";
    assert_eq!(sqlx::query(since).bind(made.operation).execute(&town.pool()).await.unwrap().rows_affected(), 1);
    town.fault(json!({ "pod": "never-ready", "name": "api-canary*" })).await;
    until(&town, made.deployment, "deploying").await;
    town.well().await;
    until(&town, made.deployment, "paused").await;
    // One that stays so fails in its time.
    town.fault(json!({ "pod": "never-ready", "name": "api-canary*" })).await;
    assert_eq!(ended(&town, made.operation).await, "failed");
    town.well().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_fails_after_its_canary_says_who_is_served_by_what_and_the_ways_out() {
    let town = Town::with(application::CANARY, |config| {
        config.applications.ready_timeout = Duration::from_secs(1);
    })
    .await;
    let settings = json!({ "canary": { "steps": [{ "weight": 50 }] }, "readySeconds": 900 });
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 4, "settings": settings })).await;
    assert_eq!(spec(&town, id).await["progressDeadlineSeconds"], 960);
    let worker = Worker::start(&town, Faults::none());
    let new = NewDeployment { image: Some("nginx:2".to_owned()), ..NewDeployment::default() };
    let app = &town.service.app;
    let made = app.deploy_application(&town.caller, id, &new, None).await.unwrap();
    until(&town, made.deployment, "paused").await;
    // The canary goes on; what comes after it is refused.
    town.fault(json!({ "verb": "patch", "kind": "Service", "status": 422, "message": "refused by somebody" })).await;
    app.promote_deployment(&town.caller, made.deployment, true, None).await.unwrap();
    assert_eq!(ended(&town, made.operation).await, "failed");
    worker.stop().await;
    let error = town.text("deployments", "error", made.deployment).await.unwrap();
    for part in
        ["of the canary go on serving revision 2, the others revision 1", "northstack abort", "operations retry"]
    {
        assert!(error.contains(part), "{error}");
    }
    let refused = app.promote_deployment(&town.caller, made.deployment, false, None).await.unwrap_err();
    assert!(refused.message().contains("revision 2 is failed") && refused.message().contains("northstack abort"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_webhook_that_is_away_is_waited_for_though_not_for_days() {
    let town = Town::new(application::ROLLING).await;
    let id = town.running("api", json!({})).await;
    let worker = Worker::start(&town, Faults::none());
    let ago = "update operation_steps set outage_since = now() - interval '16 minutes'
               where operation_id = $1 and outage_since is not null";
    let webhook = "Internal error occurred: failed calling webhook \"validate.example\": failed to call webhook: Post \
                   \"https://policy.example.svc:443/validate?timeout=10s\": dial tcp 10.0.0.1:443: connect: connection refused";
    for (message, ends) in [("apiserver not ready", false), (webhook, true)] {
        let fault = json!({ "verb": "patch", "kind": "Deployment", "status": 500, "message": message });
        town.fault(fault).await;
        let made = town.deploy(id, "nginx:2").await;
        town.says(made.operation, "waiting until that is over").await;
        assert_eq!(sqlx::query(ago).bind(made.operation).execute(&town.pool()).await.unwrap().rows_affected(), 1);
        if !ends {
            // The API server itself may be away for as long as the step may take.
            town.says(made.operation, "waiting until that is over, 96").await;
            town.well().await;
            assert_eq!(ended(&town, made.operation).await, "succeeded");
            continue;
        }
        assert_eq!(ended(&town, made.operation).await, "failed");
        let told = town.detail(made.operation).await;
        assert!(told.contains("connect: connection refused, for 96"), "{told}");
        town.well().await;
    }
    worker.stop().await;
}
