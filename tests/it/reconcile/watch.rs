//! Drift is found as it happens, whatever becomes of the watch (T15, F9, F10).

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use northstack::app::background::{DriftWatch, check_drift};
use northstack::app::{App, Provisioning};
use northstack::config::Live;
use northstack::vendors::kubernetes::{Client, Source};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::drift::{TITLE, healing, tamper};
use crate::platform::Proxy;
use crate::runtime::town::{Standing, Town};

/// A replica that watches.
struct Replica {
    watch: Arc<DriftWatch>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Replica {
    async fn start(town: &Town) -> Self {
        let replica = Self::over(Arc::clone(&town.service.app));
        replica.synced().await;
        replica
    }

    fn over(app: Arc<App>) -> Self {
        let (watch, stop) = (Arc::new(DriftWatch::new(app)), CancellationToken::new());
        let (running, token) = (Arc::clone(&watch), stop.clone());
        let running = tokio::spawn(async move { running.run(token).await });
        Self { watch, stop, running }
    }

    /// Waits until it knows all objects.
    async fn synced(&self) {
        let mut synced = self.watch.synced();
        let synced = synced.wait_for(|synced| *synced);
        tokio::time::timeout(Duration::from_secs(20), synced).await.expect("the watch is in time").unwrap();
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

/// (subject, detail, whether it is resolved) of every alert about drift.
async fn told(town: &Town) -> Vec<(Uuid, String, bool)> {
    sqlx::query_as(
        "select subject_id, detail, resolved_at is not null from alerts where title = $1 order by created_at",
    )
    .bind(TITLE)
    .fetch_all(town.pool())
    .await
    .unwrap()
}

async fn replicas(town: &Town, standing: &Standing) -> Option<i32> {
    let found = town.kubernetes.get::<Deployment>(&standing.target.namespace, &standing.target.workload).await;
    found.unwrap().and_then(|found| found.spec.replicas)
}

/// Waits until an application's pods are as many as they are to be again.
async fn right(town: &Town, standing: &Standing) {
    town.until("it is put right", async || replicas(town, standing).await == Some(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_by_another_hand_is_put_right_at_once() {
    let town = Town::new().await;
    let mut all = Vec::new();
    for name in ["edited", "foreign", "diverted", "traced", "closed", "unserved", "undeployed", "unbudgeted", "lost"] {
        all.push(healing(&town, name).await);
    }
    let replica = Replica::start(&town).await;
    let begun = Instant::now();
    let [edited, foreign, diverted, traced, closed, unserved, undeployed, unbudgeted, lost] = all.as_slice() else {
        panic!("nine applications");
    };
    let kubernetes = &town.kubernetes;
    let namespace = &edited.target.namespace;
    tamper::<Deployment>(&town, edited, "edited", json!({ "spec": { "replicas": 5 } })).await;
    let evil = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "app", "image": "evil:1" }] } } } });
    tamper::<Deployment>(&town, foreign, "foreign", evil).await;
    let elsewhere = json!({ "spec": { "selector": { "northstack.dev/colour": null } } });
    tamper::<Service>(&town, diverted, "diverted", elsewhere).await;
    tamper::<ConfigMap>(&town, traced, "traced-env-1", json!({ "data": { "LOG_LEVEL": "trace" } })).await;
    kubernetes.delete::<Ingress>(namespace, "closed").await.unwrap();
    kubernetes.delete::<Service>(namespace, "unserved").await.unwrap();
    kubernetes.delete::<Deployment>(namespace, "undeployed").await.unwrap();
    kubernetes.delete::<PodDisruptionBudget>(namespace, "unbudgeted").await.unwrap();
    let unlabelled = json!({ "metadata": { "labels": { "northstack.dev/application": null } } });
    tamper::<Deployment>(&town, lost, "lost", unlabelled).await;
    town.until("each is told of", async || told(&town).await.len() == all.len()).await;
    println!("nine applications were put right {:?} after the first was touched", begun.elapsed());
    let words = [
        (edited, "spec.replicas is 5"),
        (foreign, "image is \"evil:1\""),
        (diverted, "spec.selector.northstack.dev/colour"),
        (traced, "data.LOG_LEVEL"),
        (closed, "Ingress closed is not there"),
        (unserved, "Service unserved is not there"),
        (undeployed, "Deployment undeployed is not there"),
        (unbudgeted, "PodDisruptionBudget unbudgeted is not there"),
        (lost, "Deployment lost is not there"),
    ];
    for (standing, words) in words {
        let told = told(&town).await;
        let (_, detail, _) = told.iter().find(|(subject, ..)| *subject == standing.id).unwrap();
        assert!(detail.contains(words) && detail.ends_with("it was put right"), "{words}: {detail}");
    }
    // What was put right is looked at once more, and found well.
    town.until("all is well", async || told(&town).await.iter().all(|(.., resolved)| *resolved)).await;
    town.quiet().await;
    let before = town.writes().await;
    assert_eq!(check_drift(&town.service.app).await.unwrap().drifted, [] as [Uuid; 0]);
    replica.stop().await;
    assert_eq!(town.writes().await, before, "what is right is not written");
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_told_at_once_where_it_is_left_alone() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    let replica = Replica::start(&town).await;
    tamper::<Deployment>(&town, &api, "api", json!({ "spec": { "replicas": 3 } })).await;
    let told = async || told(&town).await;
    let detail = "Deployment api: spec.replicas is 3 and not 2".to_owned();
    town.until("it is told of", async || told().await == [(api.id, detail.clone(), false)]).await;
    assert_eq!(replicas(&town, &api).await, Some(3), "it is left alone");
    tamper::<Deployment>(&town, &api, "api", json!({ "spec": { "replicas": 2 } })).await;
    town.until("that is over", async || told().await == [(api.id, detail.clone(), true)]).await;
    replica.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_put_right_while_something_is_done() {
    let town = Town::new().await;
    let (api, web) = (healing(&town, "api").await, healing(&town, "web").await);
    let replica = Replica::start(&town).await;
    let operation = "insert into operations (kind, team_id, subject_type, subject_id, correlation_id, status)
         select 'application.restart', p.team_id, 'application', a.id, 'c', 'running'
         from applications a join projects p on p.id = a.project_id where a.id = $1";
    sqlx::query(operation).bind(api.id).execute(town.pool()).await.unwrap();
    tamper::<Deployment>(&town, &api, "api", json!({ "spec": { "replicas": 3 } })).await;
    // Looked at after the other, which is put right.
    tamper::<Deployment>(&town, &web, "web", json!({ "spec": { "replicas": 3 } })).await;
    right(&town, &web).await;
    town.until("the other is told of", async || told(&town).await.len() == 1).await;
    assert_eq!(replicas(&town, &api).await, Some(3), "whoever does something to it has it");
    replica.stop().await;
    assert_eq!(told(&town).await.iter().filter(|(subject, ..)| *subject == api.id).count(), 0);
}

