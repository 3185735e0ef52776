//! Rancher, which makes and watches clusters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

/// Rancher, which makes and watches clusters; off without an address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rancher {
    /// Address of the server, such as `https://rancher.example.com`.
    pub server_url: Option<url::Url>,
    /// Access key of an API token (`token-...`).
    pub access_key: Option<String>,
    /// Secret key of the same API token.
    pub secret_key: Option<Redacted>,
}

impl Rancher {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(url) = &self.server_url {
            problems.http_url("rancher.server_url", url);
            problems.needed("rancher.access_key", self.access_key.as_ref(), "rancher.server_url");
            problems.needed("rancher.secret_key", self.secret_key.as_ref(), "rancher.server_url");
        }
    }
}
