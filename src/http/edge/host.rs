//! DNS rebinding: a page whose own name was made to lead here may not ask as if it were one of ours.

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::domain::Error;
use crate::http::{AppState, RestError, router};

/// Refuses a request for a host that is none of the service's (`server.hosts`) with 421 (RFC 9110, 15.5.20).
pub(super) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    // Hasura calls the service by whatever name its network has for it, and shows the secret.
    let admitted = match named(&request) {
        Named::Nothing => true,
        Named::Host(host) => state.settings.live.get().server.answers_to(&host),
        Named::Unreadable => false,
    } || router::has_action_secret(&state, request.headers());
    if admitted {
        return next.run(request).await;
    }
    let message = "the service does not answer under that host name; add it to server.hosts if it is yours";
    RestError::with_status(Error::invalid("host", message), StatusCode::MISDIRECTED_REQUEST).into_response()
}

enum Named {
    /// No host: no browser's request.
    Nothing,
    Host(String),
    Unreadable,
}

/// HTTP/2 has the host in the URI instead of a header; where both are there, either could be believed behind us.
fn named(request: &Request) -> Named {
    let in_uri = request.uri().authority().map(|authority| authority.host().to_owned());
    let headers: Vec<&HeaderValue> = request.headers().get_all(HOST).iter().collect();
    let in_header = match headers.as_slice() {
        [] => None,
        [one] => match one.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) {
            Some(authority) => Some(authority.host().to_owned()),
            None => return Named::Unreadable,
        },
        _ => return Named::Unreadable,
    };
    match (in_uri, in_header) {
        (Some(one), Some(other)) if !one.eq_ignore_ascii_case(&other) => Named::Unreadable,
        (Some(host), _) | (None, Some(host)) => Named::Host(host),
        (None, None) => Named::Nothing,
    }
}
