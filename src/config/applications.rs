//! Applications that teams deploy.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
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
    /// Longest wait for a preview environment to disappear.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub delete_timeout: Duration,
}

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
