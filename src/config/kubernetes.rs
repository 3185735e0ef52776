//! The Kubernetes cluster on which applications and stores run.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// The Kubernetes cluster on which applications and stores run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kubernetes {
    /// Path of a kubeconfig file; without it `KUBECONFIG`, `~/.kube/config` or the pod's service account is used.
    pub kubeconfig: Option<PathBuf>,
    /// Context within the kubeconfig; without it the current one.
    pub context: Option<String>,
    /// Longest time for one request, streams apart.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub request_timeout: Duration,
}

impl Default for Kubernetes {
    fn default() -> Self {
        Self { kubeconfig: None, context: None, request_timeout: Duration::from_secs(30) }
    }
}

impl Kubernetes {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.positive("kubernetes.request_timeout", self.request_timeout);
    }
}