/// A replica whose cluster is behind a proxy.
async fn behind(town: &Town, proxy: &Proxy) -> Arc<App> {
    let mut kubeconfig = town.simulator.kubeconfig();
    kubeconfig.clusters[0].cluster.as_mut().unwrap().server = Some(format!("http://127.0.0.1:{}", proxy.port));
    let client = Client::connect(Source::Inline(Box::new(kubeconfig)), Duration::from_secs(10)).await.unwrap();
    let (app, config) = (&town.service.app, &town.service.config);
    let (db, cache, bus) = (app.db.clone(), app.cache.clone(), app.bus.clone());
    let live = Live::fixed(config.clone());
    let provisioning = Provisioning::new(client, &live, Duration::from_millis(10));
    Arc::new(App::new(live, db, cache, bus).unwrap().with_provisioning(provisioning))
}

async fn compact(town: &Town) {
    let url = format!("{}/simulator/faults/compact", town.simulator.url());
    let answer = reqwest::Client::new().post(url).bearer_auth(town.simulator.token()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_cut_is_taken_up_and_one_whose_place_is_gone_lists_again() {
    let town = Town::new().await;
    let mut all = Vec::new();
    for name in ["api", "web", "worker"] {
        all.push(healing(&town, name).await);
    }
    let proxy = Proxy::start(town.simulator.address().port()).await;
    let replica = Replica::over(behind(&town, &proxy).await);
    replica.synced().await;
    town.quiet().await;
    let [api, web, worker] = all.as_slice() else { panic!("three applications") };
    // Cut, and something happens meanwhile.
    proxy.cut();
    tamper::<Deployment>(&town, api, "api", json!({ "spec": { "replicas": 5 } })).await;
    proxy.restore();
    right(&town, api).await;
    // The server has forgotten what happened meanwhile: 410.
    proxy.cut();
    tamper::<Deployment>(&town, web, "web", json!({ "spec": { "replicas": 5 } })).await;
    town.kubernetes.delete::<Service>(&worker.target.namespace, "worker").await.unwrap();
    compact(&town).await;
    // And lists fail for some time.
    town.fault(json!({ "verb": "list", "status": 503, "times": 3 })).await;
    proxy.restore();
    right(&town, web).await;
    town.until("what was deleted is there again", async || {
        town.kubernetes.get::<Service>(&worker.target.namespace, "worker").await.unwrap().is_some()
    })
    .await;
    // What was put right is told of a moment later, and found well a second after that.
    town.until("each was told of, and all is well", async || {
        let told = told(&town).await;
        let each = all.iter().all(|one| told.iter().any(|(subject, ..)| *subject == one.id));
        each && told.iter().all(|(.., resolved)| *resolved)
    })
    .await;
    // A world as it is to be is not written to, however often it is told again.
    town.quiet().await;
    let before = town.writes().await;
    proxy.cut();
    compact(&town).await;
    proxy.restore();
    tamper_and_wait(&town, api).await;
    let (rows, _) = town.writes().await;
    assert_eq!(rows - before.0, 2, "an alert of the one that was touched, raised and resolved");
    replica.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_lags_behind_and_a_watch_that_talks_nonsense_are_got_over() {
    let town = Town::new().await;
    let (api, web) = (healing(&town, "api").await, healing(&town, "web").await);
    let proxy = Proxy::start(town.simulator.address().port()).await;
    // What is listed first is answered twice more.
    town.fault(json!({ "verb": "list", "kind": "Deployment", "effect": "stale", "times": 3 })).await;
    let replica = Replica::over(behind(&town, &proxy).await);
    replica.synced().await;
    town.quiet().await;
    proxy.cut();
    tamper::<Deployment>(&town, &api, "api", json!({ "spec": { "replicas": 5 } })).await;
    compact(&town).await;
    proxy.restore();
    right(&town, &api).await;
    // Every kind's watch is answered so twice.
    proxy.cut();
    town.fault(json!({ "verb": "watch", "effect": "garble", "times": 14 })).await;
    tamper::<Deployment>(&town, &web, "web", json!({ "spec": { "replicas": 5 } })).await;
    proxy.restore();
    right(&town, &web).await;
    town.until("each was told of, and all is well", async || {
        let told = told(&town).await;
        let each = [&api, &web].iter().all(|one| told.iter().any(|(subject, ..)| *subject == one.id));
        each && told.iter().all(|(.., resolved)| *resolved)
    })
    .await;
    town.quiet().await;
    let before = town.writes().await;
    assert_eq!(check_drift(&town.service.app).await.unwrap().drifted, [] as [Uuid; 0]);
    replica.stop().await;
    assert_eq!(town.writes().await, before, "what is right is not written");
}

/// An edit that is seen after everything that was told before it.
async fn tamper_and_wait(town: &Town, standing: &Standing) {
    let alerts = told(town).await.len();
    tamper::<Deployment>(town, standing, &standing.target.workload, json!({ "spec": { "replicas": 5 } })).await;
    right(town, standing).await;
    town.until("it is told of, and well again", async || {
        let told = told(town).await;
        told.len() == alerts + 1 && told.iter().all(|(.., resolved)| *resolved)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_watches_and_another_takes_over() {
    let town = Town::new().await;
    let api = healing(&town, "api").await;
    let first = Replica::start(&town).await;
    let second = Replica::over(Arc::clone(&town.service.app));
    tamper_and_wait(&town, &api).await;
    assert!(!*second.watch.synced().borrow(), "one is enough");
    first.stop().await;
    second.synced().await;
    tamper_and_wait(&town, &api).await;
    second.stop().await;
}
