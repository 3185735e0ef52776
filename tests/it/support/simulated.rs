//! Faults of the simulated cluster, as its admin route takes them, and how much was written there.

use northstack::sim::kubernetes::Simulator;
use serde_json::Value;

/// Orders a fault of a cluster's API; nothing clears all.
pub async fn order(simulator: &Simulator, fault: Option<&Value>) {
    let url = format!("{}/simulator/faults", simulator.url());
    let http = reqwest::Client::new();
    let request = match fault {
        Some(fault) => http.post(url).json(fault),
        None => http.delete(url),
    };
    let answer = request.bearer_auth(simulator.token()).send().await.unwrap();
    assert!(answer.status().is_success(), "{fault:?}: {}", answer.text().await.unwrap());
}

/// The cluster's newest revision: it grows with every write.
pub async fn newest(simulator: &Simulator) -> String {
    let url = format!("{}/api/v1/namespaces", simulator.url());
    let list = reqwest::Client::new().get(url).bearer_auth(simulator.token()).send().await.unwrap();
    let list: Value = list.json().await.unwrap();
    list["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}
