//! How long a request may take until its answer begins (`server.request_timeout`).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use super::refusal;
use crate::domain::{Code, Error};
use crate::http::AppState;

/// Answers 504 when the time is over; what the request was doing is dropped.
pub(super) async fn limit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let timeout = state.settings.live.get().server.request_timeout;
    let path = request.uri().path().to_owned();
    match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!("the request took longer than {} s, and was given up", timeout.as_secs_f64());
            refusal::at(&path, Error::new(Code::Timeout, message), StatusCode::GATEWAY_TIMEOUT)
        }
    }
}
