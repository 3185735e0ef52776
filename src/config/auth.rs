//! Identity: tokens and their life.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

const LONGEST_GRACE: Duration = Duration::from_secs(60);

/// Identity: access tokens, refresh tokens and passwords.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Private key that signs access tokens: PEM of an Ed25519 key in PKCS #8 (`openssl genpkey -algorithm ed25519`).
    #[schemars(extend("x-required" = true))]
    pub signing_key: Option<Redacted>,
    /// The `iss` claim of access tokens.
    pub issuer: String,
    /// The `aud` claim of access tokens.
    pub audience: String,
    /// Life of an access token.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-live" = true))]
    pub access_token_ttl: Duration,
    /// Life of a refresh token.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-live" = true))]
    pub refresh_token_ttl: Duration,
    /// For how long after its use a refresh token leads to the same session once more, as when a page is loaded twice
    /// at once; shown later, it ends the session. `0s` for never.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-live" = true))]
    pub refresh_reuse_grace: Duration,
    /// Whether the refresh cookie is sent over HTTPS only.
    pub cookie_secure: bool,
    /// Whether anybody may register.
    #[schemars(extend("x-live" = true))]
    pub registration: bool,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            signing_key: None,
            issuer: "northstack".to_owned(),
            audience: "northstack".to_owned(),
            access_token_ttl: Duration::from_secs(15 * 60),
            refresh_token_ttl: Duration::from_secs(7 * 24 * 60 * 60),
            refresh_reuse_grace: Duration::from_secs(10),
            cookie_secure: true,
            registration: true,
        }
    }
}

impl Auth {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.not_empty("auth.issuer", &self.issuer);
        problems.not_empty("auth.audience", &self.audience);
        problems.positive("auth.access_token_ttl", self.access_token_ttl);
        problems.positive("auth.refresh_token_ttl", self.refresh_token_ttl);
        if self.refresh_token_ttl < self.access_token_ttl {
            problems.add("auth.refresh_token_ttl", "must not be shorter than auth.access_token_ttl");
        }
        if self.refresh_reuse_grace > LONGEST_GRACE {
            problems.add("auth.refresh_reuse_grace", "must be at most 1m: a copied token works for as long");
        }
        if self.signing_key.as_ref().is_some_and(|key| !key.expose().contains("-----BEGIN PRIVATE KEY-----")) {
            problems.add("auth.signing_key", "must be a PEM private key in PKCS #8 (BEGIN PRIVATE KEY)");
        }
    }
}
