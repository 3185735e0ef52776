//! Is it alive, is it ready, and the metrics of it.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::AppState;

/// What `/health/ready` says once a proxy's header was ignored.
const PROXY_IGNORED: &str = "a request carried X-Forwarded-For or Forwarded, which is ignored: name your proxies in \
                             server.trusted_proxies, or all of their clients share one limit of attempts to sign in";

/// `GET /health`: the process answers.
pub async fn health() -> Json<Value> {
    let timestamp = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    Json(json!({ "status": "ok", "timestamp": timestamp }))
}

/// `GET /health/live`: the process need not be restarted.
pub async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /health/ready`: every system that requests need answers; 503 with the ones that do not. `warnings` tell what
/// an operator should set.
pub async fn ready(State(state): State<AppState>) -> Response {
    let checks = state.app.readiness().await;
    let ready = checks.iter().all(|check| check.healthy);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({
        "status": if ready { "ok" } else { "unavailable" },
        "checks": checks.iter().map(|check| json!({
            "name": check.name,
            "status": if check.healthy { "ok" } else { "unavailable" },
            "milliseconds": check.milliseconds,
        })).collect::<Vec<_>>(),
    });
    if state.proxy_ignored.load(Ordering::Relaxed) {
        body["warnings"] = json!([PROXY_IGNORED]);
    }
    (status, Json(body)).into_response()
}

/// `GET /metrics`: Prometheus text format.
pub async fn metrics(State(state): State<AppState>) -> Response {
    match &state.metrics {
        Some(handle) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `GET /.well-known/jwks.json`: the keys that verify our access tokens (RFC 7517).
pub async fn jwks(State(state): State<AppState>) -> Response {
    ([(CACHE_CONTROL, "public, max-age=300")], Json(state.app.tokens.jwks())).into_response()
}
