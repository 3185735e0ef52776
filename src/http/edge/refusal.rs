//! What the edge itself refuses, in the words and the form of whatever stands behind it: GraphQL's errors, Hasura's, an
//! action's, or the REST envelope.

use axum::Json;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::domain::{Code, Error};
use crate::http::error::log;
use crate::http::{ActionError, RestError};

/// An error as the route at `path` answers it.
pub(in crate::http) fn at(path: &str, error: Error, status: StatusCode) -> Response {
    let is = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    let body: Value = if is(&["/v1/graphql", "/v1alpha1/graphql", "/graphql"]) {
        let extensions = json!({"path": "$", "code": error.code().as_str()});
        json!({"errors": [{"message": error.message(), "extensions": extensions}]})
    } else if is(&["/v1/", "/v2/", "/api/rest/", "/api/swagger/"]) {
        json!({"error": error.message(), "path": "$", "code": error.code().as_str()})
    } else if is(&["/actions/"]) {
        // Of another status than 4xx Hasura tells nothing.
        return ActionError(error).into_response();
    } else {
        return RestError::with_status(error, status).into_response();
    };
    log(&error);
    (status, Json(body)).into_response()
}

/// Gives a body that is too large for the service its answer: the layer that counts bytes knows no form.
pub(super) async fn too_large(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let type_of =
        response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE && !type_of.starts_with("application/json") {
        let error = Error::new(Code::InvalidInput, "the request body is larger than this service takes");
        return at(&path, error, StatusCode::PAYLOAD_TOO_LARGE);
    }
    response
}
