//! How often somebody may try to sign in, or register. Closed when the cache does not answer: guessing is never free.

use sha2::{Digest, Sha256};

use crate::app::Caller;
use crate::auth::Device;
use crate::cache::{Cache, RateLimiter, Ticket};
use crate::config::Live;
use crate::domain::{Email, Error, Result, client_network};

/// One account may be tried from all addresses together, and all accounts from one address, this many times as often.
const ALONE: u32 = 5;

/// Counts failed attempts over a sliding window. A stranger's count by address and account together, and by each alone;
/// those of a client that has signed in to the account before count by that client and the account, and by nothing else.
#[derive(Clone)]
pub struct LoginLimits {
    limiter: RateLimiter,
    registrations: RateLimiter,
    config: Live,
}

/// An attempt under way: it counts as failed, also while others are under way, until it is said to have succeeded.
#[must_use]
pub struct Attempt {
    limiter: RateLimiter,
    counted: Vec<(String, Ticket)>,
}

impl LoginLimits {
    /// At most `rate_limits.login` failures on one account from one address within `rate_limits.window`.
    pub fn new(cache: &Cache, config: Live) -> Self {
        Self { limiter: cache.rate_limiter("login"), registrations: cache.rate_limiter("register"), config }
    }

    /// Begins an attempt; `rate-limited` when it is one too many. `device` is one that belongs to the account.
    pub async fn begin(&self, caller: &Caller, email: &Email, device: Option<Device>) -> Result<Attempt> {
        let account = hex::encode(Sha256::digest(email.as_str()));
        let address = network(caller);
        let config = self.config.get();
        let (most, window) = (config.rate_limits.login, config.rate_limits.window);
        let alone = most.saturating_mul(ALONE);
        let counters = match device {
            Some(device) => vec![(format!("device:{}:{account}", device.id), most)],
            None => vec![
                (format!("{address}:{account}"), most),
                (format!("account:{account}"), alone),
                (format!("address:{address}"), alone),
            ],
        };
        let mut attempt = Attempt { limiter: self.limiter.clone(), counted: Vec::new() };
        for (counter, limit) in counters {
            let (decision, ticket) = self.limiter.take(&counter, limit, window).await?;
            if !decision.allowed {
                // What is refused here is counted nowhere.
                attempt.uncount().await;
                return Err(Error::rate_limited("attempts to sign in", decision.reset_after));
            }
            attempt.counted.push((counter, ticket));
        }
        Ok(attempt)
    }

    /// Counts an attempt to register, whatever comes of it: its answer tells whether an address is registered.
    pub async fn register(&self, caller: &Caller) -> Result<()> {
        let limits = self.config.get().rate_limits.clone();
        let decision = self.registrations.check(&network(caller), limits.registrations, limits.window).await?;
        match decision.allowed {
            true => Ok(()),
            false => Err(Error::rate_limited("attempts to register", decision.reset_after)),
        }
    }
}

impl Attempt {
    /// Takes the attempt back: it has not failed.
    pub async fn uncount(self) {
        for (counter, ticket) in self.counted {
            if let Err(error) = self.limiter.give_back(&counter, &ticket).await {
                tracing::warn!(cause = %error, "attempt_not_taken_back");
            }
        }
    }
}

fn network(caller: &Caller) -> String {
    caller.address.map_or_else(|| "unknown".to_owned(), |address| client_network(address).to_string())
}
