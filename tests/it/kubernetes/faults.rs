//! Faults on order, and pods that misbehave.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use northstack::sim::kubernetes::Simulator;
use serde_json::{Value, json};

use super::support::{cluster, eventually};

async fn order(simulator: &Simulator, fault: Value) -> Value {
    let http = reqwest::Client::new();
    let url = format!("{}/simulator/faults", simulator.url());
    let response = http.post(url).bearer_auth(simulator.token()).json(&fault).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

async fn clear(simulator: &Simulator) {
    let url = format!("{}/simulator/faults", simulator.url());
    reqwest::Client::new().delete(url).bearer_auth(simulator.token()).send().await.unwrap();
}

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_strikes_what_it_matches_as_often_as_ordered() {
    let (simulator, client) = cluster().await;
    let api: Api<ConfigMap> = Api::namespaced(client, "default");
    let unauthorized =
        reqwest::Client::new().get(format!("{}/simulator/faults", simulator.url())).send().await.unwrap();
    assert_eq!(unauthorized.status(), 401);
    let made = order(
        &simulator,
        json!({"verb": "create", "kind": "ConfigMap", "status": 500, "message": "later", "times": 1}),
    )
    .await;
    assert!(made["id"].is_u64());
    let refused = api.create(&PostParams::default(), &map("a")).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 500 && status.message == "later"));
    api.create(&PostParams::default(), &map("a")).await.unwrap();

    order(&simulator, json!({"verb": "get", "name": "a", "latencyMs": 120, "times": 1})).await;
    let start = Instant::now();
    api.get("a").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(120));
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_leaves_its_effect_and_a_dropped_request_none() {
    let (simulator, client) = cluster().await;
    let api: Api<ConfigMap> = Api::namespaced(client, "default");
    order(&simulator, json!({"verb": "create", "effect": "lose-answer", "times": 1})).await;
    api.create(&PostParams::default(), &map("lost")).await.unwrap_err();
    assert!(api.get_opt("lost").await.unwrap().is_some(), "the object is there though nobody was told");
    order(&simulator, json!({"verb": "create", "effect": "drop", "times": 1})).await;
    api.create(&PostParams::default(), &map("dropped")).await.unwrap_err();
    assert!(api.get_opt("dropped").await.unwrap().is_none());
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_never_come_make_no_sense_or_are_old() {
    let (simulator, client) = cluster().await;
    let api: Api<ConfigMap> = Api::namespaced(client, "default");
    api.create(&PostParams::default(), &map("first")).await.unwrap();
    order(&simulator, json!({"verb": "create", "effect": "hang", "times": 1})).await;
    let create = PostParams::default();
    let (hanging, asked) = (map("hanging"), Duration::from_millis(300));
    assert!(tokio::time::timeout(asked, api.create(&create, &hanging)).await.is_err(), "it was answered");
    order(&simulator, json!({"verb": "create", "effect": "garble", "times": 1})).await;
    let garbled = api.create(&create, &map("garbled")).await.unwrap_err();
    assert!(matches!(garbled, kube::Error::SerdeError(_)), "{garbled:?}");

    order(&simulator, json!({"verb": "list", "effect": "stale", "times": 2})).await;
    order(&simulator, json!({"verb": "get", "effect": "stale", "times": 2})).await;
    let names = async || {
        let list = api.list(&ListParams::default()).await.unwrap();
        let names: Vec<String> = list.items.into_iter().filter_map(|map| map.metadata.name).collect();
        (names, list.metadata.resource_version.unwrap())
    };
    let (old, first) = (names().await, api.get("first").await.unwrap());
    assert!(!old.0.iter().any(|name| name == "hanging" || name == "garbled"), "{old:?}");
    api.create(&create, &map("second")).await.unwrap();
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    api.patch("first", &PatchParams::default(), &Patch::Merge(labelled)).await.unwrap();
    assert_eq!((names().await, api.get("first").await.unwrap()), (old.clone(), first));
    let (now, first) = (names().await, api.get("first").await.unwrap());
    assert!(now.0.contains(&"second".to_owned()) && now.1 != old.1, "{now:?}");
    assert_eq!(first.metadata.labels.unwrap()["a"], "b");
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_revision_is_gone_after_a_compaction() {
    let (simulator, client) = cluster().await;
    let api: Api<ConfigMap> = Api::namespaced(client, "default");
    let old = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    api.create(&PostParams::default(), &map("x")).await.unwrap();
    let url = format!("{}/simulator/faults/compact", simulator.url());
    reqwest::Client::new().post(url).bearer_auth(simulator.token()).send().await.unwrap();
    let mut stream = std::pin::pin!(api.watch(&WatchParams::default(), &old).await.unwrap());
    let first = futures::TryStreamExt::try_next(&mut stream).await.unwrap().unwrap();
    assert!(matches!(first, WatchEvent::Error(status) if status.code == 410));
    simulator.shutdown().await;
}

fn deployment(image: &str) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "app"},
        "spec": {
            "selector": {"matchLabels": {"app": "app"}},
            "template": {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "c", "image": image}]}},
        },
    }))
    .unwrap()
}

/// The reason for which the first container waits, or the pod is not scheduled.
async fn reason(pods: &Api<Pod>) -> Option<String> {
    let pod = pods.list(&ListParams::default()).await.unwrap().items.into_iter().next()?;
    let status = pod.status?;
    let waiting = status
        .container_statuses
        .unwrap_or_default()
        .into_iter()
        .find_map(|container| container.state?.waiting?.reason);
    waiting.or_else(|| status.conditions.unwrap_or_default().into_iter().find_map(|condition| condition.reason))
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_fail_in_the_ways_that_real_ones_do() {
    let (simulator, client) = cluster().await;
    let api: Api<Deployment> = Api::namespaced(client.clone(), "default");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    for (image, fault, wanted) in [
        ("app:broken", None, "ImagePullBackOff"),
        ("app:crash", None, "CrashLoopBackOff"),
        ("app:1", Some("unschedulable"), "Unschedulable"),
        ("app:1", Some("image-pull"), "ImagePullBackOff"),
        ("app:1", Some("never-ready"), "ContainersNotReady"),
    ] {
        if let Some(fault) = fault {
            order(&simulator, json!({"pod": fault, "name": "app-*"})).await;
        }
        api.create(&PostParams::default(), &deployment(image)).await.unwrap();
        eventually(wanted, || async { (reason(&pods).await.as_deref() == Some(wanted)).then_some(()) }).await;
        if fault.is_some() {
            // What was ordered ends when it is cleared: the pod recovers by itself.
            clear(&simulator).await;
            eventually("recovery", || async {
                let status = api.get("app").await.unwrap().status.unwrap();
                (status.available_replicas == Some(1)).then_some(())
            })
            .await;
        }
        api.delete("app", &DeleteParams::foreground()).await.unwrap();
        eventually("its end", || async { api.get_opt("app").await.unwrap().is_none().then_some(()) }).await;
    }
    let events: Api<Event> = Api::namespaced(client, "default");
    let warnings = events.list(&ListParams::default().fields("type=Warning")).await.unwrap();
    let reasons: Vec<_> = warnings.items.iter().filter_map(|event| event.reason.clone()).collect();
    assert!(reasons.iter().any(|reason| reason == "FailedScheduling"), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason == "BackOff"), "{reasons:?}");
    simulator.shutdown().await;
}
