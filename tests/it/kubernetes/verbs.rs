//! Every verb of the API by a kube client.

use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Discovery};
use serde_json::json;

use super::support::{cluster, eventually};

fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": {"n": value}}, "data": {"k": value}})).unwrap()
}

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_names_the_kinds() {
    let (simulator, client) = cluster().await;
    assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.36.2");
    let discovery = Discovery::new(client.clone()).run().await.unwrap();
    let apps = discovery.groups().find(|group| group.name() == "apps").unwrap();
    let (resource, capabilities) = apps.recommended_kind("Deployment").unwrap();
    assert_eq!(resource.plural, "deployments");
    assert!(capabilities.subresources.iter().any(|(sub, _)| sub.plural == "scale"));
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_lives_through_every_verb() {
    let (simulator, client) = cluster().await;
    let api = maps(&client);
    let made = api.create(&PostParams::default(), &map("a", "1")).await.unwrap();
    let again = api.create(&PostParams::default(), &map("a", "1")).await.unwrap_err();
    assert!(matches!(&again, kube::Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists"));

    let mut changed = made.clone();
    changed.data.as_mut().unwrap().insert("k".to_owned(), "2".to_owned());
    let replaced = api.replace("a", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(replaced.metadata.resource_version, made.metadata.resource_version);
    let stale = api.replace("a", &PostParams::default(), &made).await.unwrap_err();
    assert!(matches!(&stale, kube::Error::Api(status) if status.code == 409 && status.reason == "Conflict"));

    let merge = json!({"data": {"k": null, "new": "x"}});
    let merged = api.patch("a", &PatchParams::default(), &Patch::Merge(merge)).await.unwrap();
    assert_eq!(merged.data.unwrap().into_iter().collect::<Vec<_>>(), [("new".to_owned(), "x".to_owned())]);
    let operations = serde_json::from_value(json!([{"op": "replace", "path": "/data/new", "value": "y"}])).unwrap();
    let patched = api.patch("a", &PatchParams::default(), &Patch::Json::<()>(operations)).await.unwrap();
    assert_eq!(patched.data.unwrap()["new"], "y");

    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(api.get_opt("a").await.unwrap().is_none());
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_owns_fields_and_finds_conflicts() {
    let (simulator, client) = cluster().await;
    let api = maps(&client);
    let config = |value: &str| {
        Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": {"k": value}}))
    };
    let first = api.patch("s", &PatchParams::apply("one"), &config("1")).await.unwrap();
    let same = api.patch("s", &PatchParams::apply("one"), &config("1")).await.unwrap();
    assert_eq!(first.metadata.resource_version, same.metadata.resource_version, "an unchanged apply writes nothing");
    let refused = api.patch("s", &PatchParams::apply("two"), &config("2")).await.unwrap_err();
    let kube::Error::Api(status) = &refused else { panic!("{refused}") };
    assert_eq!(status.message, "Apply failed with 1 conflict: conflict with \"one\": .data.k");
    api.patch("s", &PatchParams::apply("two").force(), &config("2")).await.unwrap();
    let dropped = Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}}));
    let last = api.patch("s", &PatchParams::apply("two"), &dropped).await.unwrap();
    assert!(last.data.is_none_or(|data| data.is_empty()), "a field that its last owner drops is gone");
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_of_one_snapshot() {
    let (simulator, client) = cluster().await;
    let api = maps(&client);
    for number in 0..5 {
        api.create(&PostParams::default(), &map(&format!("p{number}"), &number.to_string())).await.unwrap();
    }
    let selector = ListParams::default().labels("n").limit(2);
    let page = api.list(&selector).await.unwrap();
    assert_eq!(page.items.len(), 2);
    api.create(&PostParams::default(), &map("p00", "late")).await.unwrap();
    let token = page.metadata.continue_.clone().unwrap();
    let next = api.list(&selector.clone().continue_token(&token)).await.unwrap();
    let names: Vec<_> = next.items.iter().map(|map| map.metadata.name.clone().unwrap()).collect();
    assert_eq!(names, ["p2", "p3"]);
    let chosen = api.list(&ListParams::default().labels("n in (1,3)").fields("metadata.name!=p3")).await.unwrap();
    assert_eq!(chosen.items.len(), 1);
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_each_change_once() {
    let (simulator, client) = cluster().await;
    let api = maps(&client);
    let version = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let stream = api.watch(&WatchParams::default().labels("n"), &version).await.unwrap();
    api.create(&PostParams::default(), &map("w", "1")).await.unwrap();
    api.patch("w", &PatchParams::default(), &Patch::Merge(json!({"data": {"k": "2"}}))).await.unwrap();
    api.delete("w", &DeleteParams::default()).await.unwrap();
    let mut seen = Vec::new();
    let mut stream = std::pin::pin!(stream);
    while seen.len() < 3 {
        let event = tokio::time::timeout(super::support::PATIENCE, stream.try_next()).await.unwrap().unwrap().unwrap();
        seen.push(match event {
            WatchEvent::Added(_) => "added",
            WatchEvent::Modified(_) => "modified",
            WatchEvent::Deleted(_) => "deleted",
            WatchEvent::Bookmark(_) | WatchEvent::Error(_) => continue,
        });
    }
    assert_eq!(seen, ["added", "modified", "deleted"]);
    let streaming = watcher(api.clone(), watcher::Config::default().streaming_lists()).applied_objects();
    let mut streaming = std::pin::pin!(streaming);
    let first = tokio::time::timeout(super::support::PATIENCE, streaming.try_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.metadata.name.as_deref(), Some("kube-root-ca.crt"));
    simulator.shutdown().await;
}

fn deployment(name: &str, image: &str) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": image}]}},
        },
    }))
    .unwrap()
}

