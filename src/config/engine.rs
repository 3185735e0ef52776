//! The embedded GraphQL engine's limits.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// The embedded GraphQL engine (`hasura.mode` `embedded`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// Role of requests without credentials.
    pub unauthorized_role: String,
    /// Deepest nesting of fields in one operation, for every role but `admin`.
    pub max_depth: usize,
    /// Most fields in one operation, fragments expanded, for every role but `admin`.
    pub max_nodes: usize,
    /// Most aliases in one document, for every role but `admin`.
    pub max_aliases: usize,
    /// Most directives in one document, for every role but `admin`.
    pub max_directives: usize,
    /// Most operations in one request body, for every role but `admin`.
    pub max_batch: usize,
    /// Longest time that one statement of a query, mutation or live query may take. Such statements have connections of
    /// their own, at most `database.max_connections` more.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub query_timeout: Duration,
    /// How often a live query is refreshed without a sign of change.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub live_query_poll: Duration,
    /// Whether roles other than `admin` may read the schema by introspection.
    pub introspection: bool,
    /// Whether roles other than `admin` may send only the operations of the allow list.
    pub allow_list: bool,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            unauthorized_role: "anonymous".to_owned(),
            max_depth: 20,
            max_nodes: 5_000,
            max_aliases: 100,
            max_directives: 100,
            max_batch: 50,
            query_timeout: Duration::from_secs(30),
            live_query_poll: Duration::from_secs(10),
            introspection: true,
            allow_list: false,
        }
    }
}

impl Engine {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.not_empty("engine.unauthorized_role", &self.unauthorized_role);
        problems.range("engine.max_depth", self.max_depth, 1..=1_000);
        problems.range("engine.max_nodes", self.max_nodes, 1..=1_000_000);
        problems.range("engine.max_aliases", self.max_aliases, 1..=1_000_000);
        problems.range("engine.max_directives", self.max_directives, 1..=1_000_000);
        problems.range("engine.max_batch", self.max_batch, 1..=10_000);
        problems.positive("engine.query_timeout", self.query_timeout);
        problems.positive("engine.live_query_poll", self.live_query_poll);
    }
}
