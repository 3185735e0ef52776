//! Responses: JSON bodies with the headers of an API server.

use axum::body::Body;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, USER_AGENT, WARNING};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::kubernetes::json::at;
use crate::kubernetes::kinds::KindId;
use crate::kubernetes::status::ApiError;

/// In which form the client wants objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    Table,
}

/// What of a request shapes its response.
pub(super) struct Respond {
    pub(super) form: Form,
    pub(super) agent: Option<String>,
    accept: String,
    yaml: bool,
}

impl Respond {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
        let accept = text(ACCEPT).unwrap_or_default();
        let first = accept.split(',').next().unwrap_or_default();
        let form = if first.contains("as=Table") {
            Form::Table
        } else if first.contains("as=PartialObjectMetadata") {
            Form::Metadata
        } else {
            Form::Whole
        };
        let yaml = first.trim() == "application/yaml";
        Self { form, agent: text(USER_AGENT), accept, yaml }
    }

    /// 406 when the client accepts nothing that the server can give.
    pub(super) fn acceptable(&self) -> Result<(), ApiError> {
        let good = self.accept.is_empty()
            || self.accept.split(',').any(|one| {
                let media = one.split(';').next().unwrap_or_default().trim();
                matches!(
                    media,
                    "application/json"
                        | "application/yaml"
                        | "application/vnd.kubernetes.protobuf"
                        | "*/*"
                        | "application/*"
                        | "application/cbor"
                )
            });
        if good {
            return Ok(());
        }
        Err(ApiError::new(
            406,
            "NotAcceptable",
            "only the following media types are accepted: application/json, application/yaml, \
             application/vnd.kubernetes.protobuf, application/cbor",
        ))
    }

    /// An object, in the form that was asked for.
    pub(super) fn object(&self, code: u16, kind: KindId, object: &Value) -> Response {
        match self.form {
            Form::Whole => self.json(code, object),
            Form::Metadata => self.json(code, &partial(object)),
            Form::Table => self.json(code, &super::table::of(kind, &[object], at(object, "/metadata/resourceVersion"))),
        }
    }

    /// The object with warnings about its request.
    pub(super) fn warned(&self, code: u16, kind: KindId, object: &Value, warnings: &[String]) -> Response {
        with_warnings(self.object(code, kind, object), warnings)
    }

    /// Any JSON.
    pub(super) fn json(&self, code: u16, body: &Value) -> Response {
        if self.yaml
            && let Ok(text) = serde_norway::to_string(body)
        {
            return with(code, "application/yaml", text);
        }
        with(code, "application/json", format!("{body}\n"))
    }

    /// An error.
    pub(super) fn error(&self, error: &ApiError) -> Response {
        let mut response = if error.plain {
            with(error.code, "text/plain; charset=utf-8", error.message.clone())
        } else {
            with(error.code, "application/json", format!("{}\n", error.body()))
        };
        if let Some(seconds) = error.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The response with a `Warning` header for each warning.
pub(super) fn with_warnings(mut response: Response, warnings: &[String]) -> Response {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(WARNING, value);
        }
    }
    response
}

/// A response with a body and the headers that every response of an API server has.
pub(super) fn with(code: u16, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
        headers.insert("audit-id", id);
    }
    response
}

/// The `PartialObjectMetadata` of an object.
pub(super) fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": at(object, "/metadata"),
    })
}
