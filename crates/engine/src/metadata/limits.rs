//! Limits by role, and who may introspect.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{is_false, null_is_default};

/// Limits that hold for every role but admin.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiLimits {
    /// Whether all limits rest.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// Deepest nesting of fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth_limit: Option<Limit<u64>>,
    /// Most fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_limit: Option<Limit<u64>>,
    /// Most operations in a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_limit: Option<Limit<u64>>,
    /// Longest time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<Limit<f64>>,
    /// Most requests a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Limit<RateLimit>>,
}

impl ApiLimits {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A limit for everyone, and for single roles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit<T> {
    /// For every role.
    pub global: T,
    /// For single roles.
    #[serde(default = "IndexMap::new", skip_serializing_if = "IndexMap::is_empty")]
    pub per_role: IndexMap<String, T>,
}

impl<T> Limit<T> {
    /// The limit that holds for a role.
    pub fn of(&self, role: &str) -> &T {
        self.per_role.get(role).unwrap_or(&self.global)
    }
}

/// Most requests a minute, and what tells callers apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests a minute.
    pub max_reqs_per_min: u64,
    /// `IP`, or session variables by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_params: Option<UniqueParams>,
}

/// What tells callers apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum UniqueParams {
    /// `IP`.
    Ip(String),
    /// Session variables by name.
    Variables(Vec<String>),
}

/// Who may not introspect.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// Roles that may not introspect.
    #[serde(default)]
    pub disabled_for_roles: Vec<String>,
}

impl Introspection {
    pub(super) fn is_empty(&self) -> bool {
        self.disabled_for_roles.is_empty()
    }
}
