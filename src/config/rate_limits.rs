//! How many requests a caller may make.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// How many requests a caller may make within a sliding window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Whether requests are limited at all.
    #[schemars(extend("x-live" = true))]
    pub enabled: bool,
    /// The window over which requests are counted.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-live" = true))]
    pub window: Duration,
    /// Requests of one signed-in user to one route within the window; of GraphQL also operations, those of a batch or
    /// socket each for itself. Whoever shows the admin secret is not limited.
    #[schemars(extend("x-live" = true))]
    pub per_user: u32,
    /// Requests of one address without credentials, or with wrong ones, to one route within the window; of GraphQL also
    /// operations.
    #[schemars(extend("x-live" = true))]
    pub per_address: u32,
    /// Failed attempts to sign in to one account from one address, or from one client that has signed in to it before,
    /// within the window. Strangers may fail five times as often on one account from all addresses, and from one address
    /// on all accounts.
    #[schemars(extend("x-live" = true))]
    pub login: u32,
    /// Attempts to register from one address within the window.
    #[schemars(extend("x-live" = true))]
    pub registrations: u32,
    /// Stores that one user may ask for within a minute.
    #[schemars(extend("x-live" = true))]
    pub store_creations: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            enabled: true,
            window: Duration::from_secs(60),
            per_user: 1_000,
            per_address: 300,
            login: 10,
            registrations: 20,
            store_creations: 30,
        }
    }
}

impl RateLimits {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.window < Duration::from_secs(1) || self.window > Duration::from_secs(86_400) {
            problems.add("rate_limits.window", "must be from 1s to 1day");
        }
        for (field, value) in [
            ("rate_limits.per_user", self.per_user),
            ("rate_limits.per_address", self.per_address),
            ("rate_limits.login", self.login),
            ("rate_limits.registrations", self.registrations),
            ("rate_limits.store_creations", self.store_creations),
        ] {
            problems.range(field, value, 1..=10_000_000);
        }
    }
}
