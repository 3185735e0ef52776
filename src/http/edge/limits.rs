//! How many requests one caller may send to one REST route: a sliding window by user, or by address for others.
//!
//! Open when the cache does not answer: reading goes on without it. Signing in has a limit of its own, which is closed.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::ClientAddress;
use crate::cache::RateDecision;
use crate::domain::{Code, Error};
use crate::http::{AppState, RestError, SignedIn};

/// Counts the request and lets it pass or answers 429; both tell what is left (`X-RateLimit-*`).
pub(in crate::http) async fn limit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let config = state.settings.live.get();
    let limits = &config.rate_limits;
    if !limits.enabled {
        return next.run(request).await;
    }
    let (caller, most) = caller(&request, limits.per_user, limits.per_address);
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    let counter = format!("{caller}:{}:{route}", request.method());
    let decision = match state.app.cache.rate_limiter("http").check(&counter, most, limits.window).await {
        Ok(decision) => decision,
        Err(error) => {
            tracing::warn!(cause = %error, "rate_limit_not_counted");
            return next.run(request).await;
        }
    };
    let mut response = if decision.allowed { next.run(request).await } else { refuse(&decision) };
    tell(&decision, response.headers_mut());
    response
}

fn caller(request: &Request, per_user: u32, per_address: u32) -> (String, u32) {
    let extensions = request.extensions();
    match extensions.get::<SignedIn>().and_then(|signed_in| signed_in.actor.user_id()) {
        Some(user) => (format!("user:{user}"), per_user),
        None => {
            let address = extensions.get::<ClientAddress>().and_then(|address| address.0);
            (format!("address:{}", address.map_or_else(|| "unknown".to_owned(), |one| one.to_string())), per_address)
        }
    }
}

fn refuse(decision: &RateDecision) -> Response {
    let seconds = seconds(decision);
    let message = format!("too many requests; try again in {seconds} seconds");
    let mut response = RestError::from(Error::new(Code::RateLimited, message)).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn tell(decision: &RateDecision, headers: &mut HeaderMap) {
    for (name, value) in [
        ("x-ratelimit-limit", u64::from(decision.limit)),
        ("x-ratelimit-remaining", u64::from(decision.remaining)),
        ("x-ratelimit-reset", seconds(decision)),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

/// Until one more request may pass; rounded up.
fn seconds(decision: &RateDecision) -> u64 {
    decision.reset_after.as_secs() + u64::from(decision.reset_after.subsec_nanos() > 0)
}
