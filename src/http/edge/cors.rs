//! Which other sites' pages may call the API.

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// A layer for the listed origins; `*` admits all, without credentials.
pub(super) fn layer(origins: &[String]) -> CorsLayer {
    let all = origins.iter().any(|origin| origin == "*");
    let listed: Vec<HeaderValue> = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(
            [
                "authorization",
                "content-type",
                "x-request-id",
                "x-hasura-role",
                "x-hasura-admin-secret",
                "last-event-id",
            ]
            .map(HeaderName::from_static),
        )
        .expose_headers([
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("x-ratelimit-limit"),
            HeaderName::from_static("x-ratelimit-remaining"),
            HeaderName::from_static("x-ratelimit-reset"),
            header::RETRY_AFTER,
        ])
        .max_age(std::time::Duration::from_secs(600));
    if all {
        layer.allow_origin(AllowOrigin::any())
    } else {
        layer.allow_origin(AllowOrigin::list(listed)).allow_credentials(true)
    }
}
