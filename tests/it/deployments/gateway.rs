//! Applications that are published through a Gateway: a canary gets its share of the requests, counted at the door.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use northstack::app::background::check_drift;
use northstack::app::deployments::{DeploymentOperation, NewDeployment};
use northstack::config::Config;
use northstack::sim::kubernetes::{SimulatorOptions, SimulatorTiming};
use northstack::vendors::kubernetes::HttpRoute;
use northstack::workflow::Faults;
use northstack::workflow::flows::application;
use northstack::workflow::testing::{Bench, Disturbance, Worker, disturb, ended, undisturbed};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HOST};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Town;

/// The Gateway of the tests, as `applications.gateway` names it.
const GATEWAY: &str = "gateways/public";
/// The Gateway API.
const ROUTES: &str = "/apis/gateway.networking.k8s.io/v1";

fn with_gateway(config: &mut Config) {
    config.applications.gateway = Some(GATEWAY.to_owned());
}

/// A cluster with the Gateway API and a Gateway, whether or not applications are published through it.
async fn town(kind: &'static str, change: impl FnOnce(&mut Config)) -> Town {
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let options = SimulatorOptions {
        gateway_api: true,
        ingress_listen: listen,
        timing: SimulatorTiming::fast(),
        ..SimulatorOptions::default()
    };
    let town = Town::on(options, kind, change).await;
    create(&town, "/api/v1/namespaces", json!({ "metadata": { "name": "gateways" } })).await;
    let listener = json!({ "name": "http", "port": 80, "protocol": "HTTP",
        "allowedRoutes": { "namespaces": { "from": "All" } } });
    let gateway = json!({ "metadata": { "name": "public" },
        "spec": { "gatewayClassName": "simulated", "listeners": [listener] } });
    create(&town, &format!("{ROUTES}/namespaces/gateways/gateways"), gateway).await;
    town
}

async fn create(town: &Town, path: &str, object: Value) {
    ask(town, Method::POST, path, object).await;
}

