//! How often somebody may try to sign in. Closed when the cache does not answer: guessing is never free.

use sha2::{Digest, Sha256};

use crate::app::Caller;
use crate::cache::{Cache, RateLimiter};
use crate::config::Live;
use crate::domain::{Email, Error, Result, client_network};

/// One account may be tried from all addresses together, and all accounts from one address, this many times as often.
const ALONE: u32 = 5;

/// Counts attempts over a sliding window by address and account together, and by each alone.
#[derive(Clone)]
pub struct LoginLimits {
    limiter: RateLimiter,
    config: Live,
}

impl LoginLimits {
    /// At most `rate_limits.login` attempts on one account from one address within `rate_limits.window`.
    pub fn new(cache: &Cache, config: Live) -> Self {
        Self { limiter: cache.rate_limiter("login"), config }
    }

    /// Counts an attempt; `rate-limited` when it is one too many.
    pub async fn check(&self, caller: &Caller, email: &Email) -> Result<()> {
        let account = hex::encode(Sha256::digest(email.as_str()));
        let address =
            caller.address.map_or_else(|| "unknown".to_owned(), |address| client_network(address).to_string());
        let config = self.config.get();
        let (most, window) = (config.rate_limits.login, config.rate_limits.window);
        let alone = most.saturating_mul(ALONE);
        for (counter, limit) in [
            (format!("{address}:{account}"), most),
            (format!("account:{account}"), alone),
            (format!("address:{address}"), alone),
        ] {
            let decision = self.limiter.check(&counter, limit, window).await?;
            if !decision.allowed {
                return Err(Error::rate_limited("attempts to sign in", decision.reset_after));
            }
        }
        Ok(())
    }
}
