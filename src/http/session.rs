//! Tokens of sessions that have ended: refused by our own routes, and in front of the GraphQL engine, which knows tokens
//! and no sessions.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

use super::{AppState, SignedIn, extract};
use crate::app::App;
use crate::domain::{Code, Error, Result};
use crate::engine::serving::Admission;

/// How often what stays open is looked at again.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// The sessions, for the engine's sockets.
pub struct Sessions(pub Arc<App>);

impl Admission for Sessions {
    fn holds<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, bool> {
        is_open(&self.0, headers).boxed()
    }
}

/// Whom the bearer token names, if its session has not ended.
pub(super) async fn bearer(state: &AppState, parts: &Parts) -> Result<SignedIn> {
    let signed_in = extract::bearer(state, parts)?;
    if is_open(&state.app, &parts.headers).await {
        return Ok(signed_in);
    }
    Err(Error::new(Code::InvalidToken, "the session has ended; sign in again"))
}

/// Whether no token of ours is shown whose session has ended.
async fn is_open(app: &App, headers: &HeaderMap) -> bool {
    match extract::bearer_token(headers).map(|token| app.tokens.verify(token)) {
        Some(Ok(claims)) => app.session_is_open(&claims).await,
        _ => true,
    }
}

/// Waits until the session has ended whose token is shown.
pub(super) async fn ended(app: &App, headers: &HeaderMap) {
    while is_open(app, headers).await {
        tokio::time::sleep(LOOK).await;
    }
}

/// Refuses a token of ours whose session has ended, as Hasura refuses one that it cannot verify. All else is the engine's
/// to judge: the embedded one asks for its sockets by [`Sessions`].
pub async fn require_open(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !is_open(&state.app, request.headers()).await {
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
