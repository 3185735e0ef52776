//! What the HTTP faces need to know from configuration.

use std::time::Duration;

use crate::config::{Config, RateLimits};
use crate::domain::Redacted;

/// Limits, secrets and origins of the HTTP faces.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The secret that Hasura (or the embedded engine) shows in `x-northstack-action-secret`.
    pub action_secret: Redacted,
    /// Origins of other sites whose pages may call the API, such as `https://portal.example.com`; `*` for all,
    /// without credentials. Pages served by the service itself need no entry.
    pub cors_origins: Vec<String>,
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// From the request's last header to the response's first byte.
    pub timeout: Duration,
    /// Whether the service is reached over HTTPS: cookies are then `Secure` and HSTS is sent.
    pub secure: bool,
    /// How many reverse proxies of ours stand before the service: that many entries of `X-Forwarded-For` are believed.
    pub trusted_proxies: usize,
    /// Whether the API explorer is served.
    pub explorer: bool,
    /// How many requests a caller may send to one REST route.
    pub rate_limits: RateLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            action_secret: Redacted::default(),
            cors_origins: Vec::new(),
            body_limit: 10 * 1024 * 1024,
            timeout: Duration::from_secs(60),
            secure: false,
            trusted_proxies: 0,
            explorer: false,
            rate_limits: RateLimits::default(),
        }
    }
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            action_secret: config.actions.secret.clone().unwrap_or_default(),
            cors_origins: config.server.cors_origins.clone(),
            body_limit: config.server.body_limit,
            timeout: config.server.request_timeout,
            secure: config.auth.cookie_secure,
            trusted_proxies: usize::from(config.server.trust_forwarded_for),
            explorer: config.server.explorer,
            rate_limits: config.rate_limits.clone(),
        }
    }
}
