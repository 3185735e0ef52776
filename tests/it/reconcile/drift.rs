//! Drift: found, told, put right (F10, I17).

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, Patch, PatchParams};
use northstack::app::background::{Drift, check_drift};
use serde_json::{Value, json};

use crate::runtime::town::{Standing, Town};

pub(super) const TITLE: &str = "An application is not as it was deployed";

async fn pass(town: &Town) -> Drift {
    check_drift(&town.service.app).await.unwrap()
}

/// An application whose drift is put right.
pub(super) async fn healing(town: &Town, name: &str) -> Standing {
    let standing = town.deployed(name, "nginx:1").await;
    sqlx::query("update applications set heal_drift = true where id = $1")
        .bind(standing.id)
        .execute(town.pool())
        .await
        .unwrap();
    town.ready(&standing).await;
    standing
}

/// Somebody else's hand in the cluster.
pub(super) async fn tamper<K>(town: &Town, standing: &Standing, name: &str, patch: Value)
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
        + k8s_openapi::Resource<Scope = NamespaceResourceScope>
        + serde::de::DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let config = kube::Config::from_custom_kubeconfig(town.simulator.kubeconfig(), &Default::default()).await.unwrap();
    let client = kube::Client::try_from(config).unwrap();
    let api: Api<K> = Api::namespaced(client, &standing.target.namespace);
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

