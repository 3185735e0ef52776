//! Requests while an application's pods change: none is lost, though the network learns late which pods are going, and
//! pods stop to listen the moment they are told to end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use northstack::app::applications::NewSize;
use northstack::app::deployments::NewDeployment;
use northstack::sim::kubernetes::{SimulatorOptions, SimulatorTiming};
use northstack::workflow::Faults;
use northstack::workflow::flows::application;
use northstack::workflow::testing::{Worker, ended};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::bench::Town;

/// So many requests are made at least.
const REQUESTS: u64 = 20_000;
/// Visitors at once.
const VISITORS: usize = 8;
/// How much later than the API the network knows.
const LAG: Duration = Duration::from_millis(300);

/// What became of requests.
#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    lost: AtomicU64,
}

/// Visitors who ask again and again until they are stopped.
struct Crowd {
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    visitors: JoinSet<()>,
}

impl Crowd {
    fn visit(address: SocketAddr, host: &str) -> Self {
        let (counts, stop) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
        let mut visitors = JoinSet::new();
        for _ in 0..VISITORS {
            let (counts, stop, host) = (Arc::clone(&counts), Arc::clone(&stop), host.to_owned());
            let client = reqwest::Client::new();
            visitors.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.get(format!("http://{address}/")).header("host", &host).send().await;
                    let fine = answer.is_ok_and(|answer| answer.status() == 200);
                    let counter = if fine { &counts.answered } else { &counts.lost };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { counts, stop, visitors }
    }

    fn answered(&self) -> u64 {
        self.counts.answered.load(Ordering::Relaxed)
    }

    async fn leave(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.visitors.join_all().await;
        (self.counts.answered.load(Ordering::Relaxed), self.counts.lost.load(Ordering::Relaxed))
    }
}

/// A town whose network is slow to learn, with an application that is served there.
async fn town(settings: Value) -> (Town, Uuid, SocketAddr, String) {
    let timing = SimulatorTiming { endpoints: LAG, pre_stop: Duration::from_secs(60), ..SimulatorTiming::fast() };
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let options = SimulatorOptions { timing, ingress_listen: listen, ..SimulatorOptions::default() };
    let town = Town::on(options, application::ROLLING, |_| {}).await;
    let id = town.running("api", json!({ "replicas": 4, "settings": settings })).await;
    let address = town.simulator.ingress_address().unwrap();
    let url = town.text("applications", "url", id).await.unwrap();
    let host = url.trim_start_matches("http://").to_owned();
    let client = reqwest::Client::new();
    let begun = Instant::now();
    while client.get(format!("http://{address}/")).header("host", &host).send().await.unwrap().status() != 200 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the application is reached");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (town, id, address, host)
}

async fn deploy(town: &Town, id: Uuid, image: String, strategy: &str) -> &'static str {
    let (image, strategy) = (Some(image), Some(strategy.to_owned()));
    let new = NewDeployment { image, strategy, ..NewDeployment::default() };
    let made = town.service.app.deploy_application(&town.caller, id, &new, None).await.unwrap();
    ended(town, made.operation).await
}

async fn scale(town: &Town, id: Uuid, replicas: i64) -> &'static str {
    let size = NewSize { replicas: Some(replicas), ..NewSize::default() };
    let made = town.service.app.scale_application(&town.caller, id, &size, None).await.unwrap();
    ended(town, made.operation).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_while_pods_are_replaced_taken_away_or_changed_for_another_colour() {
    let settings = json!({
        "drainSeconds": 2,
        "blueGreen": { "autoPromote": true, "scaleDownDelaySeconds": 1 },
        "canary": { "steps": [{ "weight": 50, "pauseSeconds": 0 }] },
    });
    let (town, id, address, host) = town(settings).await;
    let worker = Worker::start(&town, Faults::none());
    let crowd = Crowd::visit(address, &host);
    let mut round = 1;
    loop {
        for strategy in ["rolling", "blue_green", "canary"] {
            round += 1;
            assert_eq!(deploy(&town, id, format!("nginx:{round}"), strategy).await, "succeeded", "{strategy}");
        }
        for replicas in [1, 4] {
            assert_eq!(scale(&town, id, replicas).await, "succeeded");
        }
        let restart = town.service.app.restart_application(&town.caller, id, None).await.unwrap();
        assert_eq!(ended(&town, restart.operation).await, "succeeded");
        if crowd.answered() >= REQUESTS {
            break;
        }
    }
    let (answered, lost) = crowd.leave().await;
    worker.stop().await;
    println!("{lost} of {} requests lost in {round} revisions", answered + lost);
    assert_eq!(lost, 0, "of {answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_end_at_once_lose_requests_there() {
    let (town, id, address, host) = town(json!({ "drainSeconds": 0 })).await;
    let worker = Worker::start(&town, Faults::none());
    let crowd = Crowd::visit(address, &host);
    assert_eq!(scale(&town, id, 1).await, "succeeded");
    tokio::time::sleep(LAG).await;
    let (answered, lost) = crowd.leave().await;
    worker.stop().await;
    assert!(lost > 0, "the simulated cluster is kinder than a real one: none of {answered} lost");
}
