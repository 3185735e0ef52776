//! Argo CD, which deploys from Git.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

/// Argo CD, which deploys from Git; off without an address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Argocd {
    /// Address of the API server, such as `https://argocd.example.com`.
    pub server: Option<url::Url>,
    /// Token of an account with the capability `apiKey`.
    pub auth_token: Option<Redacted>,
}

impl Argocd {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(url) = &self.server {
            problems.http_url("argocd.server", url);
            problems.needed("argocd.auth_token", self.auth_token.as_ref(), "argocd.server");
        }
    }
}
