//! Hasura's error: a code from its list, a path into the request, a message; and the shapes in which it leaves.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// A code of Hasura's list, as clients see it in `extensions.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs, reason = "each is Hasura's code of its name in kebab case")]
pub enum ErrorCode {
    AccessDenied,
    AlreadyExists,
    AlreadyTracked,
    AlreadyUntracked,
    BadRequest,
    Busy,
    ConcurrentUpdate,
    Conflict,
    ConnectionNotEstablished,
    CoercionError,
    ConstraintError,
    ConstraintViolation,
    CyclicDependency,
    DataConnectorError,
    DataException,
    DependencyError,
    InvalidConfiguration,
    InvalidHeaders,
    InvalidJson,
    InvalidJwt,
    InvalidParams,
    JwtInvalidClaims,
    JwtMissingRoleClaims,
    MethodNotAllowed,
    NotExists,
    NotFound,
    NotSupported,
    ParseFailed,
    PermissionDenied,
    PermissionError,
    PostgresError,
    PostgresMaxConnectionsError,
    RemoteSchemaConflicts,
    RemoteSchemaError,
    StartFailed,
    TemplateResolutionFailed,
    Timeout,
    Unexpected,
    UnexpectedPayload,
    ValidationFailed,
    // Limits of the engine and of Hasura's API limits.
    ExceededTokenLimit,
    ExceededDepthLimit,
    ExceededNodeLimit,
    ExceededRowLimit,
    ExceededBatchLimit,
    ExceededTimeLimit,
    ExceededRateLimit,
    ExceededAliasLimit,
    ExceededDirectiveLimit,
}

impl ErrorCode {
    /// The code as clients see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExceededTokenLimit => "token-limit-exceeded",
            Self::ExceededRowLimit => "row-limit-exceeded",
            Self::ExceededDepthLimit => "depth-limit-exceeded",
            Self::ExceededNodeLimit => "node-limit-exceeded",
            Self::ExceededBatchLimit => "batch-limit-exceeded",
            Self::ExceededTimeLimit => "time-limit-exceeded",
            Self::ExceededRateLimit => "rate-limit-exceeded",
            Self::ExceededAliasLimit => "alias-limit-exceeded",
            Self::ExceededDirectiveLimit => "directive-limit-exceeded",
            other => other.into(),
        }
    }

    /// The HTTP status with which the metadata, REST and older GraphQL endpoints answer.
    pub fn http_status(self) -> u16 {
        match self {
            Self::AccessDenied | Self::InvalidHeaders | Self::InvalidJwt => 401,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::ExceededRateLimit => 429,
            Self::Unexpected | Self::PostgresError | Self::ConnectionNotEstablished => 500,
            Self::PostgresMaxConnectionsError | Self::Busy => 503,
            _ => 400,
        }
    }
}

/// What went wrong, as a client sees it, with what only an admin or the log sees.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphqlError {
    /// The sentence.
    pub message: String,
    /// The code.
    pub code: ErrorCode,
    /// A JSON path into the request, such as `$.selectionSet.teams.args.where`.
    pub path: String,
    /// Details for admins, as Hasura's `internal`.
    pub internal: Option<Value>,
    /// Extensions that replace path and code wholly (those of an action's webhook or of a remote schema).
    pub extensions: Option<Value>,
    /// The HTTP status when it is not the code's own.
    pub status: Option<u16>,
    /// Errors of a remote schema that answer the request as they are, in place of this one.
    pub answered: Option<Vec<Value>>,
    /// Which rate limit refused, and for how long.
    pub refusal: Option<Refusal>,
    /// See [`Self::conflicts`].
    pub conflict: bool,
}

/// A rate limit that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Operations allowed within the window.
    pub limit: u32,
    /// Time until one more may pass.
    pub reset_after: Duration,
}

impl Refusal {
    /// The time in whole seconds, rounded up.
    pub fn seconds(&self) -> u64 {
        self.reset_after.as_secs() + u64::from(self.reset_after.subsec_nanos() > 0)
    }
}

/// A result whose error is [`GraphqlError`].
pub type Result<T, E = GraphqlError> = std::result::Result<T, E>;

impl GraphqlError {
    /// An error at the root of the request.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code,
            path: "$".to_owned(),
            internal: None,
            extensions: None,
            status: None,
            answered: None,
            refusal: None,
            conflict: false,
        }
    }

    /// An error at a path of the request.
    pub fn at(path: impl Into<String>, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::new(code, message) }
    }

    /// A document that does not fit the schema.
    pub fn validation(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::at(path, ErrorCode::ValidationFailed, message)
    }

    /// A fault of the engine's own.
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unexpected, message)
    }

    /// The same error, by a rate limit.
    pub fn refused_until(mut self, refusal: Refusal) -> Self {
        self.refusal = Some(refusal);
        self
    }

    /// The same error with details for admins.
    pub fn with_internal(mut self, internal: Value) -> Self {
        self.internal = Some(internal);
        self
    }

    /// The same error, answered by those of a remote schema.
    pub fn answered_by(mut self, errors: Vec<Value>) -> Self {
        self.answered = Some(errors);
        self
    }

    /// The same error at another path.
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The same error with another HTTP status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The database's own code (SQLSTATE), where its details are kept for admins.
    pub fn status_code(&self) -> Option<&str> {
        self.internal.as_ref()?.pointer("/error/status_code")?.as_str()
    }

    /// Whether a statement failed only because of others that ran beside it: its transaction may be done again.
    pub fn conflicts(&self) -> bool {
        self.conflict
    }

    /// The HTTP status for endpoints that use one.
    pub fn http_status(&self) -> u16 {
        self.status.unwrap_or_else(|| self.code.http_status())
    }

    /// One member of a GraphQL answer's `errors`. `internal` is included when it is asked for.
    pub fn to_graphql(&self, include_internal: bool) -> Value {
        let extensions = match &self.extensions {
            Some(extensions) => extensions.clone(),
            None => {
                let mut fields = Map::new();
                fields.insert("path".to_owned(), self.path.as_str().into());
                fields.insert("code".to_owned(), self.code.as_str().into());
                if let (true, Some(internal)) = (include_internal, &self.internal) {
                    fields.insert("internal".to_owned(), internal.clone());
                }
                Value::Object(fields)
            }
        };
        json!({"message": self.message, "extensions": extensions})
    }

    /// The members of a GraphQL answer's `errors`: those of a remote schema as it gave them, or this one.
    pub fn to_graphql_list(&self, include_internal: bool) -> Vec<Value> {
        match &self.answered {
            Some(errors) => errors.clone(),
            None => vec![self.to_graphql(include_internal)],
        }
    }

    /// A whole GraphQL answer: `{"errors": [...]}`, with `data` null beside the errors of a remote schema.
    pub fn to_graphql_body(&self, include_internal: bool) -> Value {
        let errors = self.to_graphql_list(include_internal);
        match self.answered {
            Some(_) => json!({"data": null, "errors": errors}),
            None => json!({"errors": errors}),
        }
    }

    /// The body of the metadata, query and REST endpoints: `{"error", "path", "code", "internal"?}`.
    pub fn to_api_body(&self, include_internal: bool) -> Value {
        let mut body = json!({"error": self.message, "path": self.path, "code": self.code.as_str()});
        if let (true, Some(internal), Some(fields)) = (include_internal, &self.internal, body.as_object_mut()) {
            fields.insert("internal".to_owned(), internal.clone());
        }
        body
    }
}

impl fmt::Display for GraphqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for GraphqlError {}
