//! A private simulator and a client to it.

use std::time::Duration;

use kube::config::KubeConfigOptions;
use kube::{Client, Config};
use northstack::sim::kubernetes::{Simulator, SimulatorOptions, SimulatorTiming};

/// How long anything may take in a cluster with fast timing, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The options of a cluster with fast timing, in memory.
pub fn options() -> SimulatorOptions {
    SimulatorOptions { timing: SimulatorTiming::fast(), ..SimulatorOptions::default() }
}

/// A client of a simulator.
pub async fn client(simulator: &Simulator) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::from_custom_kubeconfig(simulator.kubeconfig(), &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// A fast cluster with its client.
pub async fn cluster() -> (Simulator, Client) {
    let simulator = Simulator::start(options()).await.unwrap();
    let client = client(&simulator).await;
    (simulator, client)
}

/// Asks again and again until the answer is there.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let waiting = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what} did not come to be"))
}
