//! `api_limits.rate_limit`: how many operations a minute a role may ask for.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use axum::http::{HeaderMap, HeaderName};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::engine::error::{ErrorCode, GraphqlError, Result};
use crate::engine::metadata::{ApiLimits, RateLimit, UniqueParams};
use crate::engine::session::Session;

/// After so many checks, callers who have not come for a minute are forgotten.
const FORGET_AFTER: usize = 10_000;

/// The limits in force, with what each caller has used.
pub struct Rates {
    limits: ArcSwap<Limits>,
    checks: AtomicUsize,
    /// The header in which what stands before the engine tells the client's address.
    address_header: Option<HeaderName>,
}

#[derive(Default)]
struct Limits {
    global: Option<Arc<Limiter>>,
    per_role: HashMap<String, Arc<Limiter>>,
}

struct Limiter {
    limit: RateLimit,
    /// None when nothing at all is allowed.
    keyed: Option<DefaultKeyedRateLimiter<String>>,
}

impl Limiter {
    fn new(limit: &RateLimit) -> Self {
        let most = u32::try_from(limit.max_reqs_per_min).unwrap_or(u32::MAX);
        let keyed = NonZeroU32::new(most).map(|most| RateLimiter::keyed(Quota::per_minute(most)));
        Self { limit: limit.clone(), keyed }
    }
}

impl Rates {
    /// No limits yet.
    pub fn new(address_header: Option<HeaderName>) -> Self {
        Self { limits: ArcSwap::default(), checks: AtomicUsize::new(0), address_header }
    }

    /// Holds callers to these limits from now on. What was used of a limit that stays the same counts on.
    pub fn follow(&self, limits: &ApiLimits) {
        let old = self.limits.load_full();
        let limiter = |limit: &RateLimit, old: Option<&Arc<Limiter>>| match old {
            Some(old) if old.limit == *limit => old.clone(),
            _ => Arc::new(Limiter::new(limit)),
        };
        let new = match limits.rate_limit.as_ref().filter(|_| !limits.disabled) {
            None => Limits::default(),
            Some(given) => Limits {
                global: Some(limiter(&given.global, old.global.as_ref())),
                per_role: given
                    .per_role
                    .iter()
                    .map(|(role, limit)| (role.clone(), limiter(limit, old.per_role.get(role))))
                    .collect(),
            },
        };
        self.limits.store(Arc::new(new));
    }

    /// Counts an operation.
    ///
    /// # Errors
    /// [`ErrorCode::ExceededRateLimit`].
    pub fn check(&self, session: &Session, headers: &HeaderMap) -> Result<()> {
        let limits = self.limits.load();
        let Some(limiter) = limits.per_role.get(session.role()).or(limits.global.as_ref()) else { return Ok(()) };
        if session.is_admin() {
            return Ok(());
        }
        if let Some(keyed) = &limiter.keyed {
            if self.checks.fetch_add(1, Ordering::Relaxed) % FORGET_AFTER == FORGET_AFTER - 1 {
                keyed.retain_recent();
            }
            if keyed.check_key(&self.key(&limiter.limit, session, headers)).is_ok() {
                return Ok(());
            }
        }
        let message = format!("rate limit exceeded: at most {} requests a minute", limiter.limit.max_reqs_per_min);
        Err(GraphqlError::new(ErrorCode::ExceededRateLimit, message))
    }

    /// What tells callers apart: the role, and what the limit names.
    fn key(&self, limit: &RateLimit, session: &Session, headers: &HeaderMap) -> String {
        let mut key = session.role().to_owned();
        let mut add = |part: Option<&str>| {
            key.push('\n');
            key.push_str(part.unwrap_or_default());
        };
        match &limit.unique_params {
            None => {}
            Some(UniqueParams::Ip(_)) => add(self.address(headers)),
            Some(UniqueParams::Variables(names)) => names.iter().for_each(|name| add(session.variable(name))),
        }
        key
    }

    /// The client's address: as the service tells it, else as Hasura finds it.
    fn address<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
        match &self.address_header {
            Some(name) => text(name),
            None => text(&HeaderName::from_static("x-real-ip"))
                .or_else(|| text(&HeaderName::from_static("x-forwarded-for"))?.split(',').next().map(str::trim)),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::{Value, json};

    use super::*;

    fn rates(limit: Value) -> Rates {
        let rates = Rates::new(None);
        rates.follow(&serde_json::from_value(json!({"rate_limit": limit})).unwrap());
        rates
    }

    fn allowed(rates: &Rates, role: &str, user: &str, address: &'static str) -> bool {
        let session = Session::new(role, [("x-hasura-user-id", user)]);
        let headers = [(HeaderName::from_static("x-real-ip"), HeaderValue::from_static(address))].into_iter().collect();
        match rates.check(&session, &headers) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!((error.code.as_str(), error.http_status()), ("rate-limit-exceeded", 429));
                false
            }
        }
    }

    fn count(rates: &Rates, role: &str, user: &str, address: &'static str) -> usize {
        (0..20).filter(|_| allowed(rates, role, user, address)).count()
    }

    #[test]
    fn a_role_has_its_own_limit_or_the_global_one_and_admin_none() {
        let rates = rates(json!({"global": {"max_reqs_per_min": 3}, "per_role": {"user": {"max_reqs_per_min": 5}}}));
        assert_eq!(count(&rates, "user", "1", "a"), 5);
        assert_eq!(count(&rates, "user", "2", "b"), 0, "users of a role share it");
        assert_eq!(count(&rates, "guest", "1", "a"), 3);
        assert_eq!(count(&rates, "other", "1", "a"), 3, "each role has the global limit for itself");
        assert_eq!(count(&rates, "admin", "1", "a"), 20);
    }

    #[test]
    fn callers_are_told_apart_by_address_or_session_variables() {
        let by_address = rates(json!({"global": {"max_reqs_per_min": 2, "unique_params": "IP"}}));
        assert_eq!(count(&by_address, "user", "1", "10.0.0.1"), 2);
        assert_eq!(count(&by_address, "user", "2", "10.0.0.1"), 0);
        assert_eq!(count(&by_address, "user", "1", "10.0.0.2"), 2);
        let by_user = rates(json!({"global": {"max_reqs_per_min": 2, "unique_params": ["X-Hasura-User-Id"]}}));
        assert_eq!(count(&by_user, "user", "1", "10.0.0.1"), 2);
        assert_eq!(count(&by_user, "user", "1", "10.0.0.2"), 0);
        assert_eq!(count(&by_user, "user", "2", "10.0.0.1"), 2);
    }

    #[test]
    fn a_limit_that_stays_counts_on_and_one_that_changes_begins_anew() {
        let limits = |most: u32, disabled: bool| {
            serde_json::from_value(json!({"disabled": disabled, "rate_limit": {"global": {"max_reqs_per_min": most}}}))
                .unwrap()
        };
        let rates = Rates::new(None);
        rates.follow(&limits(2, false));
        assert_eq!(count(&rates, "user", "1", "a"), 2);
        rates.follow(&limits(2, false));
        assert_eq!(count(&rates, "user", "1", "a"), 0);
        rates.follow(&limits(3, false));
        assert_eq!(count(&rates, "user", "1", "a"), 3);
        rates.follow(&limits(3, true));
        assert_eq!(count(&rates, "user", "1", "a"), 20);
        rates.follow(&limits(0, false));
        assert_eq!(count(&rates, "user", "1", "a"), 0);
    }
}
