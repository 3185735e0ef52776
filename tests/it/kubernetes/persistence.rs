//! A cluster that is kept on disk.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use northstack::sim::kubernetes::{Simulator, SimulatorOptions};
use serde_json::json;

use super::store::{NS, install, pod_of, provision, run};
use super::support::{client, eventually, options};

fn kept(dir: &std::path::Path) -> SimulatorOptions {
    SimulatorOptions { state_dir: Some(dir.to_owned()), ..options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_as_it_was_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = Simulator::start(kept(dir.path())).await.unwrap();
    let before = client(&first).await;
    provision(&before, "wordpress:6.8-apache").await;
    let pod = pod_of(&before, "woocommerce").await;
    pod_of(&before, "mysql").await;
    install(&before, &pod, "http://shop.test").await;
    let token = first.token().to_owned();
    first.shutdown().await;

    let second = Simulator::start(kept(dir.path())).await.unwrap();
    assert_eq!(second.token(), token, "a kubeconfig stays good");
    let after = client(&second).await;
    assert_eq!(pod_of(&after, "woocommerce").await, pod, "the same pod runs on");
    let (out, _, code) = run(&after, &pod, "wp-cli", &["wp", "option", "get", "blogname"]).await;
    assert_eq!((out.as_str(), code), ("My Shop\n", 0));
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(after.clone(), NS);
    assert_eq!(claims.list(&ListParams::default()).await.unwrap().items.len(), 2);
    let namespaces: Api<Namespace> = Api::all(after.clone());
    namespaces.delete(NS, &DeleteParams::default()).await.unwrap();
    second.shutdown().await;

    // A deletion that was under way goes on.
    let third = Simulator::start(kept(dir.path())).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client(&third).await);
    eventually("the end of the namespace", || async { namespaces.get_opt(NS).await.unwrap().is_none().then_some(()) })
        .await;
    third.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_last_line_of_the_journal_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let first = Simulator::start(kept(dir.path())).await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client(&first).await, "default");
    let map = |name: &str| serde_json::from_value::<ConfigMap>(json!({"metadata": {"name": name}})).unwrap();
    let made = api.create(&PostParams::default(), &map("whole")).await.unwrap();
    first.shutdown().await;
    // As a kill in the middle of a write leaves it.
    let journal = dir.path().join("cluster.journal");
    let mut text = std::fs::read_to_string(&journal).unwrap();
    text.push_str(r#"{"put":{"kind":"configmaps","namespace":"default","na"#);
    std::fs::write(&journal, text).unwrap();

    let second = Simulator::start(kept(dir.path())).await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client(&second).await, "default");
    let found = api.get("whole").await.unwrap();
    assert_eq!(found.metadata.uid, made.metadata.uid);
    let next = api.create(&PostParams::default(), &map("next")).await.unwrap();
    let version = |map: &ConfigMap| map.metadata.resource_version.clone().unwrap().parse::<u64>().unwrap();
    assert!(version(&next) > version(&made), "revisions go on");
    second.shutdown().await;
}
