//! Faults of the simulated cluster, as its admin route takes them.

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
