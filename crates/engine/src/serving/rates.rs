//! How many operations callers may ask for: `api_limits.rate_limit` by role, and the service's own limits.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use axum::http::{HeaderMap, HeaderName};
use serde_json::json;

use crate::auth::Identity;
use crate::error::{ErrorCode, GraphqlError, Refusal, Result};
use crate::metadata::{ApiLimits, RateLimit, UniqueParams};
use crate::session::Session;

use super::windows::Windows;

/// After so many checks, callers who have not come for a minute are forgotten.
const FORGET_AFTER: usize = 10_000;

/// The limits in force, with what each caller has used.
pub struct Rates {
    limits: ArcSwap<Limits>,
    checks: AtomicUsize,
    /// The header in which what stands before the engine tells the client's address.
    address_header: Option<HeaderName>,
    /// The header in which it tells of a client that it knows.
    device_header: Option<HeaderName>,
    own: Option<RateSource>,
    counted: ArcSwapOption<Own>,
}

/// How many operations one caller may ask for within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationRates {
    /// The window.
    pub window: Duration,
    /// Of a user, who is told by `x-hasura-user-id`.
    pub per_user: u32,
    /// Of an address without one.
    pub per_address: u32,
}

/// Tells the limits that are in force; none for no limits.
pub type RateSource = Arc<dyn Fn() -> Option<OperationRates> + Send + Sync>;

/// What callers have used of the service's own limits.
struct Own {
    rates: OperationRates,
    users: Windows,
    addresses: Windows,
}

impl Own {
    fn new(rates: OperationRates, now: Instant) -> Self {
        let windows = |most: u32| Windows::new(most, rates.window, now);
        Self { rates, users: windows(rates.per_user), addresses: windows(rates.per_address) }
    }
}

/// What tells one caller from another: the user, else the role and the address.
pub(super) fn caller(session: &Session, address: Option<&str>) -> String {
    match session.variable(USER) {
        Some(user) => user.to_owned(),
        None => format!("{}\n{}", session.role(), address.map(network).unwrap_or_default()),
    }
}

/// An IPv6 client has a /64 to itself, and counts as one.
fn network(address: &str) -> String {
    match address.parse().map(|address: IpAddr| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).to_string(),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}

const USER: &str = "x-hasura-user-id";

#[derive(Default)]
struct Limits {
    global: Option<Arc<Limiter>>,
    per_role: HashMap<String, Arc<Limiter>>,
}

struct Limiter {
    limit: RateLimit,
    most: u32,
    used: Windows,
}

/// The window of the metadata's limits.
const MINUTE: Duration = Duration::from_secs(60);

impl Limiter {
    fn new(limit: &RateLimit) -> Self {
        let most = u32::try_from(limit.max_reqs_per_min).unwrap_or(u32::MAX);
        Self { limit: limit.clone(), most, used: Windows::new(most, MINUTE, Instant::now()) }
    }
}

impl Rates {
    /// No limits yet.
    pub fn new(address_header: Option<HeaderName>, own: Option<RateSource>) -> Self {
        let (limits, checks, counted) = (ArcSwap::default(), AtomicUsize::new(0), ArcSwapOption::empty());
        Self { limits, checks, address_header, device_header: None, own, counted }
    }

    /// The same, where what stands before the engine knows clients.
    pub fn knowing_devices_by(self, device_header: Option<HeaderName>) -> Self {
        Self { device_header, ..self }
    }

    /// Counts an operation of who asks against all limits.
    ///
    /// # Errors
    /// [`ErrorCode::ExceededRateLimit`].
    pub fn admit(&self, identity: &Identity, headers: &HeaderMap) -> Result<()> {
        self.admit_at(identity, headers, Instant::now())
    }

    fn admit_at(&self, identity: &Identity, headers: &HeaderMap, now: Instant) -> Result<()> {
        let session = &identity.session;
        self.check(session, headers)?;
        let rates =
            self.own.as_ref().filter(|_| !session.is_admin() && !identity.by_admin_secret).and_then(|own| own());
        let Some(rates) = rates else { return Ok(()) };
        let counted = match self.counted.load_full() {
            Some(counted) if counted.rates == rates => counted,
            _ => {
                let new = Arc::new(Own::new(rates, now));
                self.counted.store(Some(new.clone()));
                new
            }
        };
        let (used, limit) = match session.variable(USER) {
            Some(_) => (&counted.users, rates.per_user),
            None => (&counted.addresses, rates.per_address),
        };
        let taken = self.take(used, &caller(session, self.origin(headers)), now);
        taken.map_err(|reset_after| {
            let window = rates.window.as_secs_f64();
            let message = format!("rate limit exceeded: at most {limit} operations in {window} s");
            let refusal = Refusal { limit, reset_after };
            let error = GraphqlError::new(ErrorCode::ExceededRateLimit, message).refused_until(refusal);
            // A socket has no headers that could tell it. Refusals by `api_limits` stay word for word as Hasura's.
            let told = json!({"path": error.path, "code": error.code.as_str(), "retryAfter": refusal.seconds()});
            GraphqlError { extensions: Some(told), ..error }
        })
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
        let taken = self.take(&limiter.used, &self.key(&limiter.limit, session, headers), Instant::now());
        taken.map_err(|reset_after| {
            let limit = limiter.most;
            let message = format!("rate limit exceeded: at most {limit} requests a minute");
            GraphqlError::new(ErrorCode::ExceededRateLimit, message).refused_until(Refusal { limit, reset_after })
        })
    }

