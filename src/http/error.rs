//! [`domain::Error`](crate::domain::Error) as the two faces say it: an action's 4xx for Hasura, and the REST envelope.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::domain::{Code, Error};

/// An action's answer.
pub type ActionResult<T> = Result<axum::Json<T>, ActionError>;

/// A REST route's answer.
pub type RestResult<T> = Result<T, RestError>;

/// An error in the form that Hasura passes on to the GraphQL client: 4xx with `message` and `extensions`.
///
/// Faults of ours are 4xx as well: of a 5xx Hasura tells the client nothing, not even the code.
#[derive(Debug)]
pub struct ActionError(pub Error);

impl From<Error> for ActionError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for ActionError {
    fn into_response(self) -> Response {
        log(&self.0);
        let mut extensions = Map::from_iter([("code".to_owned(), Value::from(self.0.code().as_str()))]);
        if let Some(field) = self.0.field() {
            extensions.insert("field".into(), field.into());
        }
        if let Some(wait) = self.0.retry_after() {
            extensions.insert("retryAfter".into(), wait.as_secs().into());
        }
        let status = Some(status(self.0.code())).filter(StatusCode::is_client_error).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(json!({ "message": self.0.message(), "extensions": extensions }))).into_response()
    }
}

/// An error in the REST envelope: `{"success": false, "error": {"code", "message", "details"?}}`.
#[derive(Debug)]
pub struct RestError {
    error: Error,
    status: StatusCode,
}

impl RestError {
    /// The error under a status that its code does not have, such as 413.
    pub fn with_status(error: Error, status: StatusCode) -> Self {
        Self { error, status }
    }
}

impl From<Error> for RestError {
    fn from(error: Error) -> Self {
        Self { status: status(error.code()), error }
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        log(&self.error);
        let mut body = json!({ "code": self.error.code().as_str(), "message": self.error.message() });
        if let Some(field) = self.error.field() {
            body["details"] = json!({ field: self.error.message() });
        }
        let mut response = (self.status, Json(json!({ "success": false, "error": body }))).into_response();
        if let Some(wait) = self.error.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
        }
        response
    }
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Logs the error once, with its causes: faults of ours and of other systems loudly, the caller's own quietly.
pub(super) fn log(error: &Error) {
    match error.code() {
        Code::Internal | Code::Unavailable | Code::Timeout | Code::VendorRejected => {
            tracing::error!(code = error.code().as_str(), cause = error.chain(), "request_failed");
        }
        Code::InvalidInput
        | Code::NotFound
        | Code::AlreadyExists
        | Code::Conflict
        | Code::IllegalTransition
        | Code::StoreLimitReached
        | Code::IdempotencyConflict
        | Code::Unauthenticated
        | Code::InvalidCredentials
        | Code::InvalidToken
        | Code::Forbidden
        | Code::RateLimited => {
            tracing::debug!(code = error.code().as_str(), cause = error.chain(), "request_refused");
        }
    }
}
