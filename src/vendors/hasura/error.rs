//! What can go wrong between here and a Hasura.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::types::InconsistentObject;
use crate::domain::{self, Code};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A call to Hasura that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answered, or the connection broke.
    #[error("no answer from {endpoint}")]
    Unreachable {
        /// Whom we asked, without credentials.
        endpoint: String,
        /// What the transport said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something answered, but not as Hasura does.
    #[error("{endpoint} does not answer as Hasura does: {reason}")]
    Protocol {
        /// Whom we asked, without credentials.
        endpoint: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A GraphQL operation answered with errors; this is the first of them.
    #[error("{message}")]
    Graphql {
        message: String,
        /// `extensions`: `code` and `path` by Hasura, `code` and `field` by our own actions.
        extensions: Map<String, Value>,
    },
    /// The metadata API refused a command.
    #[error("{message} ({code} at {path})")]
    Metadata {
        message: String,
        /// Hasura's code, such as `conflict` or `parse-failed`.
        code: String,
        /// Where in the request, as a JSON path.
        path: String,
        /// The objects at fault, when the metadata would have become inconsistent.
        inconsistent: Vec<InconsistentObject>,
    },
}

impl Error {
    /// The first error of a GraphQL response.
    pub(super) fn graphql(errors: &[Value]) -> Self {
        let error = errors.first().unwrap_or(&Value::Null);
        let message = error.get("message").and_then(Value::as_str).unwrap_or("unknown error").to_owned();
        let extensions = error.get("extensions").and_then(Value::as_object).cloned().unwrap_or_default();
        Error::Graphql { message, extensions }
    }

    /// The body of a refused metadata command, if it is one.
    pub(super) fn metadata(body: &Value) -> Option<Self> {
        #[derive(Deserialize)]
        struct Refusal {
            error: String,
            code: String,
            #[serde(default)]
            path: String,
            #[serde(default)]
            internal: Value,
        }
        let refusal = Refusal::deserialize(body).ok()?;
        Some(Error::Metadata {
            message: refusal.error,
            code: refusal.code,
            path: refusal.path,
            inconsistent: serde_json::from_value(refusal.internal).unwrap_or_default(),
        })
    }

    /// Whether the same call may succeed later: nobody answered, or the service behind it is down.
    pub fn transient(&self) -> bool {
        match self {
            Error::Unreachable { .. } => true,
            Error::Graphql { extensions, .. } => code(extensions.get("code").and_then(Value::as_str)).retryable(),
            Error::Protocol { .. } | Error::Metadata { .. } => false,
        }
    }
}

/// Our own code for one of Hasura's, or for one that an action put there.
fn code(text: Option<&str>) -> Code {
    use strum::IntoEnumIterator;
    let text = text.unwrap_or_default();
    if let Some(own) = Code::iter().find(|code| code.as_str() == text) {
        return own;
    }
    match text {
        "access-denied" | "permission-denied" | "permission-error" => Code::Forbidden,
        "invalid-jwt" | "jwt-invalid-claims" | "jwt-missing-role-claims" | "invalid-headers" => Code::Unauthenticated,
        "constraint-violation" | "already-exists" | "already-tracked" => Code::AlreadyExists,
        "conflict" | "concurrent-update" => Code::Conflict,
        "not-exists" => Code::NotFound,
        "validation-failed"
        | "parse-failed"
        | "data-exception"
        | "bad-request"
        | "invalid-json"
        | "invalid-params"
        | "constraint-error"
        | "invalid-configuration" => Code::InvalidInput,
        "postgres-max-connections-error" | "busy" => Code::Unavailable,
        "timeout" => Code::Timeout,
        "rate-limit-exceeded" => Code::RateLimited,
        _ => Code::VendorRejected,
    }
}

/// What PostgreSQL refused, by the words that Hasura begins its message with: its codes call a value that a check refuses a
/// matter of permissions, as they do what a role's own check refuses.
fn violation(message: &str) -> Option<Code> {
    let begins = |words: &[&str]| words.iter().any(|words| message.starts_with(words));
    if begins(&["Check constraint violation", "Not-NULL violation", "Foreign key violation"]) {
        return Some(Code::InvalidInput);
    }
    begins(&["Uniqueness violation"]).then_some(Code::AlreadyExists)
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match &error {
            Error::Unreachable { .. } => {
                domain::Error::new(Code::Unavailable, error.to_string()).caused_by(Cause(error))
            }
            Error::Protocol { .. } => domain::Error::new(Code::VendorRejected, error.to_string()),
            Error::Graphql { message, extensions } => {
                // Where the service says it in its own words, what it means stands beside Hasura's code.
                let text = |key: &str| extensions.get(key).and_then(Value::as_str);
                let code = violation(message).unwrap_or_else(|| code(text("reason").or_else(|| text("code"))));
                match (code, extensions.get("field").and_then(Value::as_str)) {
                    (Code::InvalidInput, Some(field)) => domain::Error::invalid(field, message),
                    _ => domain::Error::new(code, message),
                }
            }
            Error::Metadata { message, code: text, inconsistent, .. } => {
                let mut message = message.clone();
                for object in inconsistent {
                    message.push_str(&format!("\n  {object}"));
                }
                domain::Error::new(code(Some(text)), message)
            }
        }
    }
}

