//! How a simulator is started.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where a simulator listens, what it keeps and how fast its cluster works.
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// The address of the API; port 0 takes a free one. Meant for loopback.
    pub listen: SocketAddr,
    /// The address of the ingress controller, which serves storefronts by the `Host` header; `None` runs none.
    pub ingress_listen: Option<SocketAddr>,
    /// A directory that keeps the cluster over restarts; `None` keeps it in memory alone.
    pub state_dir: Option<PathBuf>,
    /// How long the cluster's own work takes.
    pub timing: SimulatorTiming,
    /// Whether the cluster has a metrics server (`metrics.k8s.io`).
    pub metrics: bool,
    /// Whether the Gateway API is installed (`gateway.networking.k8s.io/v1`), with a controller that serves every Gateway
    /// on `ingress_listen`.
    pub gateway_api: bool,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ingress_listen: None,
            state_dir: None,
            timing: SimulatorTiming::default(),
            metrics: true,
            gateway_api: false,
        }
    }
}

/// How long the visible work of controllers and nodes takes.
#[derive(Debug, Clone, Copy)]
pub struct SimulatorTiming {
    /// From the deletion of a namespace to the removal of its content (about 5 s on a real cluster).
    pub namespace_drain: Duration,
    /// From the creation of a claim to its volume.
    pub volume_bind: Duration,
    /// From a pod's creation to its node.
    pub schedule: Duration,
    /// From its node to running containers: pulling images and starting.
    pub container_start: Duration,
    /// From running to ready.
    pub ready: Duration,
    /// From the moment a pod is told to end, at which its containers stop to listen, until it is gone, unless its grace
    /// period is shorter.
    pub terminate: Duration,
    /// From what the API says of the pods behind a Service until requests go there.
    pub endpoints: Duration,
    /// The most of a `preStop` sleep that passes.
    pub pre_stop: Duration,
    /// From an Ingress to its address.
    pub ingress: Duration,
    /// Between restarts of a container that crashes; doubles with each, up to thirty times.
    pub crash_backoff: Duration,
    /// How long a Job's container runs.
    pub job_run: Duration,
    /// How long a `wp` command takes.
    pub command: Duration,
}

impl Default for SimulatorTiming {
    /// Paced for people who watch: a store is ready in ten to twenty seconds.
    fn default() -> Self {
        Self {
            namespace_drain: Duration::from_secs(3),
            volume_bind: Duration::from_millis(700),
            schedule: Duration::from_millis(150),
            container_start: Duration::from_millis(1200),
            ready: Duration::from_millis(900),
            terminate: Duration::from_millis(1500),
            endpoints: Duration::from_millis(400),
            pre_stop: Duration::from_secs(600),
            ingress: Duration::from_millis(400),
            crash_backoff: Duration::from_secs(5),
            job_run: Duration::from_secs(1),
            command: Duration::from_millis(250),
        }
    }
}

impl SimulatorTiming {
    /// Paced for tests: everything happens within milliseconds, in the same order.
    pub fn fast() -> Self {
        Self {
            namespace_drain: Duration::from_millis(60),
            volume_bind: Duration::from_millis(10),
            schedule: Duration::from_millis(5),
            container_start: Duration::from_millis(15),
            ready: Duration::from_millis(15),
            terminate: Duration::from_millis(30),
            endpoints: Duration::from_millis(3),
            pre_stop: Duration::from_millis(20),
            ingress: Duration::from_millis(10),
            crash_backoff: Duration::from_millis(40),
            job_run: Duration::from_millis(30),
            command: Duration::ZERO,
        }
    }
}
