//! Refresh tokens: good for one use, each the only live one of its family (RFC 9700, 4.14.2).
//!
//! A family begins with a login. A token that was used before can only have been copied, so showing one ends the
//! whole family: thief and owner both have to sign in again. The cache keeps digests only; losing it signs people out.
//!
//! A page that is loaded twice at once, or an answer that is lost on its way, shows a used token too. So within a short
//! grace a used token leads to the same successor that its first use led to: a successor is derived from the token
//! before it and a salt that the cache keeps for the length of the grace, which is of no use without that token.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::cache::Cache;
use crate::config::Live;
use crate::domain::{Redacted, Result};

const PREFIX: &str = "nsr_";
const FAMILY_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// KEYS: family. ARGV: digest shown, digest of the next or '', life in milliseconds, salt of the next, grace in
/// milliseconds. Gives the state (`live`, `reused`, `gone`), the user, and the salts that lead from the token shown
/// to the live one. `former` holds `digest:salt:until` of tokens used within the grace, oldest first.
const USE: &str = r"
local kept = redis.call('hmget', KEYS[1], 'digest', 'user', 'former')
if not kept[1] then return {'gone', '', ''} end
local time = redis.call('time')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local former, salts, known = {}, {}, false
for entry, digest, salt, till in string.gmatch(kept[3] or '', '((%x+):(%x+):(%d+))') do
  if tonumber(till) > now then
    table.insert(former, entry)
    known = known or digest == ARGV[1]
    if known then table.insert(salts, salt) end
  end
end
if kept[1] ~= ARGV[1] then
  if known then return {'live', kept[2], table.concat(salts, ' ')} end
  redis.call('del', KEYS[1])
  return {'reused', kept[2], ''}
end
if ARGV[2] == '' then return {'live', kept[2], ''} end
if tonumber(ARGV[5]) > 0 then
  table.insert(former, ARGV[1] .. ':' .. ARGV[4] .. ':' .. string.format('%d', now + tonumber(ARGV[5])))
  if #former > 16 then table.remove(former, 1) end
end
redis.call('hset', KEYS[1], 'digest', ARGV[2], 'former', table.concat(former, ' '))
redis.call('pexpire', KEYS[1], ARGV[3])
return {'live', kept[2], ARGV[4]}
";

/// What a shown token turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Good, or used within the grace: this user's.
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
    config: Live,
}

impl RefreshTokens {
    /// Families end when unused for `auth.refresh_token_ttl`, or when a token is shown later than
    /// `auth.refresh_reuse_grace` after its use.
    pub fn new(cache: Cache, config: Live) -> Self {
        Self { cache, config }
    }

    /// How long a token is good for.
    pub fn lifetime(&self) -> Duration {
        self.config.get().auth.refresh_token_ttl
    }

    /// The first token of a new family, and the family's name, by which access tokens say whose session they are of.
    pub async fn begin(&self, user: Uuid) -> Result<(Redacted, String)> {
        let token = Token::new(rand::random());
        let key = self.key(&token);
        let mut keep = redis::pipe();
        keep.atomic()
            .hset_multiple(&key, &[("digest", token.digest()), ("user", user.to_string())])
            .ignore()
            .pexpire(&key, milliseconds(self.lifetime()))
            .ignore();
        self.cache.pipeline::<()>(&keep).await?;
        Ok((token.text(), token.session()))
    }

    /// The name of a token's family, whether it lives or not.
    pub fn session(token: &Redacted) -> Option<String> {
        Token::parse(token).map(|token| token.session())
    }

    /// Whether a family lives, by its name.
    pub async fn lives(&self, session: &str) -> Result<bool> {
        let mut command = redis::cmd("EXISTS");
        command.arg(self.cache.key(&format!("refresh:{session}")));
        Ok(self.cache.run(&command).await?)
    }

    /// Looks at a token without using it up. A used one ends its family.
    pub async fn look(&self, token: &Redacted) -> Result<Shown> {
        match Token::parse(token) {
            Some(token) => Ok(self.show(&token, None).await?.0),
            None => Ok(Shown::Gone),
        }
    }

    /// Uses a token up and gives its successor; `None` if it is no longer live. Used again within the grace, it gives
    /// the family's live token once more.
    pub async fn rotate(&self, token: &Redacted) -> Result<Option<Redacted>> {
        let Some(token) = Token::parse(token) else { return Ok(None) };
        let salt: [u8; SALT_BYTES] = rand::random();
        let (shown, salts) = self.show(&token, Some(&salt)).await?;
        let live = salts.iter().fold(token, |token, salt| token.successor(salt));
        Ok(matches!(shown, Shown::Live(_)).then(|| live.text()))
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

    /// What the token is, and the salts of the successors between it and the live one.
    async fn show(&self, token: &Token, salt: Option<&[u8]>) -> Result<(Shown, Vec<Vec<u8>>)> {
        let mut command = redis::cmd("EVAL");
        command
            .arg(USE)
            .arg(1)
            .arg(self.key(token))
            .arg(token.digest())
            .arg(salt.map(|salt| token.successor(salt).digest()).unwrap_or_default())
            .arg(milliseconds(self.lifetime()))
            .arg(hex::encode(salt.unwrap_or_default()))
            .arg(milliseconds(self.config.get().auth.refresh_reuse_grace));
        let (state, user, salts): (String, String, String) = self.cache.run(&command).await?;
        let salts = salts.split_whitespace().filter_map(|salt| hex::decode(salt).ok()).collect();
        let shown = match (state.as_str(), user.parse()) {
            ("live", Ok(user)) => Shown::Live(user),
            ("reused", Ok(user)) => Shown::Reused(user),
            _ => Shown::Gone,
        };
        Ok((shown, salts))
    }

    fn key(&self, token: &Token) -> String {
        self.cache.key(&format!("refresh:{}", token.session()))
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

struct Token {
    family: [u8; FAMILY_BYTES],
    secret: [u8; SECRET_BYTES],
}

impl Token {
    fn new(family: [u8; FAMILY_BYTES]) -> Self {
        Self { family, secret: rand::random() }
    }

    /// The token that follows this one by `salt`.
    fn successor(&self, salt: &[u8]) -> Self {
        let secret = Sha256::new().chain_update(b"northstack refresh successor").chain_update(self.secret);
        Self { family: self.family, secret: secret.chain_update(salt).finalize().into() }
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

    fn session(&self) -> String {
        hex::encode(self.family)
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
    #[test]
    fn a_successor_follows_from_token_and_salt_together() {
        let token = Token::new(rand::random());
        let next = token.successor(&[1; SALT_BYTES]);
        assert_eq!(next.family, token.family);
        assert_eq!(next.secret, token.successor(&[1; SALT_BYTES]).secret);
        let others = [token.secret, token.successor(&[2; SALT_BYTES]).secret, next.successor(&[1; SALT_BYTES]).secret];
        assert!(!others.contains(&next.secret));
    }
}