/// The transport's own words, without the sentence that already stands above them.
#[derive(Debug)]
struct Cause(Error);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Error::Unreachable { source, .. } => source.fmt(f),
            other => other.fmt(f),
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Error::Unreachable { source, .. } => source.source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_actions_error_keeps_its_code_and_field() {
        let error = Error::graphql(&[json!({
            "message": "too short",
            "extensions": {"code": "invalid-input", "field": "name"}
        })]);
        let error = domain::Error::from(error);
        assert_eq!((error.code(), error.field(), error.message()), (Code::InvalidInput, Some("name"), "too short"));
    }

    #[test]
    fn a_broken_rule_is_wrong_input_and_not_a_lack_of_rights() {
        let extensions = json!({"path": "$", "code": "permission-error", "field": "name", "reason": "invalid-input"});
        let error = domain::Error::from(Error::graphql(&[json!({"message": "name: ...", "extensions": extensions})]));
        assert_eq!((error.code(), error.field()), (Code::InvalidInput, Some("name")));
    }

    #[test]
    fn hasuras_own_codes_become_ours() {
        let of = |text| code(Some(text));
        assert_eq!(of("invalid-jwt"), Code::Unauthenticated);
        assert_eq!(of("access-denied"), Code::Forbidden);
        assert_eq!(of("store-limit-reached"), Code::StoreLimitReached);
        assert_eq!(of("unexpected"), Code::VendorRejected);
    }

    #[test]
    fn what_the_database_refuses_is_no_matter_of_permissions() {
        let of = |message: &str, code: &str| {
            let error = json!({ "message": message, "extensions": { "code": code, "path": "$" } });
            domain::Error::from(Error::graphql(&[error])).code()
        };
        let check = "Check constraint violation. new row for relation \"applications\" violates check constraint";
        assert_eq!(of(check, "permission-error"), Code::InvalidInput);
        assert_eq!(of("Not-NULL violation. null value in column", "constraint-violation"), Code::InvalidInput);
        assert_eq!(of("Uniqueness violation. duplicate key", "constraint-violation"), Code::AlreadyExists);
        let role = "check constraint of an insert/update permission has failed";
        assert_eq!(of(role, "permission-error"), Code::Forbidden);
    }

    #[test]
    fn a_refused_command_names_the_inconsistent_objects() {
        let body = json!({
            "error": "cannot continue due to inconsistent metadata", "path": "$.args", "code": "unexpected",
            "internal": [{"name": "table nope in source default", "type": "table",
                          "reason": "Inconsistent object: no such table/view exists in source: \"nope\"",
                          "definition": {"name": "nope", "schema": "public"}}]
        });
        let error = domain::Error::from(Error::metadata(&body).expect("a refusal"));
        assert!(error.message().contains("table nope in source default: Inconsistent object"), "{error}");
    }
}
