//! The event bus: NATS JetStream.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

/// The event bus: NATS with JetStream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Nats {
    /// Servers, as `nats://host:port` or `tls://host:port`; the others of a cluster are discovered.
    pub servers: Vec<String>,
    /// User to connect as.
    pub user: Option<String>,
    /// Password of the user.
    pub password: Option<Redacted>,
    /// Token, instead of user and password.
    pub token: Option<Redacted>,
    /// Credentials file (JWT and seed), instead of user and password.
    pub credentials_file: Option<PathBuf>,
    /// PEM file with the authorities that may have signed the server's certificate.
    pub tls_root_cert: Option<PathBuf>,
    /// Copies of every stream: 1, 3 or 5.
    pub replicas: usize,
    /// Most bytes that one stream may hold; 0 for no limit.
    pub max_stream_bytes: i64,
    /// How long the server recognises a repeated event by its id.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub duplicate_window: Duration,
    /// Longest time to connect at start.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// Longest wait for the acknowledgment of a published event.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub publish_timeout: Duration,
    /// How often an event is handed to a consumer before it goes to the dead letters.
    pub max_deliver: usize,
    /// Pauses between deliveries; the last one repeats.
    #[schemars(with = "Vec<String>")]
    #[serde(with = "super::durations")]
    pub redelivery_pauses: Vec<Duration>,
    /// Events that a consumer works on at once.
    pub max_in_flight: usize,
}

impl Default for Nats {
    fn default() -> Self {
        Self {
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            user: None,
            password: None,
            token: None,
            credentials_file: None,
            tls_root_cert: None,
            replicas: 1,
            max_stream_bytes: 0,
            duplicate_window: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(10),
            publish_timeout: Duration::from_secs(5),
            max_deliver: 5,
            redelivery_pauses: [1, 5, 30].map(Duration::from_secs).to_vec(),
            max_in_flight: 64,
        }
    }
}

impl Nats {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.servers.is_empty() {
            problems.add("nats.servers", "must name at least one server");
        }
        for server in &self.servers {
            let known = url::Url::parse(server)
                .is_ok_and(|url| matches!(url.scheme(), "nats" | "tls" | "ws" | "wss") && url.host().is_some());
            if !known {
                problems.add("nats.servers", "each must be an address such as `nats://host:4222`");
            }
        }
        if ![1, 3, 5].contains(&self.replicas) {
            problems.add("nats.replicas", "must be 1, 3 or 5");
        }
        let ways = [self.user.is_some(), self.token.is_some(), self.credentials_file.is_some()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            problems.add("nats.user", "give one of user, token and credentials_file, not several");
        }
        if self.user.is_some() != self.password.is_some() {
            problems.add("nats.password", "user and password go together");
        }
        problems.range("nats.max_stream_bytes", self.max_stream_bytes, 0..=i64::MAX);
        problems.range("nats.max_deliver", self.max_deliver, 2..=1000);
        problems.range("nats.max_in_flight", self.max_in_flight, 1..=10_000);
        if self.redelivery_pauses.is_empty() || self.redelivery_pauses.iter().any(Duration::is_zero) {
            problems.add("nats.redelivery_pauses", "must be one or more durations longer than zero");
        }
        if self.redelivery_pauses.len() >= self.max_deliver {
            problems.add("nats.redelivery_pauses", "must be fewer than nats.max_deliver");
        }
        problems.positive("nats.duplicate_window", self.duplicate_window);
        problems.positive("nats.connect_timeout", self.connect_timeout);
        problems.positive("nats.publish_timeout", self.publish_timeout);
    }
}
