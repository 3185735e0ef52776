//! Applications that teams deploy.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::workload::Quantity;
use crate::domain::workload::names::is_label;

/// Applications that teams deploy: under which address, and how long a rollout may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Applications {
    /// Domain under which each application gets a host name, unless it has one of its own.
    pub base_domain: String,
    /// Scheme of application addresses: `http` or `https`.
    pub scheme: String,
    /// Port in application addresses, where it is not the scheme's own.
    pub public_port: Option<u16>,
    /// Ingress class; without it the cluster's default.
    pub ingress_class: Option<String>,
    /// Gateway that publishes applications by HTTPRoutes in place of Ingresses, as `namespace/name`. It has to take routes
    /// from all namespaces, and a canary then gets its share of the requests.
    pub gateway: Option<String>,
    /// Whether images may be of registries at addresses or local names, such as `localhost:5000`, which every node asks
    /// inside of its own network.
    pub local_registries: bool,
    /// Longest wait for a revision to become ready, where the application says nothing else.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub ready_timeout: Duration,
    /// How long an image may fail to be pulled, or a container to start, before the rollout has failed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub stuck_after: Duration,
    /// How long a pod may find no node before the rollout has failed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub unschedulable_after: Duration,
    /// Restarts of a container of a new revision with which the rollout has failed.
    pub crash_restarts: u32,
    /// How long a preview environment lives, where its maker says nothing else.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub preview_ttl: Duration,
    /// Networks that applications do not reach: the cluster's own, private ones, and the metadata of machines. Take out
    /// what they need, such as that of a database.
    pub denied_networks: Vec<String>,
    /// How many pods a namespace may have.
    pub namespace_pods: u32,
    /// CPU that all pods of a namespace may ask for.
    pub namespace_cpu: String,
    /// Memory that all pods of a namespace may ask for.
    pub namespace_memory: String,
    /// Longest wait for an application or a preview environment to disappear.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub delete_timeout: Duration,
}

/// Networks that are no public ones.
const PRIVATE: [&str; 7] =
    ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"];

impl Default for Applications {
    fn default() -> Self {
        Self {
            base_domain: "127.0.0.1.nip.io".to_owned(),
            scheme: "http".to_owned(),
            public_port: None,
            ingress_class: None,
            gateway: None,
            local_registries: false,
            ready_timeout: Duration::from_secs(300),
            stuck_after: Duration::from_secs(20),
            unschedulable_after: Duration::from_secs(120),
            crash_restarts: 3,
            preview_ttl: Duration::from_secs(7 * 86_400),
            denied_networks: PRIVATE.iter().map(|network| (*network).to_owned()).collect(),
            namespace_pods: 200,
            namespace_cpu: "100".to_owned(),
            namespace_memory: "200Gi".to_owned(),
            delete_timeout: Duration::from_secs(600),
        }
    }
}

impl Applications {
    /// The namespace and the name of the Gateway that applications are published by, where one is named.
    pub fn gateway(&self) -> Option<(&str, &str)> {
        self.gateway.as_deref()?.split_once('/')
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        if !matches!(self.scheme.as_str(), "http" | "https") {
            problems.add("applications.scheme", "must be `http` or `https`");
        }
        if !self.base_domain.split('.').all(is_label) {
            problems.add("applications.base_domain", "must be a host name in lower case, such as `apps.example.com`");
        }
        let named = |(namespace, name): (&str, &str)| is_label(namespace) && name.split('.').all(is_label);
        if self.gateway.is_some() && !self.gateway().is_some_and(named) {
            problems.add("applications.gateway", "must be a namespace and a name, such as `gateways/public`");
        }
        for network in &self.denied_networks {
            let right = network.split_once('/').is_some_and(|(address, bits)| {
                let most = match address.parse() {
                    Ok(std::net::IpAddr::V4(_)) => 32,
                    Ok(std::net::IpAddr::V6(_)) => 128,
                    Err(_) => return false,
                };
                bits.parse::<u8>().is_ok_and(|bits| (1..=most).contains(&bits))
            });
            if !right {
                problems.add("applications.denied_networks", "must be networks such as `10.0.0.0/8`");
            }
        }
        for (field, amount) in [
            ("applications.namespace_cpu", &self.namespace_cpu),
            ("applications.namespace_memory", &self.namespace_memory),
        ] {
            if Quantity::parse(field, amount).is_err() {
                problems.add(field, "must be an amount such as `50` or `100Gi`");
            }
        }
        problems.range("applications.namespace_pods", self.namespace_pods, 1..=100_000);
        problems.range("applications.crash_restarts", self.crash_restarts, 1..=100);
        for (field, value) in [
            ("applications.ready_timeout", self.ready_timeout),
            ("applications.stuck_after", self.stuck_after),
            ("applications.unschedulable_after", self.unschedulable_after),
            ("applications.preview_ttl", self.preview_ttl),
            ("applications.delete_timeout", self.delete_timeout),
        ] {
            problems.positive(field, value);
        }
    }
}
