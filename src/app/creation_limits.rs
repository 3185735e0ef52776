//! How often a caller may ask for something that takes a cluster's room. Open when the cache does not answer: the team's
//! store limit, which the database keeps, bounds the damage.

use std::time::Duration;

use super::Caller;
use crate::cache::{Cache, RateLimiter};
use crate::config::Live;
use crate::domain::{Error, Result};

/// The window of `rate_limits.store_creations`.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts creations of stores over a sliding window, by user, or by address where no user is known.
#[derive(Clone)]
pub struct CreationLimits {
    limiter: RateLimiter,
    config: Live,
}

impl CreationLimits {
    /// At most `rate_limits.store_creations` a minute, if requests are limited at all.
    pub fn new(cache: &Cache, config: Live) -> Self {
        Self { limiter: cache.rate_limiter("store-creations"), config }
    }

    /// Counts a creation.
    ///
    /// # Errors
    /// `rate-limited` with when to try again, when it is one too many.
    pub async fn check(&self, caller: &Caller) -> Result<()> {
        let limits = self.config.get().rate_limits.clone();
        if !limits.enabled {
            return Ok(());
        }
        let who = match (caller.actor.user_id(), caller.address) {
            (Some(user), _) => format!("user:{user}"),
            (None, Some(address)) => format!("address:{address}"),
            (None, None) => "unknown".to_owned(),
        };
        match self.limiter.check(&who, limits.store_creations, WINDOW).await {
            Ok(decision) if !decision.allowed => Err(Error::rate_limited("new stores", decision.reset_after)),
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "creations_not_limited");
                Ok(())
            }
        }
    }
}
