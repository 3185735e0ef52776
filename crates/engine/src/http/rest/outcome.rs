//! What an error of a webhook or remote schema is where an endpoint answers by status.

use axum::http::header::RETRY_AFTER;
use axum::response::Response;
use serde_json::Value;

use crate::error::GraphqlError;
use crate::http::respond;
use crate::json;

/// Codes that say what a status says, whoever uses them.
const STATUSES: [(&str, u16); 11] = [
    ("bad-request", 400),
    ("invalid-input", 400),
    ("unauthenticated", 401),
    ("forbidden", 403),
    ("not-found", 404),
    ("already-exists", 409),
    ("conflict", 409),
    ("rate-limited", 429),
    ("internal", 500),
    ("unavailable", 503),
    ("timeout", 504),
];

/// The answer in a webhook's own words: a remote schema's first error in place of "Errors from remote server", the code of
/// the extensions, and the status for that code where the webhook's answer had none of its own.
pub(super) fn answer(mut error: GraphqlError, internal: bool) -> Response {
    if let Some([first, ..]) = error.answered.as_deref() {
        if let Some(message) = first.get("message").and_then(Value::as_str) {
            error.message = message.to_owned();
        }
        error.extensions = first.get("extensions").cloned();
    }
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code")).and_then(Value::as_str);
    let Some(code) = code else { return respond::api_error(&error, internal) };
    let known = STATUSES.iter().find(|(name, _)| *name == code).map(|(_, status)| *status);
    let status = error.status.or(known).unwrap_or_else(|| error.http_status());
    let mut body = error.to_api_body(internal);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("code".to_owned(), code.into());
        if let Some(field) = error.extensions.as_ref().and_then(|extensions| extensions.get("field")) {
            fields.insert("field".to_owned(), field.clone());
        }
    }
    let mut response = respond::json(status, json::write(&body));
    let wait = error.extensions.as_ref().and_then(|extensions| extensions.get("retryAfter")?.as_u64());
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    respond::with_refusal(response, &error)
}
