//! Identity: tokens and their life.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----";
const LONGEST_GRACE: Duration = Duration::from_secs(60);

/// Identity: access tokens, refresh tokens and passwords.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Private key that signs access tokens: PEM of an Ed25519 key in PKCS #8 (`openssl genpkey -algorithm ed25519`).
    #[schemars(extend("x-required" = true))]
    pub signing_key: Option<Redacted>,
    /// Keys that sign nothing, and whose tokens are taken beside those of `auth.signing_key`: the key before it, until
    /// its last token has ended, and the key that is to come after it. Each is a PEM of the private key, or of its public
    /// half (`openssl pkey -pubout`).
    pub previous_signing_keys: Vec<Redacted>,
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
            previous_signing_keys: Vec::new(),
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
        if self.signing_key.as_ref().is_some_and(|key| !key.expose().contains(PRIVATE)) {
            problems.add("auth.signing_key", "must be a PEM private key in PKCS #8 (BEGIN PRIVATE KEY)");
        }
        for (index, key) in self.previous_signing_keys.iter().enumerate() {
            if ![PRIVATE, PUBLIC].iter().any(|label| key.expose().contains(label)) {
                let wanted = "must be a PEM of a private key in PKCS #8 (BEGIN PRIVATE KEY) or of a public key (BEGIN PUBLIC KEY)";
                problems.add(&format!("auth.previous_signing_keys[{index}]"), wanted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Loader, Purpose};

    #[test]
    fn a_previous_key_that_is_none_is_named_by_its_place_and_not_quoted() {
        let good = "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----";
        let variable = "NORTHSTACK_AUTH__PREVIOUS_SIGNING_KEYS";
        let load = |text: String| Loader::new().environment([(variable.to_owned(), text)]).load(Purpose::Tool);
        let two = load(format!("{good}\n,\n{good}\n")).unwrap().config.auth.previous_signing_keys;
        assert_eq!(two.iter().map(|key| key.expose().as_str()).collect::<Vec<_>>(), [good, good]);
        let problems = load(format!("{good},swordfish")).unwrap_err();
        assert_eq!(problems.0.len(), 1, "{problems}");
        let text = problems.to_string();
        assert!(text.starts_with("auth.previous_signing_keys[1] must be a PEM of a private key"), "{text}");
        assert!(text.contains(variable) && !text.contains("swordfish"), "{text}");

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("northstack.yaml");
        std::fs::write(&path, "auth:\n  previous_signing_keys: [swordfish, 987654321]\n").unwrap();
        let text = Loader::new().file(&path).load(Purpose::Tool).unwrap_err().to_string();
        assert!(text.contains("auth.previous_signing_keys") && !text.contains("987654321"), "{text}");
    }
}
