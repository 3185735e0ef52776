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
    /// Most tokens in one document, for every role but `admin`.
    pub max_tokens: usize,
    /// Deepest nesting of fields in one operation, for every role but `admin`.
    pub max_depth: usize,
    /// Most fields in one operation, fragments expanded, for every role but `admin`.
    pub max_nodes: usize,
    /// Most rows that the lists of one operation may come to, lists within lists multiplied and each without a `limit`
    /// counted as a hundred rows, for every role but `admin`.
    pub max_rows: u64,
    /// Most calls of actions (`deployApplication` and the like) in one operation, for every role but `admin`.
    pub max_actions: usize,
    /// Most aliases in one document, for every role but `admin`.
    pub max_aliases: usize,
    /// Most directives in one document, for every role but `admin`.
    pub max_directives: usize,
    /// Most operations in one request body, for every role but `admin`.
    pub max_batch: usize,
    /// Operations of one user, or of one address that is not signed in, that run at a time; more of them wait. Whoever
    /// shows the admin secret is not counted.
    pub max_running: usize,
    /// Operations of one user that may wait for their turn; more of them are refused at once.
    pub max_waiting: usize,
    /// Longest time that an operation waits for its turn.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub turn_timeout: Duration,
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
            max_tokens: 100_000,
            max_depth: 20,
            max_nodes: 5_000,
            max_rows: 5_000_000,
            max_actions: 20,
            max_aliases: 100,
            max_directives: 100,
            max_batch: 50,
            max_running: 6,
            max_waiting: 100,
            turn_timeout: Duration::from_secs(10),
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
        problems.range("engine.max_tokens", self.max_tokens, 100..=10_000_000);
        problems.range("engine.max_depth", self.max_depth, 1..=1_000);
        problems.range("engine.max_nodes", self.max_nodes, 1..=1_000_000);
        problems.range("engine.max_rows", self.max_rows, 1..=1_000_000_000_000);
        problems.range("engine.max_actions", self.max_actions, 1..=10_000);
        problems.range("engine.max_aliases", self.max_aliases, 1..=1_000_000);
        problems.range("engine.max_directives", self.max_directives, 1..=1_000_000);
        problems.range("engine.max_batch", self.max_batch, 1..=10_000);
        problems.range("engine.max_running", self.max_running, 1..=10_000);
        problems.range("engine.max_waiting", self.max_waiting, 0..=1_000_000);
        problems.positive("engine.turn_timeout", self.turn_timeout);
        problems.positive("engine.query_timeout", self.query_timeout);
        problems.positive("engine.live_query_poll", self.live_query_poll);
    }
}
