//! What deleted applications leave behind.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, Patch, PatchParams, PostParams};
use northstack::app::background::remove_departed;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::runtime::town::{Standing, Town};

async fn delete(town: &Town, id: Uuid) {
    let forget = "update applications set deleted_at = now() where id = $1";
    sqlx::query(forget).bind(id).execute(town.pool()).await.unwrap();
}

async fn pass(town: &Town) -> Vec<Uuid> {
    remove_departed(&town.service.app).await.unwrap()
}

/// How many objects say that they are the application's, by kind.
async fn left(town: &Town, of: &Standing) -> [usize; 5] {
    let (namespace, selector) = (of.target.namespace.as_str(), of.target.selector());
    let kubernetes = &town.kubernetes;
    [
        kubernetes.list::<Ingress>(namespace, &selector).await.unwrap().len(),
        kubernetes.list::<Service>(namespace, &selector).await.unwrap().len(),
        kubernetes.list::<Deployment>(namespace, &selector).await.unwrap().len(),
        kubernetes.list::<PodDisruptionBudget>(namespace, &selector).await.unwrap().len(),
        kubernetes.list::<ConfigMap>(namespace, &selector).await.unwrap().len(),
    ]
}

async fn maps(town: &Town, namespace: &str) -> Api<ConfigMap> {
    let config = kube::Config::from_custom_kubeconfig(town.simulator.kubeconfig(), &Default::default()).await.unwrap();
    Api::namespaced(kube::Client::try_from(config).unwrap(), namespace)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_objects_of_a_deleted_application_go_and_nothing_else_does() {
    let town = Town::new().await;
    let (api, web) = (town.deployed("api", "nginx:1").await, town.deployed("web", "nginx:1").await);
    let namespace = &api.target.namespace;
    let maps = maps(&town, namespace).await;
    let ours = ("app.kubernetes.io/managed-by", "northstack");
    for (name, labels) in [
        ("notes", json!({})),
        ("grouped", json!({ "northstack.dev/application": api.id })),
        ("of-another-installation", json!({ ours.0: ours.1, "northstack.dev/application": Uuid::new_v4() })),
    ] {
        let map = json!({ "metadata": { "name": name, "labels": labels } });
        maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    }
    for standing in [&api, &web] {
        town.ready(standing).await;
    }
    assert!(pass(&town).await.is_empty());

    delete(&town, api.id).await;
    let busy = "insert into operations (kind, flow_version, team_id, subject_type, subject_id, input, correlation_id)
                select 'application.stop', 1, p.team_id, 'application', a.id, '{}', 'c'
                from applications a join projects p on p.id = a.project_id where a.id = $1";
    sqlx::query(busy).bind(api.id).execute(town.pool()).await.unwrap();
    assert!(pass(&town).await.is_empty(), "something is being done to it");
    assert_eq!(left(&town, &api).await, [1, 1, 1, 1, 2]);
    let done = "update operations set status = 'cancelled', finished_at = now()";
    sqlx::query(done).execute(town.pool()).await.unwrap();

    assert_eq!(pass(&town).await, [api.id]);
    assert_eq!(left(&town, &api).await, [0, 0, 0, 0, 1], "somebody else's with its label stays");
    assert_eq!(left(&town, &web).await, [1; 5]);
    for name in ["notes", "grouped", "of-another-installation"] {
        assert!(maps.get(name).await.is_ok(), "{name}");
    }
    town.quiet().await;
    let before = town.writes().await;
    assert!(pass(&town).await.is_empty());
    assert_eq!(town.writes().await, before, "where nothing is left, nothing is written");
    assert!(town.stands(namespace).await, "another one lives there");

    sqlx::query("update projects set deleted_at = now()").execute(town.pool()).await.unwrap();
    assert_eq!(pass(&town).await, [web.id], "those of a deleted project go too");
    assert_eq!(left(&town, &web).await, [0; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_by_a_finalizer_is_told_once_and_until_it_is_gone() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    let maps = maps(&town, &api.target.namespace).await;
    let hold = async |finalizers: Value| {
        let patch = json!({ "metadata": { "finalizers": finalizers } });
        maps.patch("api-env-1", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    };
    hold(json!(["example.com/hold"])).await;
    delete(&town, api.id).await;
    assert_eq!(pass(&town).await, [api.id]);
    assert!(pass(&town).await.is_empty());
    assert!(pass(&town).await.is_empty());
    let title = "What a deleted application has left cannot be removed".to_owned();
    assert_eq!(town.alerts().await, [(title.clone(), api.id, false)]);
    let detail: String = sqlx::query_scalar("select detail from alerts").fetch_one(town.pool()).await.unwrap();
    let wanted = "is being deleted, and held by the finalizer example.com/hold: whoever set it has to finish";
    assert!(detail.starts_with("ConfigMap api-env-1 in ") && detail.contains(wanted), "{detail}");
    hold(Value::Null).await;
    assert!(pass(&town).await.is_empty());
    assert_eq!(town.alerts().await, [(title, api.id, true)]);
}