    /// Counts one of a caller's; forgets now and then who stays away.
    fn take(&self, used: &Windows, caller: &str, now: Instant) -> Result<(), Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % FORGET_AFTER == FORGET_AFTER - 1 {
            used.forget(now);
        }
        used.take(caller, now)
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

    /// What tells one client without a user from another: that it is known, else its address.
    pub fn origin<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let device = self.device_header.as_ref().and_then(|name| headers.get(name)?.to_str().ok());
        device.or_else(|| self.address(headers))
    }

    /// The client's address: as the service tells it, else as Hasura finds it.
    pub fn address<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
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
        let rates = Rates::new(None, None);
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
    fn the_services_own_limits_are_by_user_and_by_address_and_may_change() {
        let most = Arc::new(AtomicUsize::new(3));
        let told = most.clone();
        let source: RateSource = Arc::new(move || {
            let per_user = u32::try_from(told.load(Ordering::Relaxed)).ok().filter(|most| *most > 0)?;
            Some(OperationRates { window: Duration::from_secs(60), per_user, per_address: 2 })
        });
        let rates = Rates::new(None, Some(source));
        let count = |user: Option<&str>, address: &'static str, by_admin_secret: bool| {
            let session = Session::new("user", user.map(|user| ("x-hasura-user-id", user)));
            let identity = Identity { session, expires_at: None, by_admin_secret };
            let headers: HeaderMap =
                [(HeaderName::from_static("x-real-ip"), HeaderValue::from_static(address))].into_iter().collect();
            (0..20).filter(|_| rates.admit(&identity, &headers).is_ok()).count()
        };
        assert_eq!(
            (count(Some("1"), "a", false), count(Some("1"), "b", false), count(Some("2"), "a", false)),
            (3, 0, 3)
        );
        assert_eq!((count(None, "a", false), count(None, "a", false), count(None, "b", false)), (2, 0, 2));
        let (one, other) = ("2001:db8::1", "2001:db8::ffff:2");
        assert_eq!((count(None, one, false), count(None, other, false)), (2, 0), "one /64");
        assert_eq!(count(Some("1"), "a", true), 20, "who shows the admin secret");
        most.store(5, Ordering::Relaxed);
        assert_eq!(count(Some("1"), "a", false), 5);
        most.store(0, Ordering::Relaxed);
        assert_eq!(count(Some("1"), "a", false), 20, "no limits");
    }

    #[test]
    fn of_a_steady_stream_no_more_than_the_limit_passes_within_the_window() {
        let source: RateSource =
            Arc::new(|| Some(OperationRates { window: Duration::from_secs(60), per_user: 1_000, per_address: 2 }));
        let (rates, begun) = (Rates::new(None, Some(source)), Instant::now());
        let session = Session::new("user", [("x-hasura-user-id", "1")]);
        let identity = Identity { session, expires_at: None, by_admin_secret: false };
        let ask = |milliseconds: u64| {
            rates.admit_at(&identity, &HeaderMap::new(), begun + Duration::from_millis(milliseconds))
        };
        assert_eq!((0..2_000).filter(|step| ask(step * 29).is_ok()).count(), 1_000);
        let refused = ask(58_000).unwrap_err();
        let refusal = refused.refusal.unwrap();
        // The first slot of 937.5 ms has left the window 60.9375 s after the beginning.
        assert_eq!((refusal.limit, refusal.reset_after), (1_000, Duration::from_nanos(2_937_500_000)));
        assert_eq!(refused.to_graphql(false)["extensions"]["retryAfter"], 3);
        assert!(ask(60_937).is_err() && ask(60_938).is_ok());
    }

    #[test]
    fn a_client_that_is_known_is_not_counted_with_its_address() {
        let window = Duration::from_secs(60);
        let source: RateSource = Arc::new(move || Some(OperationRates { window, per_user: 9, per_address: 2 }));
        let device = HeaderName::from_static("x-device");
        let rates = Rates::new(None, Some(source)).knowing_devices_by(Some(device.clone()));
        let count = |known: Option<&'static str>| {
            let identity = Identity {
                session: Session::new("anonymous", None::<(&str, &str)>),
                expires_at: None,
                by_admin_secret: false,
            };
            let mut headers = HeaderMap::new();
            headers.insert("x-real-ip", HeaderValue::from_static("10.0.0.1"));
            if let Some(known) = known {
                headers.insert(device.clone(), HeaderValue::from_static(known));
            }
            (0..5).filter(|_| rates.admit(&identity, &headers).is_ok()).count()
        };
        assert_eq!((count(None), count(Some("ada")), count(Some("ada")), count(Some("bob"))), (2, 2, 0, 2));
    }

    #[test]
    fn a_limit_that_stays_counts_on_and_one_that_changes_begins_anew() {
        let limits = |most: u32, disabled: bool| {
            serde_json::from_value(json!({"disabled": disabled, "rate_limit": {"global": {"max_reqs_per_min": most}}}))
                .unwrap()
        };
        let rates = Rates::new(None, None);
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
