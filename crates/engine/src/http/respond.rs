//! HTTP responses in Hasura's shapes.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

use crate::error::GraphqlError;

/// A JSON response.
pub(crate) fn json(status: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// An error of the metadata, query and REST endpoints.
pub(crate) fn api_error(error: &GraphqlError, internal: bool) -> Response {
    let body = crate::json::write(&error.to_api_body(internal));
    with_refusal(json(error.http_status(), body), error)
}

/// Adds what tells a client that asks too often how long to wait, by the limit that refused it.
pub(crate) fn with_refusal(mut response: Response, error: &GraphqlError) -> Response {
    if let Some(refusal) = &error.refusal {
        let headers = response.headers_mut();
        for (name, value) in [
            ("retry-after", refusal.seconds()),
            ("x-ratelimit-limit", u64::from(refusal.limit)),
            ("x-ratelimit-remaining", 0),
            ("x-ratelimit-reset", refusal.seconds()),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
    }
    response
}

/// A value with status 200.
pub(crate) fn value(value: &Value) -> Response {
    json(200, crate::json::write(value))
}

/// Plain text.
pub(crate) fn text(status: u16, body: &'static str) -> Response {
    let mut response = json(status, body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Adds the cookies that webhooks set.
pub(crate) fn with_cookies(mut response: Response, cookies: &[String]) -> Response {
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}
