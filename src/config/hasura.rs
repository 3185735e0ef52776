//! The GraphQL engine in front: the embedded one or a Hasura server.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

/// Which engine answers GraphQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HasuraMode {
    /// The engine inside this process.
    #[default]
    Embedded,
    /// A Hasura v2 server at `hasura.endpoint`.
    External,
}

/// The GraphQL engine: embedded, or a Hasura v2 server. Both read the same metadata directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hasura {
    /// Which engine answers GraphQL.
    pub mode: HasuraMode,
    /// Address of the Hasura server (mode `external`) and of its metadata API.
    pub endpoint: url::Url,
    /// Secret that grants the role `admin`.
    #[schemars(extend("x-required" = true))]
    pub admin_secret: Option<Redacted>,
    /// Another secret that grants the role `admin` (mode `embedded`) while the secret is changed: the one before
    /// `hasura.admin_secret`, or the one that is to come after it.
    pub previous_admin_secret: Option<Redacted>,
    /// Directory of the metadata, as the Hasura CLI exports it.
    pub metadata_dir: PathBuf,
    /// Address under which the engine reaches this service; metadata reads it as `NORTHSTACK_SERVICE_URL`.
    pub service_url: url::Url,
}

impl Default for Hasura {
    #[expect(clippy::expect_used, reason = "a constant")]
    fn default() -> Self {
        let own = url::Url::parse("http://127.0.0.1:8080").expect("a constant address");
        Self {
            mode: HasuraMode::Embedded,
            endpoint: own.clone(),
            admin_secret: None,
            previous_admin_secret: None,
            metadata_dir: PathBuf::from("hasura/metadata"),
            service_url: own,
        }
    }
}

impl Hasura {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.http_url("hasura.endpoint", &self.endpoint);
        problems.http_url("hasura.service_url", &self.service_url);
        problems.secret("hasura.admin_secret", self.admin_secret.as_ref(), 16);
        let (secret, previous) = (self.admin_secret.as_ref(), self.previous_admin_secret.as_ref());
        problems.previous_secret("hasura", "admin_secret", secret, previous);
    }
}
