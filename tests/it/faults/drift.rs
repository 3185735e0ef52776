//! Other hands in the cluster while a deployment is on its way (F10): it ends as if nobody had been there, or says what
//! is in its way and goes on when that is gone. What is somebody else's is left alone.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams, PostParams};
use northstack::app::deployments::NewDeployment;
use northstack::app::previews::NewPreview;
use northstack::config::Config;
use northstack::vendors::kubernetes::Object;
use northstack::workflow::Faults;
use northstack::workflow::flows::application::{CANARY, ROLLING};
use northstack::workflow::testing::{Bench, Worker, ended, undisturbed};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::deployments::Town;
use crate::support::Pause;

const HOLD: &str = "example.com/hold";

/// Somebody else's hand in the cluster.
async fn other<K: Object>(town: &Town, namespace: &str) -> Api<K> {
    let config = kube::Config::from_custom_kubeconfig(town.simulator.kubeconfig(), &Default::default()).await.unwrap();
    Api::namespaced(kube::Client::try_from(config).unwrap(), namespace)
}

async fn patch<K: Object>(town: &Town, namespace: &str, name: &str, patch: Value) {
    let api = other::<K>(town, namespace).await;
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

/// Lets an object wait for a finalizer, or no longer.
async fn hold<K: Object>(town: &Town, namespace: &str, name: &str, held: bool) {
    let finalizers = if held { json!([HOLD]) } else { Value::Null };
    patch::<K>(town, namespace, name, json!({ "metadata": { "finalizers": finalizers } })).await;
}

async fn create<K: Object>(town: &Town, namespace: &str, object: Value) -> K {
    let object: K = serde_json::from_value(object).unwrap();
    other::<K>(town, namespace).await.create(&PostParams::default(), &object).await.unwrap()
}

/// What somebody else does.
#[derive(Debug, Clone, Copy)]
enum Hand {
    DeletesDeployment,
    DeletesConfiguration,
    DeletesService,
    DeletesIngress,
    DeletesNamespace,
    EditsImage,
    EditsReplicas,
    EditsSelector,
    TakesLabelsOff,
    TakesLabelsOffPod,
}

const HANDS: [Hand; 10] = [
    Hand::DeletesDeployment,
    Hand::DeletesConfiguration,
    Hand::DeletesService,
    Hand::DeletesIngress,
    Hand::DeletesNamespace,
    Hand::EditsImage,
    Hand::EditsReplicas,
    Hand::EditsSelector,
    Hand::TakesLabelsOff,
    Hand::TakesLabelsOffPod,
];

impl Hand {
    async fn strike(self, town: &Town, application: Uuid) {
        let namespace = town.namespace(application).await;
        let (namespace, kubernetes) = (namespace.as_str(), &town.kubernetes);
        let labels = ["app.kubernetes.io/managed-by", "northstack.dev/application", "northstack.dev/revision"];
        let unlabelled: Value = labels.into_iter().map(|label| (label.to_owned(), Value::Null)).collect();
        let unlabelled = json!({ "metadata": { "labels": unlabelled } });
        match self {
            Self::DeletesDeployment => kubernetes.delete::<Deployment>(namespace, "api").await.unwrap(),
            Self::DeletesConfiguration => kubernetes.delete::<ConfigMap>(namespace, "api-env-2").await.unwrap(),
            Self::DeletesService => kubernetes.delete::<Service>(namespace, "api").await.unwrap(),
            Self::DeletesIngress => kubernetes.delete::<Ingress>(namespace, "api").await.unwrap(),
            Self::DeletesNamespace => kubernetes.delete_namespace(namespace).await.unwrap(),
            Self::EditsImage => {
                let containers = json!([{ "name": "app", "image": "evil:1" }]);
                let edit = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
                patch::<Deployment>(town, namespace, "api", edit).await;
            }
            Self::EditsReplicas => {
                patch::<Deployment>(town, namespace, "api", json!({ "spec": { "replicas": 5 } })).await
            }
            Self::EditsSelector => {
                let edit = json!({ "spec": { "selector": { "northstack.dev/colour": "green" } } });
                patch::<Service>(town, namespace, "api", edit).await;
            }
            Self::TakesLabelsOff => patch::<Deployment>(town, namespace, "api", unlabelled).await,
            Self::TakesLabelsOffPod => {
                // Of the new revision: the rollout itself takes pods of the one before away, at any moment.
                let pod = town.pod_of_revision(application, 2).await;
                patch::<Pod>(town, namespace, &pod.name_any(), unlabelled).await;
            }
        }
    }
}

async fn other_hands(kind: &'static str, step: &'static str) {
    // What a pod misses for as long as it takes to put it back is no verdict.
    let patience = |config: &mut Config| config.applications.stuck_after = Duration::from_secs(20);
    let town = Town::with(kind, patience).await;
    let expected = undisturbed(&town).await;
    for hand in HANDS {
        let operation = town.submit().await;
        let (pause, faults) = Pause::after(step);
        let worker = Worker::start(&town, faults);
        pause.reached().await;
        hand.strike(&town, town.application_of(operation).await).await;
        pause.go_on();
        assert_eq!(ended(&town, operation).await, "succeeded", "{hand:?}: {}", town.detail(operation).await);
        worker.stop().await;
        let left = town.dump(operation).await;
        assert_eq!(left, expected, "{hand:?}: another end than an undisturbed run\n{left:#}\n{expected:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_ends_as_if_no_other_hand_had_been_there() {
    other_hands(ROLLING, "workload").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_ends_as_if_no_other_hand_had_been_there() {
    other_hands(CANARY, "canary").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_somebody_took_the_labels_off_is_brought_back_by_the_one_that_is_given_up() {
    let town = Town::new(ROLLING).await;
    let id = town.running("api", json!({})).await;
    let before = town.cluster(id).await;
    Hand::TakesLabelsOff.strike(&town, id).await;
    let made = town.deploy(id, "nginx:2").await;
    let (pause, faults) = Pause::after("tidy");
    let worker = Worker::start(&town, faults);
    pause.reached().await;
    town.cancel(made.operation).await;
    pause.go_on();
    assert_eq!(ended(&town, made.operation).await, "cancelled");
    worker.stop().await;
    assert_eq!(town.cluster(id).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_left_alone_and_named_when_it_is_in_the_way() {
    let town = Town::new(ROLLING).await;
    let id = town.running("api", json!({ "settings": { "blueGreen": { "autoPromote": true } } })).await;
    let namespace = town.namespace(id).await;
    let map = |name: &str, labels: Value| json!({ "metadata": { "name": name, "labels": labels }, "data": { "mine": "yes" } });
    let deployment = |name: &str| {
        let labels = json!({ "app": name });
        json!({ "metadata": { "name": name }, "spec": { "replicas": 1, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "theirs", "image": "theirs:1" }] } } } })
    };
    let maps = [
        create::<ConfigMap>(&town, &namespace, map("notes", json!({}))).await,
        create(&town, &namespace, map("grouped", json!({ "northstack.dev/application": id }))).await,
        create(&town, &namespace, map("api-env-1b", json!({ "app.kubernetes.io/managed-by": "northstack" }))).await,
    ];
    for name in ["api-green", "api-canary"] {
        create::<Deployment>(&town, &namespace, deployment(name)).await;
    }
    let second = town.deploy(id, "nginx:2").await;
    assert_eq!(town.finish(second.operation).await, "succeeded");
    for (strategy, name) in [("blue_green", "api-green"), ("canary", "api-canary")] {
        let strategy = Some(strategy.to_owned());
        let new = NewDeployment { image: Some("nginx:3".to_owned()), strategy, ..NewDeployment::default() };
        let made = town.service.app.deploy_application(&town.caller, id, &new, None).await.unwrap();
        assert_eq!(town.finish(made.operation).await, "failed");
        let said = town.detail(made.operation).await;
        let wanted = format!("the Deployment {name} in the namespace {namespace} is not this application's: rename");
        assert!(said.contains(&wanted), "{said}");
        let theirs = other::<Deployment>(&town, &namespace).await.get(name).await.unwrap();
        assert_eq!((theirs.metadata.generation, theirs.spec.replicas), (Some(1), Some(1)), "{name}");
        assert_eq!(town.pods(id).await, ["nginx:2"; 2], "the revision before serves");
        town.cancel(made.operation).await;
        assert_eq!(town.finish(made.operation).await, "cancelled", "{}", town.detail(made.operation).await);
        assert!(other::<Deployment>(&town, &namespace).await.get(name).await.is_ok(), "{name}");
    }
    for map in maps {
        let now = other::<ConfigMap>(&town, &namespace).await.get(&map.name_any()).await.unwrap();
        assert_eq!(now.resource_version(), map.resource_version(), "{}", map.name_any());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn applications_whose_objects_could_have_one_name_stand_side_by_side() {
    let town = Town::new(ROLLING).await;
    let environment = json!({ "environment": "production", "strategy": "blue_green",
        "settings": { "blueGreen": { "autoPromote": true } } });
    let mut all = Vec::new();
    for name in ["api", "api-green", "api-canary", "api-preview", "api-green-canary"] {
        all.push(town.running(name, environment.clone()).await);
    }
    for id in &all {
        let made = town.deploy(*id, "nginx:2").await;
        assert_eq!(town.finish(made.operation).await, "succeeded", "{}", town.detail(made.operation).await);
    }
    for id in all {
        assert_eq!(town.pods(id).await, ["nginx:2"; 2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_a_finalizer_holds_is_waited_for_and_named() {
    let town = Town::new(ROLLING).await;
    let expected = undisturbed(&town).await;
    let operation = town.submit().await;
    let namespace = town.namespace(town.application_of(operation).await).await;
    let (pause, faults) = Pause::after("workload");
    let worker = Worker::start(&town, faults);
    pause.reached().await;
    hold::<Deployment>(&town, &namespace, "api", true).await;
    town.kubernetes.delete::<Deployment>(&namespace, "api").await.unwrap();
    pause.go_on();
    let said = town.says(operation, HOLD).await;
    assert!(said.contains("the deployment api is being deleted, and held by the finalizer"), "{said}");
    hold::<Deployment>(&town, &namespace, "api", false).await;
    assert_eq!(ended(&town, operation).await, "succeeded", "{}", town.detail(operation).await);
    worker.stop().await;
    assert_eq!(town.dump(operation).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_a_canary_that_has_done_its_work_is_named() {
    let town = Town::new(CANARY).await;
    let expected = undisturbed(&town).await;
    for of_pod in [false, true] {
        let operation = town.submit().await;
        let application = town.application_of(operation).await;
        let namespace = town.namespace(application).await;
        let (pause, faults) = Pause::after("canary");
        let worker = Worker::start(&town, faults);
        pause.reached().await;
        let canary = format!("northstack.dev/application={application},northstack.dev/track=canary");
        let pods: Vec<Pod> = town.kubernetes.list(&namespace, &canary).await.unwrap();
        let pod = pods[0].name_any();
        let held = async |held| match of_pod {
            true => hold::<Pod>(&town, &namespace, &pod, held).await,
            false => hold::<Deployment>(&town, &namespace, "api-canary", held).await,
        };
        held(true).await;
        pause.go_on();
        let said = town.says(operation, HOLD).await;
        let what = if of_pod { format!("the pod {pod}") } else { "the deployment api-canary".to_owned() };
        assert!(said.contains(&format!("{what} is being deleted, and held by the finalizer {HOLD}")), "{said}");
        held(false).await;
        assert_eq!(ended(&town, operation).await, "succeeded", "{}", town.detail(operation).await);
        worker.stop().await;
        assert_eq!(town.dump(operation).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_cannot_end_is_waited_for_and_named_and_is_made_again() {
    let town = Town::new(ROLLING).await;
    let expected = undisturbed(&town).await;
    let operation = town.submit().await;
    let namespace = town.namespace(town.application_of(operation).await).await;
    create::<ConfigMap>(&town, &namespace, json!({ "metadata": { "name": "theirs", "finalizers": [HOLD] } })).await;
    let (pause, faults) = Pause::after("prepare");
    let worker = Worker::start(&town, faults);
    pause.reached().await;
    town.kubernetes.delete_namespace(&namespace).await.unwrap();
    pause.go_on();
    let said = town.says(operation, HOLD).await;
    for words in [format!("the namespace {namespace} is being deleted").as_str(), "take it off"] {
        assert!(said.contains(words), "{said}");
    }
    hold::<ConfigMap>(&town, &namespace, "theirs", false).await;
    assert_eq!(ended(&town, operation).await, "succeeded", "{}", town.detail(operation).await);
    worker.stop().await;
    assert_eq!(town.dump(operation).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_a_preview_that_is_deleted_is_named() {
    let town = Town::new(ROLLING).await;
    let app = &town.service.app;
    let id = town.application("api", json!({})).await;
    let new = NewPreview { name: "pr-1".to_owned(), ..NewPreview::default() };
    let made = app.create_preview(&town.caller, id, &new, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "succeeded");
    let namespace = town.text("preview_environments", "namespace", made.preview).await.unwrap();
    create::<ConfigMap>(&town, &namespace, json!({ "metadata": { "name": "theirs", "finalizers": [HOLD] } })).await;
    let deletion = app.delete_preview(&town.caller, made.preview, None).await.unwrap();
    let worker = Worker::start(&town, Faults::none());
    let said = town.says(deletion.operation, HOLD).await;
    assert!(said.contains(&format!("the namespace {namespace} is being deleted")), "{said}");
    hold::<ConfigMap>(&town, &namespace, "theirs", false).await;
    assert_eq!(ended(&town, deletion.operation).await, "succeeded");
    worker.stop().await;
    assert!(town.kubernetes.namespace(&namespace).await.unwrap().is_none());
}
