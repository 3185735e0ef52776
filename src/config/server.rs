//! The HTTP listener.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// The HTTP listener of the API and of the portal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address to listen on; `0.0.0.0` for every interface.
    #[schemars(with = "String")]
    pub host: IpAddr,
    /// Port of the API.
    pub port: u16,
    /// Port of the portal, which is served with the API under one origin; 0 turns it off.
    pub portal_port: u16,
    /// Whether the API explorer is served at `/explorer`; on by default in `northstack dev` alone.
    pub explorer: bool,
    /// The address under which browsers reach the portal; used for links and redirects.
    pub public_url: Option<url::Url>,
    /// Longest time that a request other than a stream may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-live" = true))]
    pub request_timeout: Duration,
    /// Longest time that open requests get to finish after a stop signal.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub shutdown_timeout: Duration,
    /// Largest request body, in bytes.
    pub body_limit: usize,
    /// Origins of browsers that may call the API, such as `https://portal.example.com`; `*` for all.
    #[schemars(extend("x-live" = true))]
    pub cors_origins: Vec<String>,
    /// Whether a proxy in front sets `X-Forwarded-For`; otherwise the header is ignored.
    pub trust_forwarded_for: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8080,
            portal_port: 3001,
            explorer: false,
            public_url: None,
            request_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(30),
            body_limit: 1024 * 1024,
            cors_origins: Vec::new(),
            trust_forwarded_for: false,
        }
    }
}

impl Server {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.positive("server.request_timeout", self.request_timeout);
        problems.positive("server.shutdown_timeout", self.shutdown_timeout);
        problems.range("server.body_limit", self.body_limit, 1024..=256 * 1024 * 1024);
        if self.port != 0 && self.port == self.portal_port {
            problems.add("server.portal_port", "must differ from server.port");
        }
        for origin in &self.cors_origins {
            let origin_only = url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if origin != "*" && !origin_only {
                problems.add(
                    "server.cors_origins",
                    "each must be `*` or scheme, host and port alone, such as `https://portal.example.com`",
                );
            }
        }
    }
}
