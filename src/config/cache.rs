//! The cache: DragonflyDB or Redis.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

/// The cache: DragonflyDB (production) or Redis 7. It may be lost at any time without loss of data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Servers, as `host:port`. More than one only with `cluster`.
    pub addresses: Vec<String>,
    /// Whether the servers form a cluster.
    pub cluster: bool,
    /// User to connect as (access control lists).
    pub username: Option<String>,
    /// Password.
    pub password: Option<Redacted>,
    /// Number of the database; 0 in a cluster.
    pub database: u8,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Connections over which commands are spread; each carries many commands at once.
    pub connections: usize,
    /// Longest time to connect.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// Longest wait for an answer.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub response_timeout: Duration,
    /// Put before every key, so that several installations can share a server.
    pub key_prefix: String,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            addresses: vec!["127.0.0.1:6379".to_owned()],
            cluster: false,
            username: None,
            password: None,
            database: 0,
            tls: false,
            connections: 2,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(1),
            key_prefix: "northstack:".to_owned(),
        }
    }
}

impl Cache {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.addresses.is_empty() {
            problems.add("cache.addresses", "must name at least one server");
        }
        if self.addresses.iter().any(|address| super::database::split_host_port(address, 6379).is_none()) {
            problems.add("cache.addresses", "each must be `host` or `host:port`");
        }
        if self.addresses.len() > 1 && !self.cluster {
            problems.add("cache.addresses", "must be a single server unless cache.cluster is true");
        }
        if self.cluster && self.database != 0 {
            problems.add("cache.database", "must be 0 in a cluster");
        }
        problems.range("cache.connections", self.connections, 1..=64);
        problems.positive("cache.connect_timeout", self.connect_timeout);
        problems.positive("cache.response_timeout", self.response_timeout);
    }
}
