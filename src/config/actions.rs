//! What the GraphQL engine must show to call this service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

/// The door between the GraphQL engine and this service's actions and event webhooks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Actions {
    /// Secret that the engine sends in `x-northstack-action-secret`.
    #[schemars(extend("x-required" = true))]
    pub secret: Option<Redacted>,
    /// Another secret that is taken from the engine while the secret is changed: the one before `actions.secret`, or the
    /// one that is to come after it. The embedded engine sends `actions.secret`.
    pub previous_secret: Option<Redacted>,
}

impl Actions {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.secret("actions.secret", self.secret.as_ref(), 16);
        problems.previous_secret("actions", "secret", self.secret.as_ref(), self.previous_secret.as_ref());
    }
}
