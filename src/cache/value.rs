//! Values as JSON under a key.

use std::time::Duration;

use redis::Cmd;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cache, Error, Result};

impl Cache {
    /// The value under `key`, if it is there and has not expired.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let command = Cmd::get(self.key(key));
        let found: Option<Vec<u8>> =
            self.bounded("get", async |mut connection| command.query_async(&mut connection).await).await?;
        decode(found)
    }

    /// Puts `value` under `key` until `ttl` has passed.
    pub async fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T, ttl: Duration) -> Result<()> {
        let command = put(self.key(key), &encode(value)?, ttl);
        self.bounded("set", async |mut connection| command.query_async(&mut connection).await).await
    }

    /// Puts `value` under `key` only if nothing is there; whether it was put.
    pub async fn set_new<T: Serialize + ?Sized>(&self, key: &str, value: &T, ttl: Duration) -> Result<bool> {
        let mut command = put(self.key(key), &encode(value)?, ttl);
        command.arg("NX");
        let put: Option<String> =
            self.bounded("set", async |mut connection| command.query_async(&mut connection).await).await?;
        Ok(put.is_some())
    }

    /// Takes the value under `key` away: of several callers at once, one gets it.
    pub async fn take<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let command = Cmd::get_del(self.key(key));
        let found: Option<Vec<u8>> =
            self.bounded("take", async |mut connection| command.query_async(&mut connection).await).await?;
        decode(found)
    }

    /// Removes keys; how many were there.
    pub async fn delete(&self, keys: &[&str]) -> Result<u64> {
        if keys.is_empty() {
            return Ok(0);
        }
        let keys: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
        let command = Cmd::del(keys);
        self.bounded("delete", async |mut connection| command.query_async(&mut connection).await).await
    }

    /// Lets `key` live for `ttl` from now; whether it was there.
    pub async fn expire(&self, key: &str, ttl: Duration) -> Result<bool> {
        let command = Cmd::pexpire(self.key(key), i64::try_from(milliseconds(ttl)).unwrap_or(i64::MAX));
        self.bounded("expire", async |mut connection| command.query_async(&mut connection).await).await
    }
}

fn put(key: String, value: &[u8], ttl: Duration) -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(value).arg("PX").arg(milliseconds(ttl));
    command
}

/// At least one: the server refuses to keep something for no time.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(Error::Encode)
}

fn decode<T: DeserializeOwned>(found: Option<Vec<u8>>) -> Result<Option<T>> {
    let outcome = if found.is_some() { "hit" } else { "miss" };
    metrics::counter!("northstack_cache_reads_total", "outcome" => outcome).increment(1);
    found.map(|bytes| serde_json::from_slice(&bytes).map_err(Error::Decode)).transpose()
}