/// Somebody else's hand in the cluster.
async fn ask(town: &Town, method: Method, path: &str, object: Value) {
    let media = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let url = format!("{}{path}", town.simulator.url());
    let request = reqwest::Client::new().request(method, url).bearer_auth(town.simulator.token());
    let answer = request.header(CONTENT_TYPE, media).body(object.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

async fn deploy(town: &Town, application: Uuid, image: &str, strategy: &str) -> DeploymentOperation {
    let (image, strategy) = (Some(image.to_owned()), Some(strategy.to_owned()));
    let new = NewDeployment { image, strategy, ..NewDeployment::default() };
    town.service.app.deploy_application(&town.caller, application, &new, None).await.unwrap()
}

/// Waits until something holds.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a canary pauses at a share.
async fn pauses_at(town: &Town, deployment: Uuid, weight: u32) {
    eventually(&format!("the canary does not pause at {weight} %"), async || {
        let progress: Value =
            serde_json::from_str(&town.text("deployments", "progress", deployment).await.unwrap()).unwrap();
        progress["canary"]["weight"] == weight && progress["canary"]["paused"] == true
    })
    .await;
}

/// What a step of an operation says that it is at.
async fn detail(town: &Town, operation: Uuid, step: &str) -> String {
    let detail = "select coalesce(detail, '') from operation_steps where operation_id = $1 and name = $2";
    sqlx::query_scalar(detail).bind(operation).bind(step).fetch_one(&town.pool()).await.unwrap()
}

/// The address of an application at the cluster's door.
async fn door(town: &Town, application: Uuid) -> (String, String) {
    let url = town.text("applications", "url", application).await.unwrap();
    let host = url.strip_prefix("http://").unwrap().to_owned();
    (format!("http://{}/", town.simulator.ingress_address().unwrap()), host)
}

/// Who answers so many requests, by image; a refusal by its status.
async fn answers(town: &Town, application: Uuid, requests: usize) -> BTreeMap<String, usize> {
    let (url, host) = door(town, application).await;
    let client = reqwest::Client::new();
    let mut count = BTreeMap::new();
    for _ in 0..requests {
        *count.entry(answer(&client, &url, &host).await).or_default() += 1;
    }
    count
}

async fn answer(client: &reqwest::Client, url: &str, host: &str) -> String {
    let answer = client.get(url).header(HOST, host).send().await.unwrap();
    if !answer.status().is_success() {
        return answer.status().to_string();
    }
    answer.text().await.unwrap().split(' ').next().unwrap_or_default().to_owned()
}

fn counted<const N: usize>(of: [(&str, usize); N]) -> BTreeMap<String, usize> {
    of.into_iter().map(|(image, count)| (image.to_owned(), count)).collect()
}

async fn route(town: &Town, application: Uuid) -> Option<HttpRoute> {
    town.kubernetes.get(&town.namespace(application).await, "api").await.unwrap()
}

/// The weights of a route's backends.
async fn weights(town: &Town, application: Uuid) -> Vec<(String, u32)> {
    let backends = route(town, application).await.unwrap().spec.rules.remove(0).backend_refs;
    backends.into_iter().map(|backend| (backend.name, backend.weight)).collect()
}

async fn ingress(town: &Town, application: Uuid) -> Option<Ingress> {
    town.kubernetes.get(&town.namespace(application).await, "api").await.unwrap()
}

async fn service(town: &Town, application: Uuid, name: &str) -> Option<Service> {
    town.kubernetes.get(&town.namespace(application).await, name).await.unwrap()
}

fn count(pods: &[String], image: &str) -> usize {
    pods.iter().filter(|pod| *pod == image).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_gets_its_share_of_the_requests_and_then_all() {
    let town = town(application::CANARY, with_gateway).await;
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 4 })).await;
    assert!(ingress(&town, id).await.is_none());
    eventually("the route is taken up", async || route(&town, id).await.unwrap().unserved().is_none()).await;
    assert_eq!(answers(&town, id, 5).await, counted([("nginx:1", 5)]));

    let made = deploy(&town, id, "nginx:2", "canary").await;
    let worker = Worker::start(&town, Faults::none());
    pauses_at(&town, made.deployment, 20).await;
    // A fifth of four pods is one, and all four stay.
    let pods = town.pods(id).await;
    assert_eq!((count(&pods, "nginx:1"), count(&pods, "nginx:2")), (4, 1));
    assert_eq!(weights(&town, id).await, [("api".to_owned(), 80), ("api-canary".to_owned(), 20)]);
    assert_eq!(answers(&town, id, 400).await, counted([("nginx:1", 320), ("nginx:2", 80)]));
    eventually("the pause says how many requests", async || {
        detail(&town, made.operation, "canary").await
            == "20 % of requests go to the new revision; paused until it is promoted"
    })
    .await;

    let app = &town.service.app;
    app.promote_deployment(&town.caller, made.deployment, false, None).await.unwrap();
    pauses_at(&town, made.deployment, 50).await;
    let pods = town.pods(id).await;
    assert_eq!((count(&pods, "nginx:1"), count(&pods, "nginx:2")), (4, 2));
    assert_eq!(answers(&town, id, 400).await, counted([("nginx:1", 200), ("nginx:2", 200)]));

    app.promote_deployment(&town.caller, made.deployment, true, None).await.unwrap();
    assert_eq!(ended(&town, made.operation).await, "succeeded");
    worker.stop().await;
    assert_eq!(town.pods(id).await, ["nginx:2"; 4]);
    assert_eq!(weights(&town, id).await, [("api".to_owned(), 100)]);
    assert!(service(&town, id, "api-canary").await.is_none());
    assert_eq!(answers(&town, id, 100).await, counted([("nginx:2", 100)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_given_up_loses_its_requests_and_leaves_nothing() {
    let town = town(application::CANARY, with_gateway).await;
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 4 })).await;
    let before = town.cluster(id).await;
    let made = deploy(&town, id, "nginx:2", "canary").await;
    let worker = Worker::start(&town, Faults::none());
    pauses_at(&town, made.deployment, 20).await;
    town.service.app.abort_deployment(&town.caller, made.deployment, None).await.unwrap();
    assert_eq!(ended(&town, made.operation).await, "cancelled");
    worker.stop().await;
    assert_eq!(town.cluster(id).await, before);
    assert_eq!(answers(&town, id, 50).await, counted([("nginx:1", 50)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_fails_is_never_asked_and_one_that_fails_later_no_more() {
    let town = town(application::CANARY, with_gateway).await;
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 4 })).await;
    eventually("the route is taken up", async || route(&town, id).await.unwrap().unserved().is_none()).await;
    let before = town.cluster(id).await;
    let visitor = Visitor::start(&town, id).await;
    let made = deploy(&town, id, "nginx:crash", "canary").await;
    assert_eq!(town.finish(made.operation).await, "failed");
    let asked = visitor.stop().await;
    assert_eq!(asked.keys().collect::<Vec<_>>(), ["nginx:1"], "{asked:?}");
    assert_eq!(weights(&town, id).await, [("api".to_owned(), 100)]);
    town.service.app.cancel_operation(&town.caller, made.operation, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "cancelled");
    assert_eq!(town.cluster(id).await, before);

    // While it pauses, its pods are found to have been restarted: it is judged again, and has failed.
    let made = deploy(&town, id, "nginx:2", "canary").await;
    let worker = Worker::start(&town, Faults::none());
    pauses_at(&town, made.deployment, 20).await;
    let crash = json!({ "pod": "crash", "namespace": town.namespace(id).await, "name": "api-canary" });
    create(&town, "/simulator/faults", crash).await;
    assert_eq!(ended(&town, made.operation).await, "failed");
    worker.stop().await;
    assert_eq!(weights(&town, id).await, [("api".to_owned(), 100)]);
    eventually("its pods go", async || count(&town.pods(id).await, "nginx:2") == 0).await;
    assert_eq!(answers(&town, id, 50).await, counted([("nginx:1", 50)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_turned_away_while_revisions_change_places() {
    let town = town(application::CANARY, with_gateway).await;
    let steps = json!({ "canary": { "steps": [{ "weight": 30, "pauseSeconds": 0 }, { "weight": 60, "pauseSeconds": 0 }] },
        "blueGreen": { "autoPromote": true } });
    let id = town.running("api", json!({ "replicas": 3, "settings": steps })).await;
    eventually("the route is taken up", async || route(&town, id).await.unwrap().unserved().is_none()).await;
    for (number, strategy) in ["rolling", "canary", "blue_green"].into_iter().enumerate() {
        let image = format!("nginx:{}", number + 2);
        let visitor = Visitor::start(&town, id).await;
        let made = deploy(&town, id, &image, strategy).await;
        assert_eq!(town.finish(made.operation).await, "succeeded", "{strategy}");
        let asked = visitor.stop().await;
        assert!(asked.keys().all(|answer| answer.starts_with("nginx:")), "{strategy}: {asked:?}");
        assert_eq!(answers(&town, id, 20).await, counted([(image.as_str(), 20)]), "{strategy}");
        assert_eq!(weights(&town, id).await, [("api".to_owned(), 100)], "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_changes_with_the_setting_and_back() {
    let mut town = town(application::CANARY, |_| {}).await;
    let steps = json!({ "canary": { "steps": [{ "weight": 25 }] } });
    let id = town.running("api", json!({ "replicas": 4, "settings": steps })).await;
    assert!(ingress(&town, id).await.is_some() && route(&town, id).await.is_none());

    // From now on through the Gateway: the canary already is.
    town.configure(with_gateway);
    let made = deploy(&town, id, "nginx:2", "canary").await;
    let worker = Worker::start(&town, Faults::none());
    pauses_at(&town, made.deployment, 25).await;
    assert!(ingress(&town, id).await.is_none());
    assert_eq!(answers(&town, id, 100).await, counted([("nginx:1", 75), ("nginx:2", 25)]));
    town.service.app.promote_deployment(&town.caller, made.deployment, true, None).await.unwrap();
    assert_eq!(ended(&town, made.operation).await, "succeeded");
    worker.stop().await;
    let selector = service(&town, id, "api").await.unwrap().spec.unwrap().selector.unwrap();
    assert_eq!(selector["northstack.dev/track"], "stable");

    // The Gateway is unset while a canary has its share: it goes on by pods, and ends with an Ingress.
    let made = deploy(&town, id, "nginx:3", "canary").await;
    let worker = Worker::start(&town, Faults::none());
    pauses_at(&town, made.deployment, 25).await;
    worker.stop().await;
    town.configure(|_| {});
    town.service.app.promote_deployment(&town.caller, made.deployment, true, None).await.unwrap();
    let worker = Worker::start(&town, Faults::none());
    assert_eq!(ended(&town, made.operation).await, "succeeded");
    worker.stop().await;
    assert!(ingress(&town, id).await.is_some() && route(&town, id).await.is_none());
    assert!(service(&town, id, "api-canary").await.is_none());
    assert_eq!(town.pods(id).await, ["nginx:3"; 4]);
    eventually("the ingress is taken up", async || answers(&town, id, 1).await == counted([("nginx:3", 1)])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_the_gateway_api_is_named_as_such() {
    let town = Town::with(application::ROLLING, with_gateway).await;
    let id = town.application("api", json!({})).await;
    let made = town.deploy(id, "nginx:1").await;
    assert_eq!(town.finish(made.operation).await, "failed");
    let error = town.text("deployments", "error", made.deployment).await.unwrap();
    assert_eq!(
        error,
        "applications.gateway names a Gateway, and the cluster serves no HTTPRoute (gateway.networking.k8s.io/v1): \
         install the Gateway API and a controller for it, or unset applications.gateway"
    );
    // Taken back, nothing is left.
    town.service.app.cancel_operation(&town.caller, made.operation, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "cancelled");
    assert!(service(&town, id, "api").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_says_is_told_and_a_changed_route_is_put_right() {
    let town = town(application::ROLLING, with_gateway).await;
    let id = town.running("api", json!({})).await;
    let (app, actor) = (&town.service.app, &town.caller.actor);
    let told = async || {
        let why = app.why_not(actor, id).await.unwrap();
        let fact = why.facts.iter().find(|fact| fact.source == "HTTPRoute").unwrap();
        (why.live, fact.evidence.clone(), why.conclusion.clone())
    };
    eventually("it is live", async || told().await.0).await;
    let (_, evidence, conclusion) = told().await;
    let url = town.text("applications", "url", id).await.unwrap();
    assert_eq!(evidence, format!("it leads from {url} through the Gateway to the Service"));
    assert_eq!(conclusion, format!("The application is live at {url}."));
    let health = async || {
        let tree = app.resource_tree(actor, id).await.unwrap();
        let node = tree.nodes.into_iter().find(|node| node.kind == "HTTPRoute").unwrap();
        (format!("{:?}", node.health), node.message)
    };
    assert_eq!(health().await, ("Healthy".to_owned(), None));

    // Somebody else sends half of the requests elsewhere.
    let healing = sqlx::query("update applications set heal_drift = true where id = $1").bind(id);
    healing.execute(&town.pool()).await.unwrap();
    let path = format!("{ROUTES}/namespaces/{}/httproutes/api", town.namespace(id).await);
    let rules = json!([{ "backendRefs": [{ "name": "api", "port": 80, "weight": 0 }] }]);
    ask(&town, Method::PATCH, &path, json!({ "spec": { "rules": rules } })).await;
    let worker = Worker::start(&town, Faults::none());
    let drift = check_drift(app).await.unwrap();
    worker.stop().await;
    assert_eq!(drift.healed, [id], "{drift:?}");
    assert_eq!(weights(&town, id).await, [("api".to_owned(), 100)]);
    assert!(check_drift(app).await.unwrap().drifted.is_empty());

    // The Gateway takes routes of its own namespace alone, and then is gone.
    let gateway = format!("{ROUTES}/namespaces/gateways/gateways/public");
    let own = json!([{ "name": "http", "port": 80, "protocol": "HTTP" }]);
    ask(&town, Method::PATCH, &gateway, json!({ "spec": { "listeners": own } })).await;
    eventually("the gateway refuses it", async || told().await.1.contains("NotAllowedByListeners")).await;
    let (live, _, conclusion) = told().await;
    assert!(!live && conclusion.contains("See to the Gateway that applications.gateway names"), "{conclusion}");
    assert_eq!(health().await.0, "Degraded");
    ask(&town, Method::DELETE, &gateway, json!({})).await;
    eventually("nobody serves it", async || told().await.1 == "the gateway gateways/public has not taken it up").await;
    assert_eq!(health().await.0, "Progressing");
}

/// The kit once more over the canary's flow: the Gateway adds objects and an order of their changes. Kills and ends alone:
/// the other ways are tried on the same steps without a Gateway.
#[tokio::test(flavor = "multi_thread")]
async fn a_canary_through_the_gateway_survives_kills_and_ends_at_every_step() {
    const WORLDS: usize = 4;
    const WAYS: [Disturbance; 4] =
        [Disturbance::KillBefore, Disturbance::KillAfterEffect, Disturbance::KillAfterRecord, Disturbance::Cancel];
    let worlds = (0..WORLDS).map(|_| town(application::CANARY, with_gateway));
    let worlds: Vec<Town> = futures::future::join_all(worlds).await;
    let begun = Instant::now();
    let expected = undisturbed(&worlds[0]).await;
    assert_eq!(expected["cluster"]["routes"].as_array().unwrap().len(), 1, "{expected:#}");
    let steps = worlds[0].flow().step_names().len();
    let matrix = disturb(&worlds, &WAYS, &expected).await;
    assert_eq!(matrix.len(), steps * WAYS.len());
    println!("{} cells in {:.1} s", matrix.len(), begun.elapsed().as_secs_f64());
}

/// Somebody who asks all the time.
struct Visitor {
    enough: Arc<AtomicBool>,
    asking: tokio::task::JoinHandle<BTreeMap<String, usize>>,
}

impl Visitor {
    async fn start(town: &Town, application: Uuid) -> Self {
        let (url, host) = door(town, application).await;
        let enough = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&enough);
        let asking = tokio::spawn(async move {
            let (client, mut count) = (reqwest::Client::new(), BTreeMap::new());
            while !told.load(Ordering::SeqCst) {
                *count.entry(answer(&client, &url, &host).await).or_default() += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            count
        });
        Self { enough, asking }
    }

    /// Who answered.
    async fn stop(self) -> BTreeMap<String, usize> {
        self.enough.store(true, Ordering::SeqCst);
        let count = self.asking.await.unwrap();
        assert!(count.values().sum::<usize>() > 0);
        count
    }
}
