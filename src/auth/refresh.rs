//! Refresh tokens: good for one use, each the only live one of its family (RFC 9700, 4.14.2).
//!
//! A family begins with a login. A token that was used before can only have been copied, so showing one ends the
//! whole family: thief and owner both have to sign in again. The cache keeps digests only; losing it signs people out.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::cache::Cache;
use crate::domain::{Redacted, Result};

const PREFIX: &str = "nsr_";
const FAMILY_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// KEYS: family. ARGV: digest shown, digest of the next or '', life in milliseconds.
/// Gives the state (`live`, `reused`, `gone`) and the user.
const USE: &str = r"
local kept = redis.call('hmget', KEYS[1], 'digest', 'user')
if not kept[1] then return {'gone', ''} end
if kept[1] ~= ARGV[1] then
  redis.call('del', KEYS[1])
  return {'reused', kept[2]}
end
if ARGV[2] ~= '' then
  redis.call('hset', KEYS[1], 'digest', ARGV[2])
  redis.call('pexpire', KEYS[1], ARGV[3])
end
return {'live', kept[2]}
";

/// What a shown token turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Good: this user's.
    Live(Uuid),
    /// Used before; this user's family has been revoked.
    Reused(Uuid),
    /// Unknown, expired or revoked.
    Gone,
}

/// Keeps the families.
#[derive(Clone)]
pub struct RefreshTokens {
    cache: Cache,
    lifetime: Duration,
}

impl RefreshTokens {
    /// Families end when unused for `lifetime`.
    pub fn new(cache: Cache, lifetime: Duration) -> Self {
        Self { cache, lifetime }
    }

    /// How long a token is good for.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The first token of a new family.
    pub async fn begin(&self, user: Uuid) -> Result<Redacted> {
        let token = Token::new(rand::random());
        let key = self.key(&token);
        let mut keep = redis::pipe();
        keep.atomic()
            .hset_multiple(&key, &[("digest", token.digest()), ("user", user.to_string())])
            .ignore()
            .pexpire(&key, self.milliseconds())
            .ignore();
        self.cache.pipeline::<()>(&keep).await?;
        Ok(token.text())
    }

    /// Looks at a token without using it up. A used one ends its family.
    pub async fn look(&self, token: &Redacted) -> Result<Shown> {
        match Token::parse(token) {
            Some(token) => self.show(&token, None).await,
            None => Ok(Shown::Gone),
        }
    }

    /// Uses a token up and gives its successor; `None` if it is no longer live.
    pub async fn rotate(&self, token: &Redacted) -> Result<Option<Redacted>> {
        let Some(token) = Token::parse(token) else { return Ok(None) };
        let next = Token::new(token.family);
        Ok(matches!(self.show(&token, Some(&next)).await?, Shown::Live(_)).then(|| next.text()))
    }

    /// Ends the token's family, used or not; gives its user if there was one.
    pub async fn revoke(&self, token: &Redacted) -> Result<Option<Uuid>> {
        let Some(token) = Token::parse(token) else { return Ok(None) };
        let key = self.key(&token);
        let mut end = redis::pipe();
        end.atomic().hget(&key, "user").del(&key).ignore();
        let (user,): (Option<String>,) = self.cache.pipeline(&end).await?;
        Ok(user.and_then(|user| user.parse().ok()))
    }

    async fn show(&self, token: &Token, next: Option<&Token>) -> Result<Shown> {
        let mut command = redis::cmd("EVAL");
        command
            .arg(USE)
            .arg(1)
            .arg(self.key(token))
            .arg(token.digest())
            .arg(next.map(Token::digest).unwrap_or_default())
            .arg(self.milliseconds());
        let (state, user): (String, String) = self.cache.run(&command).await?;
        Ok(match (state.as_str(), user.parse()) {
            ("live", Ok(user)) => Shown::Live(user),
            ("reused", Ok(user)) => Shown::Reused(user),
            _ => Shown::Gone,
        })
    }

    fn key(&self, token: &Token) -> String {
        self.cache.key(&format!("refresh:{}", hex::encode(token.family)))
    }

    fn milliseconds(&self) -> i64 {
        i64::try_from(self.lifetime.as_millis()).unwrap_or(i64::MAX)
    }
}

struct Token {
    family: [u8; FAMILY_BYTES],
    secret: [u8; SECRET_BYTES],
}

impl Token {
    fn new(family: [u8; FAMILY_BYTES]) -> Self {
        Self { family, secret: rand::random() }
    }

    fn parse(text: &Redacted) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.expose().strip_prefix(PREFIX)?).ok()?;
        let (family, secret) = bytes.split_at_checked(FAMILY_BYTES)?;
        Some(Self { family: family.try_into().ok()?, secret: secret.try_into().ok()? })
    }

    fn text(&self) -> Redacted {
        let bytes = [self.family.as_slice(), &self.secret].concat();
        Redacted::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_other_text_is_not() {
        let token = Token::new(rand::random());
        let read = Token::parse(&token.text()).unwrap();
        assert_eq!((read.family, read.digest()), (token.family, token.digest()));
        let short = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode([0; 47]));
        for wrong in ["", "nsr_", "nsr_*", "northstack", &short, &token.text().expose()[4..]] {
            assert!(Token::parse(&wrong.into()).is_none(), "{wrong}");
        }
    }
}
