//! Tokens of sessions that have ended: refused by our own routes, and in front of the GraphQL engine, which knows tokens
//! and no sessions.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{AppState, SignedIn, extract};
use crate::domain::{Code, Error, Result};

/// Whom the bearer token names, if its session has not ended.
pub(super) async fn bearer(state: &AppState, parts: &Parts) -> Result<SignedIn> {
    let signed_in = extract::bearer(state, parts)?;
    if is_open(state, &parts.headers).await {
        return Ok(signed_in);
    }
    Err(Error::new(Code::InvalidToken, "the session has ended; sign in again"))
}

/// Whether no token of ours is shown whose session has ended.
async fn is_open(state: &AppState, headers: &HeaderMap) -> bool {
    match extract::bearer_token(headers).map(|token| state.app.tokens.verify(token)) {
        Some(Ok(claims)) => state.app.session_is_open(&claims).await,
        _ => true,
    }
}

/// Refuses a token of ours whose session has ended, as Hasura refuses one that it cannot verify. All else is the engine's
/// to judge. A socket is opened once, and its token ends it when it expires.
pub async fn require_open(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !is_open(&state, request.headers()).await {
        let message = "Could not verify JWT: the session has ended";
        if request.uri().path().ends_with("/graphql") {
            let error = json!({ "extensions": { "path": "$", "code": "invalid-jwt" }, "message": message });
            return Json(json!({ "errors": [error] })).into_response();
        }
        let error = json!({ "path": "$", "error": message, "code": "invalid-jwt" });
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    next.run(request).await
}
