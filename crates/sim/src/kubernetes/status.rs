//! The error of the API: a `metav1.Status` body with its HTTP status.
//!
//! Wording follows what a v1.36 API server answers (apimachinery `api/errors`).

use serde_json::{Value, json};

use super::kinds::Kind;

/// A result whose error is a Status body.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// One field at fault in a 422 (`field.Error`).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) field: String,
}

impl Cause {
    /// `field.Required` with its detail.
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self { reason: "FieldValueRequired", message, field: field.into() }
    }

    /// `field.Invalid` with the value as JSON prints it.
    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: impl std::fmt::Display) -> Self {
        Self { reason: "FieldValueInvalid", message: format!("Invalid value: {value}: {detail}"), field: field.into() }
    }

    /// `field.NotSupported` with the supported values in order.
    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|text| format!("{text:?}")).collect();
        Self {
            reason: "FieldValueNotSupported",
            message: format!("Unsupported value: {value}: supported values: {}", supported.join(", ")),
            field: field.into(),
        }
    }

    /// `field.Forbidden`.
    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { reason: "FieldValueForbidden", message: format!("Forbidden: {detail}"), field: field.into() }
    }

    /// `field.Duplicate`.
    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self { reason: "FieldValueDuplicate", message: format!("Duplicate value: {value}"), field: field.into() }
    }

    /// `field.NotFound`.
    pub(crate) fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self { reason: "FieldValueNotFound", message: format!("Not found: {value}"), field: field.into() }
    }

    /// `field.TooLong`.
    pub(crate) fn too_long(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: "FieldValueTooLong", message: message.into(), field: field.into() }
    }
}

/// What the API answers instead of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Option<Value>,
    pub(crate) metadata: Value,
    /// Seconds of a `Retry-After` header.
    pub(crate) retry_after: Option<u64>,
    /// The answer is this plain text and no Status body.
    pub(crate) plain: bool,
}

impl ApiError {
    /// A status of that code, reason and message without details.
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        let (message, metadata) = (message.into(), json!({}));
        Self { code, reason, message, details: None, metadata, retry_after: None, plain: false }
    }

    fn details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// 404 of an object.
    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let mut details = json!({"name": name});
        group(&mut details, kind.group);
        set(&mut details, "kind", kind.plural);
        Self::new(404, "NotFound", format!("{} {name:?} not found", kind.qualified())).details(details)
    }

    /// 404 of a path that no resource serves.
    pub(crate) fn no_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").details(json!({}))
    }

    /// 404 of a path outside the API, in plain text.
    pub(crate) fn no_page() -> Self {
        Self { plain: true, ..Self::new(404, "", "404 page not found\n") }
    }

    /// 405.
    pub(crate) fn method() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .details(json!({}))
    }

    /// 409 of an object that exists.
    pub(crate) fn exists(kind: &Kind, name: &str, deleting: bool) -> Self {
        let mut details = json!({"name": name});
        group(&mut details, kind.group);
        set(&mut details, "kind", kind.plural);
        let prefix = if deleting { "object is being deleted: " } else { "" };
        Self::new(409, "AlreadyExists", format!("{prefix}{} {name:?} already exists", kind.qualified()))
            .details(details)
    }

    /// 409 with a cause in words.
    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let mut details = json!({"name": name});
        group(&mut details, kind.group);
        set(&mut details, "kind", kind.plural);
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.qualified()))
            .details(details)
    }

    /// 409 of a precondition of a deletion, which names the kind and not the resource.
    pub(crate) fn precondition(kind: &Kind, name: &str, why: &str) -> Self {
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.kind))
            .details(json!({"name": name, "kind": kind.kind}))
    }

    /// 409 of a stale resourceVersion.
    pub(crate) fn stale(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// 403 of an admission plugin.
    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let mut details = if name.is_empty() { json!({}) } else { json!({"name": name}) };
        group(&mut details, kind.group);
        set(&mut details, "kind", kind.plural);
        let what = if name.is_empty() { kind.qualified() } else { format!("{} {name:?}", kind.qualified()) };
        Self::new(403, "Forbidden", format!("{what} is forbidden: {why}")).details(details)
    }

    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 500 of an error that is no API status of its own.
    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// 422 of an object.
    pub(crate) fn invalid(kind: &Kind, name: &str, causes: Vec<Cause>) -> Self {
        Self::invalid_of(kind.group, kind.kind, name, causes)
    }

    /// 422 of options or of any named thing.
    pub(crate) fn invalid_of(group_name: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let words: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let mut seen: Vec<String> = Vec::new();
        for word in words {
            if !seen.contains(&word) {
                seen.push(word);
            }
        }
        let all = match seen.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let qualified = if group_name.is_empty() { kind.to_owned() } else { format!("{kind}.{group_name}") };
        let mut details = json!({});
        if !name.is_empty() {
            set(&mut details, "name", name);
        }
        group(&mut details, group_name);
        set(&mut details, "kind", kind);
        let causes: Vec<Value> = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        if let Some(map) = details.as_object_mut() {
            map.insert("causes".to_owned(), Value::Array(causes));
        }
        Self::new(422, "Invalid", format!("{qualified} {name:?} is invalid: {all}")).details(details)
    }

    /// 410 of a resourceVersion that is no longer kept.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// Adds to the details a list of causes.
    pub(crate) fn with_causes(mut self, causes: Value) -> Self {
        let details = self.details.get_or_insert_with(|| json!({}));
        if let Some(map) = details.as_object_mut() {
            map.insert("causes".to_owned(), causes);
        }
        self
    }

    /// The Status body.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure",
            "message": self.message,
        });
        if !self.reason.is_empty() {
            set(&mut body, "reason", self.reason);
        }
        if let (Some(details), Some(map)) = (&self.details, body.as_object_mut()) {
            map.insert("details".to_owned(), details.clone());
        }
        if let Some(map) = body.as_object_mut() {
            map.insert("code".to_owned(), json!(self.code));
        }
        body
    }
}

fn set(value: &mut Value, key: &str, text: &str) {
    if let Some(map) = value.as_object_mut() {
        map.insert(key.to_owned(), json!(text));
    }
}

fn group(details: &mut Value, name: &str) {
    if !name.is_empty() {
        set(details, "group", name);
    }
}
