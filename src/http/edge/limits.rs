//! How many requests one caller may send to one route: a sliding window by user, or by address for others, those whose
//! credentials are wrong among them.
//!
//! Open when the cache does not answer: reading goes on without it. Signing in has a limit of its own, which is closed.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::address::KnownDevice;
use super::{ClientAddress, refusal};
use crate::cache::RateDecision;
use crate::domain::{Code, Error, client_network};
use crate::http::{AppState, SignedIn};

const LIMIT: &str = "x-ratelimit-limit";
const REMAINING: &str = "x-ratelimit-remaining";
const RESET: &str = "x-ratelimit-reset";

/// The headers that tell of a limit.
pub(super) const RATE_LIMIT_HEADERS: [&str; 3] = [LIMIT, REMAINING, RESET];

/// Marks a request that is not counted.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Unlimited;

/// Counts the request and lets it pass or answers 429; both tell what is left (`X-RateLimit-*`).
pub(in crate::http) async fn limit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let counting = decide(&state, &request);
    let Some(decision) = counting.await else { return next.run(request).await };
    if !decision.allowed {
        return refuse(&decision, request.uri().path());
    }
    let mut response = next.run(request).await;
    let refused = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    match refused {
        false => tell(&decision, headers),
        // Another limit refuses, and says what it allows where it can: here nothing is left of it.
        true => {
            headers.insert(HeaderName::from_static(REMAINING), HeaderValue::from(0));
            if let Some(wait) = headers.get(header::RETRY_AFTER).cloned() {
                headers.entry(HeaderName::from_static(RESET)).or_insert(wait);
            }
        }
    }
    response
}

/// Counts a request whose credentials are wrong; answers 429 when there were too many from its address.
pub(in crate::http) fn unwelcome(
    state: &AppState,
    request: &Request,
) -> impl Future<Output = Option<Response>> + use<> {
    let (counting, path) = (decide(state, request), request.uri().path().to_owned());
    async move {
        let decision = counting.await.filter(|decision| !decision.allowed)?;
        Some(refuse(&decision, &path))
    }
}

/// Counts the request; nothing where nothing is counted. (What is awaited holds nothing of the request, whose body is
/// for one thread.)
fn decide(state: &AppState, request: &Request) -> impl Future<Output = Option<RateDecision>> + use<> {
    let limits = state.settings.live.get().rate_limits.clone();
    let counted = limits.enabled && request.extensions().get::<Unlimited>().is_none();
    let (caller, most) = caller(request, limits.per_user, limits.per_address);
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    let counter = format!("{caller}:{}:{route}", request.method());
    let limiter = state.app.cache.rate_limiter("http");
    async move {
        if !counted {
            return None;
        }
        match limiter.check(&counter, most, limits.window).await {
            Ok(decision) => Some(decision),
            Err(error) => {
                tracing::warn!(cause = %error, "rate_limit_not_counted");
                None
            }
        }
    }
}

fn caller(request: &Request, per_user: u32, per_address: u32) -> (String, u32) {
    let extensions = request.extensions();
    if let Some(user) = extensions.get::<SignedIn>().and_then(|signed_in| signed_in.actor.user_id()) {
        return (format!("user:{user}"), per_user);
    }
    // By the account and not by the cookie: whoever has one account gets as many cookies as they like.
    if let Some(KnownDevice(user)) = extensions.get() {
        return (format!("device:{user}"), per_address);
    }
    let address = extensions.get::<ClientAddress>().and_then(|address| address.0);
    let network = address.map_or_else(|| "unknown".to_owned(), |one| client_network(one).to_string());
    (format!("address:{network}"), per_address)
}

fn refuse(decision: &RateDecision, path: &str) -> Response {
    let seconds = seconds(decision);
    let message = format!("too many requests; try again in {seconds} seconds");
    let mut response = refusal::at(path, Error::new(Code::RateLimited, message), StatusCode::TOO_MANY_REQUESTS);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    tell(decision, response.headers_mut());
    response
}

fn tell(decision: &RateDecision, headers: &mut HeaderMap) {
    for (name, value) in
        [(LIMIT, u64::from(decision.limit)), (REMAINING, u64::from(decision.remaining)), (RESET, seconds(decision))]
    {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

/// Until one more request may pass; rounded up.
fn seconds(decision: &RateDecision) -> u64 {
    decision.reset_after.as_secs() + u64::from(decision.reset_after.subsec_nanos() > 0)
}