async fn detail(town: &Town) -> String {
    sqlx::query_scalar("select detail from alerts where resolved_at is null and title = $1")
        .bind(TITLE)
        .fetch_one(town.pool())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_as_it_is_to_be_is_not_written_to() {
    let town = Town::new().await;
    for name in ["api", "web", "worker"] {
        healing(&town, name).await;
    }
    town.quiet().await;
    let before = town.writes().await;
    for _ in 0..3 {
        let seen = pass(&town).await;
        assert_eq!((seen.looked_at, seen.drifted.len(), seen.healed.len()), (3, 0, 0), "{seen:?}");
    }
    assert_eq!(town.writes().await, before, "neither a row nor an object was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_by_another_hand_is_put_right_once() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    let namespace = api.target.namespace.clone();
    let kubernetes = &town.kubernetes;
    let deployment = |patch: Value| tamper::<Deployment>(&town, &api, "api", patch).boxed();
    let evil = json!([{ "name": "app", "image": "evil:1" }]);
    let elsewhere = json!({ "spec": { "selector": { "northstack.dev/colour": null } } });
    let trace = json!({ "data": { "LOG_LEVEL": "trace" } });
    let unlabelled = json!({ "metadata": { "labels": { "northstack.dev/application": null } } });
    // None of them happens before its turn.
    let changes: Vec<(&str, BoxFuture<'_, ()>)> = vec![
        ("spec.replicas is 5", deployment(json!({ "spec": { "replicas": 5 } }))),
        ("image is \"evil:1\"", deployment(json!({ "spec": { "template": { "spec": { "containers": evil } } } }))),
        ("spec.selector.northstack.dev/colour", tamper::<Service>(&town, &api, "api", elsewhere).boxed()),
        ("data.LOG_LEVEL", tamper::<ConfigMap>(&town, &api, "api-env-1", trace).boxed()),
        ("Ingress api is not there", kubernetes.delete::<Ingress>(&namespace, "api").map(Result::unwrap).boxed()),
        ("Service api is not there", kubernetes.delete::<Service>(&namespace, "api").map(Result::unwrap).boxed()),
        ("Deployment api is not there", kubernetes.delete::<Deployment>(&namespace, "api").map(Result::unwrap).boxed()),
        (
            "PodDisruptionBudget api is not there",
            kubernetes.delete::<PodDisruptionBudget>(&namespace, "api").map(Result::unwrap).boxed(),
        ),
        ("Deployment api is not there", deployment(unlabelled)),
    ];
    for (words, change) in changes {
        change.await;
        let seen = pass(&town).await;
        assert_eq!((&seen.drifted, &seen.healed), (&vec![api.id], &vec![api.id]), "{words}: {seen:?}");
        let told = detail(&town).await;
        assert!(told.contains(words) && told.ends_with("it was put right"), "{words}: {told}");
        town.ready(&api).await;
        let seen = pass(&town).await;
        assert_eq!((seen.drifted.len(), seen.alerts.resolved), (0, vec![api.id]), "{words}");
        town.quiet().await;
        let before = town.writes().await;
        assert!(pass(&town).await.drifted.is_empty(), "{words}");
        assert_eq!(town.writes().await, before, "{words}: what is right is not written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_only_told_where_the_application_does_not_ask_for_more() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    tamper::<Deployment>(&town, &api, "api", json!({ "spec": { "replicas": 3 } })).await;
    let seen = pass(&town).await;
    assert_eq!((&seen.drifted, seen.healed.len(), &seen.alerts.raised), (&vec![api.id], 0, &vec![api.id]));
    assert_eq!(detail(&town).await, "Deployment api: spec.replicas is 3 and not 2");
    town.ready(&api).await;
    town.quiet().await;
    let before = town.writes().await;
    assert_eq!(pass(&town).await.drifted, [api.id]);
    assert_eq!(town.writes().await, before, "what is told already is not written again");
    tamper::<Deployment>(&town, &api, "api", json!({ "spec": { "replicas": 2 } })).await;
    assert_eq!(pass(&town).await.alerts.resolved, [api.id]);
    assert_eq!(town.alerts().await, [(TITLE.to_owned(), api.id, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_among_the_objects_is_told_and_left_alone() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    let mut stranger = api.desired(&town).deployment;
    stranger.metadata.name = Some("api-miner".to_owned());
    town.kubernetes.apply(&api.target.namespace, &stranger).await.unwrap();
    let seen = pass(&town).await;
    assert_eq!(seen.drifted, [api.id]);
    assert!(detail(&town).await.contains("Deployment api-miner is there and was never deployed"));
    let found = town.kubernetes.get::<Deployment>(&api.target.namespace, "api-miner").await.unwrap();
    assert!(found.is_some_and(|found| found.metadata.deletion_timestamp.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_put_right_while_something_is_done_and_after_it_has_failed() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    tamper::<Deployment>(&town, &api, "api", json!({ "spec": { "replicas": 3 } })).await;
    let operation: uuid::Uuid = sqlx::query_scalar(
        "insert into operations (kind, team_id, subject_type, subject_id, correlation_id)
         select 'application.restart', p.team_id, 'application', a.id, 'c'
         from applications a join projects p on p.id = a.project_id where a.id = $1 returning id",
    )
    .bind(api.id)
    .fetch_one(town.pool())
    .await
    .unwrap();
    for (status, looked_at) in [("queued", 0), ("running", 0), ("waiting", 0), ("failed", 0), ("succeeded", 1)] {
        let update = sqlx::query("update operations set status = $2 where id = $1").bind(operation).bind(status);
        update.execute(town.pool()).await.unwrap();
        let seen = pass(&town).await;
        assert_eq!((seen.looked_at, seen.healed.len()), (looked_at, looked_at), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_gone_comes_back_and_one_that_is_going_does_not_stop_the_others() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    // What somebody else holds keeps the namespace on its way out.
    let held = json!({ "metadata": { "name": "held", "finalizers": ["example.com/hold"] } });
    let held: ConfigMap = serde_json::from_value(held).unwrap();
    town.kubernetes.apply(&api.target.namespace, &held).await.unwrap();
    town.kubernetes.delete_namespace(&api.target.namespace).await.unwrap();
    town.until("its objects are gone", async || {
        town.kubernetes.get::<Deployment>(&api.target.namespace, "api").await.unwrap().is_none()
    })
    .await;
    let seen = pass(&town).await;
    assert_eq!((seen.drifted.len(), seen.healed.len()), (1, 0), "it is on its way out: {seen:?}");
    assert!(detail(&town).await.contains("it could not be put right"));
    tamper::<ConfigMap>(&town, &api, "held", json!({ "metadata": { "finalizers": null } })).await;
    town.until("the namespace is gone", async || {
        town.kubernetes.namespace(&api.target.namespace).await.unwrap().is_none()
    })
    .await;
    assert_eq!(pass(&town).await.healed, [api.id]);
    town.ready(&api).await;
    assert!(pass(&town).await.drifted.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_answer_says_nothing_of_any_application() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    town.fault(json!({ "verb": "list", "kind": "Ingress", "status": 503, "message": "etcd is away" })).await;
    tamper::<Deployment>(&town, &api, "api", json!({ "spec": { "replicas": 3 } })).await;
    assert!(check_drift(&town.service.app).await.is_err());
    assert_eq!(town.alerts().await, []);
    town.well().await;
    assert_eq!(pass(&town).await.healed, [api.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scaled_application_is_to_have_the_size_that_it_was_given() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    let input = json!({ "target": api.target, "replicas": 4, "autoscaling": null, "before": null, "after": null });
    sqlx::query(
        "insert into operations (kind, team_id, subject_type, subject_id, correlation_id, status, input)
         select 'application.scale', p.team_id, 'application', a.id, 'c', 'succeeded', $2
         from applications a join projects p on p.id = a.project_id where a.id = $1",
    )
    .bind(api.id)
    .bind(input)
    .execute(town.pool())
    .await
    .unwrap();
    assert_eq!(pass(&town).await.healed, [api.id]);
    let found = town.kubernetes.get::<Deployment>(&api.target.namespace, "api").await.unwrap().unwrap();
    assert_eq!(found.spec.replicas, Some(4));
    assert!(pass(&town).await.drifted.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_hand_has_added_is_named_and_taken_out_again() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    let find = async || town.kubernetes.get::<Deployment>(&api.target.namespace, "api").await.unwrap().unwrap();
    let mut containers = serde_json::to_value(find().await).unwrap()["spec"]["template"]["spec"]["containers"].clone();
    let mut env = containers[0]["env"].as_array().cloned().unwrap_or_default();
    env.push(json!({ "name": "EVIL", "value": "1" }));
    containers[0]["env"] = json!(env);
    containers.as_array_mut().unwrap().push(json!({ "name": "miner", "image": "miner:1" }));
    let pod = json!({ "hostNetwork": true, "containers": containers });
    let patch = json!({ "spec": { "template": { "spec": pod } } });
    tamper::<Deployment>(&town, &api, "api", patch.clone()).await;
    let seen = pass(&town).await;
    assert_eq!((&seen.drifted, &seen.healed), (&vec![api.id], &vec![api.id]), "{seen:?}");
    let told = detail(&town).await;
    for words in ["containers[miner]", "hostNetwork", "env", "it was put right"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let clean = async || {
        let found = find().await.spec.template.spec.unwrap();
        let app = &found.containers[0];
        let evil = app.env.iter().flatten().any(|variable| variable.name == "EVIL");
        found.containers.len() == 1 && found.host_network != Some(true) && !evil
    };
    assert!(clean().await, "{:?}", find().await);
    assert!(pass(&town).await.drifted.is_empty(), "and it is not told again");

    // Nor does it survive what is deployed next.
    tamper::<Deployment>(&town, &api, "api", patch).await;
    northstack::workflow::flows::application::desired::apply(&town.kubernetes, &api.target, &api.desired(&town))
        .await
        .unwrap();
    assert!(clean().await, "{:?}", find().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_drops_is_no_drift() {
    let town = Town::new().await;
    let mut api = healing(&town, "api").await;
    api.workload.settings =
        northstack::domain::workload::Settings::read(&json!({ "health": { "path": "/", "initialDelaySeconds": 0 } }))
            .unwrap();
    let update = "update deployment_revisions set settings = $2 where application_id = $1";
    sqlx::query(update)
        .bind(api.id)
        .bind(json!({ "health": { "path": "/", "initialDelaySeconds": 0 } }))
        .execute(town.pool())
        .await
        .unwrap();
    northstack::workflow::flows::application::desired::apply(&town.kubernetes, &api.target, &api.desired(&town))
        .await
        .unwrap();
    let seen = pass(&town).await;
    assert_eq!((seen.looked_at, seen.drifted.len()), (1, 0), "{:?}", town.alerts().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_alert_says_what_is_the_matter_now() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    town.kubernetes.delete::<Ingress>(&api.target.namespace, "api").await.unwrap();
    assert_eq!(pass(&town).await.alerts.raised, [api.id]);
    town.kubernetes.delete::<PodDisruptionBudget>(&api.target.namespace, "api").await.unwrap();
    pass(&town).await;
    let told = detail(&town).await;
    assert!(
        told.contains("Ingress api is not there") && told.contains("PodDisruptionBudget api is not there"),
        "{told}"
    );
    assert_eq!(town.alerts().await.len(), 1);
}