async fn available(api: &Api<Deployment>, name: &str, wanted: i32) -> Deployment {
    eventually("a rolled out Deployment", || async {
        let found = api.get(name).await.unwrap();
        let status = found.status.clone().unwrap();
        let settled = status.available_replicas.unwrap_or(0) == wanted
            && status.replicas.unwrap_or(0) == wanted
            && status.updated_replicas.unwrap_or(0) == wanted
            && status.observed_generation == found.metadata.generation;
        settled.then_some(found)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_rolls_out_scales_and_goes() {
    let (simulator, client) = cluster().await;
    let api: Api<Deployment> = Api::namespaced(client.clone(), "default");
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), "default");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    api.create(&PostParams::default(), &deployment("web", "web:1")).await.unwrap();
    let found = available(&api, "web", 2).await;
    let conditions = found.status.unwrap().conditions.unwrap();
    assert!(
        conditions.iter().any(|one| one.type_.as_deref() == Some("Available") && one.status.as_deref() == Some("True")),
        "{conditions:?}"
    );
    assert!(conditions.iter().any(|one| one.reason.as_deref() == Some("NewReplicaSetAvailable")), "{conditions:?}");
    let pod = pods.list(&ListParams::default()).await.unwrap().items[0].metadata.name.clone().unwrap();
    let log = pods.logs(&pod, &LogParams::default()).await.unwrap();
    assert!(log.contains("started"), "{log}");

    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "web:2"}]}}}});
    api.patch("web", &PatchParams::default(), &Patch::Strategic(image)).await.unwrap();
    let found = available(&api, "web", 2).await;
    assert_eq!(found.metadata.annotations.unwrap()["deployment.kubernetes.io/revision"], "2");
    assert_eq!(sets.list(&ListParams::default()).await.unwrap().items.len(), 2);

    let scale = api.get_scale("web").await.unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(2));
    api.patch_scale("web", &PatchParams::default(), &Patch::Merge(json!({"spec": {"replicas": 3}}))).await.unwrap();
    available(&api, "web", 3).await;

    api.delete("web", &DeleteParams::foreground()).await.unwrap();
    eventually("the end of the Deployment and all below it", || async {
        let gone = api.get_opt("web").await.unwrap().is_none()
            && sets.list(&ListParams::default()).await.unwrap().items.is_empty()
            && pods.list(&ListParams::default()).await.unwrap().items.is_empty();
        gone.then_some(())
    })
    .await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_without_its_labels_is_let_go_and_taken_up_again_with_them() {
    let (simulator, client) = cluster().await;
    let api: Api<Deployment> = Api::namespaced(client.clone(), "default");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    api.create(&PostParams::default(), &deployment("web", "web:1")).await.unwrap();
    available(&api, "web", 2).await;
    let stray = pods.list(&ListParams::default()).await.unwrap().items[0].metadata.name.clone().unwrap();
    let label = async |label: Option<&str>| {
        let patch = json!({"metadata": {"labels": {"app": label}}});
        pods.patch(&stray, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    };
    label(None).await;
    eventually("another pod in its place", || async {
        let all = pods.list(&ListParams::default()).await.unwrap().items;
        let let_go =
            all.iter().find(|pod| pod.metadata.name.as_ref() == Some(&stray))?.metadata.owner_references.clone();
        (let_go.unwrap_or_default().is_empty() && all.len() == 3).then_some(())
    })
    .await;
    available(&api, "web", 2).await;
    label(Some("web")).await;
    eventually("two pods in all", || async {
        let all = pods.list(&ListParams::default()).await.unwrap().items;
        let owned = all.iter().all(|pod| pod.metadata.owner_references.as_ref().is_some_and(|it| it.len() == 1));
        (all.len() == 2 && owned).then_some(())
    })
    .await;
    available(&api, "web", 2).await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminating_namespace_takes_nothing_new() {
    let (simulator, client) = cluster().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let named: Namespace = serde_json::from_value(json!({"metadata": {"name": "brief"}})).unwrap();
    namespaces.create(&PostParams::default(), &named).await.unwrap();
    let inside: Api<ConfigMap> = Api::namespaced(client.clone(), "brief");
    let mut held = map("held", "1");
    held.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
    inside.create(&PostParams::default(), &held).await.unwrap();
    namespaces.delete("brief", &DeleteParams::default()).await.unwrap();
    let refused = inside.create(&PostParams::default(), &map("late", "1")).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");
    let again = namespaces.create(&PostParams::default(), &named).await.unwrap_err();
    assert!(again.to_string().contains("object is being deleted"), "{again}");
    eventually("the five conditions", || async {
        let found = namespaces.get("brief").await.unwrap().status.unwrap().conditions.unwrap_or_default();
        (found.len() == 5).then_some(())
    })
    .await;
    inside
        .patch("held", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"finalizers": null}})))
        .await
        .unwrap();
    eventually("the end of the namespace", || async {
        namespaces.get_opt("brief").await.unwrap().is_none().then_some(())
    })
    .await;
    simulator.shutdown().await;
}
