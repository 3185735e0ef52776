//! Coolify, which builds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

/// Coolify, which builds applications; off without an address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Coolify {
    /// Address of the server, such as `https://coolify.example.com`.
    pub base_url: Option<url::Url>,
    /// API token (Keys & Tokens in its settings).
    pub api_key: Option<Redacted>,
}

impl Coolify {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(url) = &self.base_url {
            problems.http_url("coolify.base_url", url);
            problems.needed("coolify.api_key", self.api_key.as_ref(), "coolify.base_url");
        }
    }
}
