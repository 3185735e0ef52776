//! What the HTTP faces need to know from configuration.

use ipnet::IpNet;

use crate::config::{Config, Live};
use crate::domain::Redacted;

/// Limits, secrets and origins of the HTTP faces.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The secrets that Hasura (or the embedded engine) may show in `x-northstack-action-secret`.
    pub action_secrets: Vec<Redacted>,
    /// The secrets of the role `admin`, whose holder has no rate limit.
    pub admin_secrets: Vec<Redacted>,
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// Whether the service is reached over HTTPS: cookies are then `Secure` and HSTS is sent.
    pub secure: bool,
    /// The reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether the API explorer is served.
    pub explorer: bool,
    /// What may change while the service runs: origins of other sites, time-out, rate limits.
    pub live: Live,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            action_secrets: Vec::new(),
            admin_secrets: Vec::new(),
            body_limit: 10 * 1024 * 1024,
            secure: false,
            trusted_proxies: Vec::new(),
            explorer: false,
            live: Live::fixed(Config::default()),
        }
    }
}

impl From<&Live> for Settings {
    fn from(live: &Live) -> Self {
        let config = live.get();
        Self {
            action_secrets: [&config.actions.secret, &config.actions.previous_secret]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            admin_secrets: [&config.hasura.admin_secret, &config.hasura.previous_admin_secret]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            body_limit: config.server.body_limit,
            secure: config.auth.cookie_secure,
            trusted_proxies: config.server.proxy_networks(),
            explorer: config.server.explorer,
            live: live.clone(),
        }
    }
}
