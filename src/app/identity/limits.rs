//! How often somebody may try to sign in. Closed when the cache does not answer: guessing is never free.

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::ConnectionManager;
use sha2::{Digest, Sha256};

use crate::app::Caller;
use crate::domain::{Code, Email, Error, Result};

/// One account may be tried from all addresses together, and all accounts from one address, this many times as often.
const ALONE: u32 = 5;

/// KEYS: the counters. ARGV: window in milliseconds, a unique member, then the limit of each counter.
/// Gives the milliseconds to wait: 0 when the attempt is admitted, and only then it counts.
static ATTEMPT: LazyLock<redis::Script> = LazyLock::new(|| {
    redis::Script::new(
        r"
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window = tonumber(ARGV[1])
local wait = 0
for i, key in ipairs(KEYS) do
  redis.call('zremrangebyscore', key, 0, now - window)
  if redis.call('zcard', key) >= tonumber(ARGV[i + 2]) then
    local oldest = redis.call('zrange', key, 0, 0, 'withscores')
    wait = math.max(wait, 1, tonumber(oldest[2]) + window - now)
  end
end
if wait == 0 then
  for _, key in ipairs(KEYS) do
    redis.call('zadd', key, now, ARGV[2])
    redis.call('pexpire', key, window)
  end
end
return wait
",
    )
});

/// Counts attempts over a sliding window by address and account together, and by each alone.
#[derive(Clone)]
pub struct LoginLimits {
    connection: ConnectionManager,
    prefix: String,
    limit: u32,
    window: Duration,
}

impl LoginLimits {
    /// At most `limit` attempts on one account from one address within `window`.
    pub fn new(connection: ConnectionManager, prefix: &str, limit: u32, window: Duration) -> Self {
        Self { connection, prefix: format!("{prefix}login:"), limit, window }
    }

    /// Counts an attempt; [`Code::RateLimited`] when it is one too many.
    pub async fn check(&self, caller: &Caller, email: &Email) -> Result<()> {
        let account = hex::encode(Sha256::digest(email.as_str()));
        let address = caller.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        let wait: u64 = ATTEMPT
            .key(format!("{}{address}:{account}", self.prefix))
            .key(format!("{}account:{account}", self.prefix))
            .key(format!("{}address:{address}", self.prefix))
            .arg(u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX))
            .arg(uuid::Uuid::new_v4().to_string())
            .arg(self.limit)
            .arg(self.limit.saturating_mul(ALONE))
            .arg(self.limit.saturating_mul(ALONE))
            .invoke_async(&mut self.connection.clone())
            .await
            .map_err(|error| Error::unavailable("counting attempts to sign in", error))?;
        if wait == 0 {
            return Ok(());
        }
        metrics::counter!("northstack_logins_total", "result" => "limited").increment(1);
        let seconds = wait.div_ceil(1000);
        Err(Error::new(Code::RateLimited, format!("too many attempts to sign in; try again in {seconds} seconds")))
    }
}
