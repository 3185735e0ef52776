//! The keys that seal secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::sealing::KeyRing;
use crate::domain::{Code, Error, Redacted, Result};

/// The keys that seal the secrets of teams and applications. Without one, there are none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// Keys, each written as `id:key` with 32 bytes in base64 (`openssl rand -base64 32`), separated by commas or white
    /// space. A key stays here for as long as a secret is sealed with it: `northstack admin secrets status` tells.
    #[schemars(extend("x-live" = true))]
    pub keys: Option<Redacted>,
    /// Id of the key that seals new values; may be absent where there is one key.
    #[schemars(extend("x-live" = true))]
    pub active_key: Option<String>,
}

impl Secrets {
    /// Whether there is a key.
    pub fn configured(&self) -> bool {
        self.keys.is_some()
    }

    /// The keys.
    ///
    /// # Errors
    /// `unavailable` when there is none; `invalid-input` when they cannot be read, which a loaded configuration
    /// excludes.
    pub fn ring(&self) -> Result<KeyRing> {
        let keys = self.keys.as_ref().ok_or_else(|| {
            let message = "no key for secrets is configured: an operator sets secrets.keys";
            Error::new(Code::Unavailable, message)
        })?;
        KeyRing::parse(keys, self.active_key.as_deref())
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        let error = match (&self.keys, &self.active_key) {
            (Some(keys), active) => KeyRing::parse(keys, active.as_deref()).err(),
            (None, Some(_)) => Some(Error::invalid("secrets.active_key", "names a key, and secrets.keys holds none")),
            (None, None) => None,
        };
        if let Some(error) = error {
            problems.add(error.field().unwrap_or("secrets.keys"), error.message());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Loader, Purpose};

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn keys_come_from_the_environment_and_what_is_wrong_with_them_is_said_without_them() {
        let load = |keys: &str, active: &str| {
            let environment = [("NORTHSTACK_SECRETS__KEYS", keys), ("NORTHSTACK_SECRETS__ACTIVE_KEY", active)];
            let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Loader::new().environment(environment).load(Purpose::Tool)
        };
        let one = load(&format!("2026-01:{KEY}"), "").unwrap().config.secrets;
        assert_eq!(one.ring().unwrap().active(), "2026-01");
        let two = load(&format!("old:{KEY},new:{KEY}"), "new").unwrap().config.secrets;
        assert_eq!(two.ring().unwrap().active(), "new");
        let none = load("", "").unwrap().config.secrets;
        assert!(!none.configured() && none.ring().unwrap_err().message().contains("no key for secrets"));
        for (keys, active, field) in [
            ("", "new", "secrets.active_key"),
            (KEY, "", "secrets.keys"),
            (&format!("old:{KEY},new:{KEY}"), "", "secrets.active_key"),
            (&format!("old:{KEY}"), "new", "secrets.active_key"),
        ] {
            let problems = load(keys, active).unwrap_err();
            assert_eq!(problems.0.len(), 1, "{problems}");
            assert_eq!(problems.0[0].field, field, "{problems}");
            assert!(!problems.to_string().contains("AAAA"), "{problems}");
        }
    }
}
