//! Which other sites' pages may call the API.

use axum::http::{HeaderName, Method, header};
use tower_http::cors::{AllowCredentials, AllowOrigin, CorsLayer};

use crate::config::Live;

/// A layer for the listed origins (`server.cors_origins`); `*` admits all, without credentials.
pub(super) fn layer(live: &Live) -> CorsLayer {
    let (origins, credentials) = (live.clone(), live.clone());
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| {
            origin.to_str().is_ok_and(|origin| origins.get().server.lists_origin(origin))
        }))
        // Judged by the origin too: the list may change between the two questions.
        .allow_credentials(AllowCredentials::predicate(move |origin, _| {
            let server = &credentials.get().server;
            !server.lists_every_origin() && origin.to_str().is_ok_and(|origin| server.lists_origin(origin))
        }))
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
        .max_age(std::time::Duration::from_secs(600))
}
