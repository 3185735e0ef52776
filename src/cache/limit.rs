//! Rate limits over a sliding window, counted by the server's clock.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use uuid::Uuid;

use super::{Cache, Result};

/// Keeps one member per admitted request, scored with its time. Answers: admitted, remaining, and the
/// microseconds until the oldest one leaves the window.
static ADMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local time = redis.call('TIME')
        local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
        local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
        local used = redis.call('ZCARD', KEYS[1])
        local admitted = 0
        if used < limit then
            redis.call('ZADD', KEYS[1], now, ARGV[3])
            redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
            used = used + 1
            admitted = 1
        end
        local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
        local reset = window
        if oldest[2] then reset = tonumber(oldest[2]) + window - now end
        return { admitted, limit - used, reset }",
    )
});

/// Counts requests under a common prefix, such as `login`.
#[derive(Clone)]
pub struct RateLimiter {
    cache: Cache,
    prefix: String,
}

/// One counted request.
#[derive(Debug)]
pub struct Ticket(String);

/// Whether a request may pass, and what to tell its sender (`X-RateLimit-Limit`, `-Remaining`, `-Reset`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateDecision {
    /// Whether it may pass.
    pub allowed: bool,
    /// Requests allowed within the window.
    pub limit: u32,
    /// Requests left within the window.
    pub remaining: u32,
    /// Time until the oldest counted request leaves the window and one more may pass.
    pub reset_after: Duration,
}

impl Cache {
    /// A limiter whose counters lie under `prefix`.
    pub fn rate_limiter(&self, prefix: &str) -> RateLimiter {
        RateLimiter { cache: self.clone(), prefix: format!("limit:{prefix}") }
    }
}

impl RateLimiter {
    /// Counts a request of `caller` and says whether it may pass: at most `limit` within any `window`.
    /// Refused requests are not counted.
    ///
    /// # Errors
    /// Any [`super::Error`]; the caller decides whether requests then pass (reads) or not (sign-in).
    pub async fn check(&self, caller: &str, limit: u32, window: Duration) -> Result<RateDecision> {
        Ok(self.take(caller, limit, window).await?.0)
    }

    /// As [`RateLimiter::check`], with what [`RateLimiter::give_back`] takes.
    ///
    /// # Errors
    /// As [`RateLimiter::check`].
    pub async fn take(&self, caller: &str, limit: u32, window: Duration) -> Result<(RateDecision, Ticket)> {
        let ticket = Ticket(Uuid::new_v4().simple().to_string());
        let mut call = ADMIT.prepare_invoke();
        call.key(self.key(caller)).arg(limit).arg(u64::try_from(window.as_micros()).unwrap_or(u64::MAX)).arg(&ticket.0);
        let (admitted, remaining, reset): (bool, i64, i64) =
            self.cache.bounded("limit", async |mut connection| call.invoke_async(&mut connection).await).await?;
        let outcome = if admitted { "admitted" } else { "refused" };
        metrics::counter!("northstack_rate_limit_total", "limit" => self.prefix.clone(), "outcome" => outcome)
            .increment(1);
        let decision = RateDecision {
            allowed: admitted,
            limit,
            remaining: u32::try_from(remaining).unwrap_or(0),
            reset_after: Duration::from_micros(u64::try_from(reset).unwrap_or(0)),
        };
        Ok((decision, ticket))
    }

    /// Takes a counted request out of the count again.
    ///
    /// # Errors
    /// Any [`super::Error`]; the request stays counted then.
    pub async fn give_back(&self, caller: &str, ticket: &Ticket) -> Result<()> {
        let mut command = redis::cmd("ZREM");
        command.arg(self.key(caller)).arg(&ticket.0);
        self.cache.run(&command).await
    }

    fn key(&self, caller: &str) -> String {
        self.cache.key(&format!("{}:{caller}", self.prefix))
    }
}
