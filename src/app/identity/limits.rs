//! How often somebody may try to sign in. Closed when the cache does not answer: guessing is never free.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::app::Caller;
use crate::cache::{Cache, RateLimiter};
use crate::domain::{Code, Email, Error, Result};

/// One account may be tried from all addresses together, and all accounts from one address, this many times as often.
const ALONE: u32 = 5;

/// Counts attempts over a sliding window by address and account together, and by each alone.
#[derive(Clone)]
pub struct LoginLimits {
    limiter: RateLimiter,
    limit: u32,
    window: Duration,
}

impl LoginLimits {
    /// At most `limit` attempts on one account from one address within `window`.
    pub fn new(cache: &Cache, limit: u32, window: Duration) -> Self {
        Self { limiter: cache.rate_limiter("login"), limit, window }
    }

    /// Counts an attempt; [`Code::RateLimited`] when it is one too many.
    pub async fn check(&self, caller: &Caller, email: &Email) -> Result<()> {
        let account = hex::encode(Sha256::digest(email.as_str()));
        let address = caller.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        let alone = self.limit.saturating_mul(ALONE);
        for (counter, limit) in [
            (format!("{address}:{account}"), self.limit),
            (format!("account:{account}"), alone),
            (format!("address:{address}"), alone),
        ] {
            let decision = self.limiter.check(&counter, limit, self.window).await?;
            if !decision.allowed {
                let seconds = decision.reset_after.as_secs() + 1;
                let message = format!("too many attempts to sign in; try again in {seconds} seconds");
                return Err(Error::new(Code::RateLimited, message));
            }
        }
        Ok(())
    }
}
