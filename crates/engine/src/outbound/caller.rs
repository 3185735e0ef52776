//! What the engine asks of the outside while it answers: webhooks of actions and remote schemas.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::error::Result;
use crate::metadata::{Action, RemoteSchema};
use crate::session::Session;

/// The header by which a request is known.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id of a request that is handed on and written down, in bytes.
const LONGEST_ID: usize = 128;

/// A boxed future, as the outside's answers come.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the execution of one request carries along.
#[derive(Clone)]
pub struct RequestContext {
    /// Who asks.
    pub session: Session,
    /// The client's headers, for actions and remote schemas that forward them.
    pub headers: Arc<HeaderMap>,
    /// Values of variables, for rows that are read after an action.
    pub variables: Option<Arc<Map<String, Value>>>,
    /// The document, for an action's `request_query`.
    pub query: Arc<str>,
    /// Makes the calls.
    pub callers: Arc<dyn Callers>,
    /// `Set-Cookie` headers of remote schemas, for the client.
    pub cookies: Arc<Mutex<Vec<String>>>,
}

impl RequestContext {
    /// A context without client headers and without an outside: actions and remote schemas answer an error.
    pub fn local(session: Session) -> Self {
        Self {
            session,
            headers: Arc::default(),
            variables: None,
            query: "".into(),
            callers: Arc::new(NoCallers),
            cookies: Arc::default(),
        }
    }

    /// The id that the edge gave the request, or the client did.
    pub fn request_id(&self) -> Option<&HeaderValue> {
        self.headers.get(REQUEST_ID).filter(|id| !id.is_empty() && id.len() <= LONGEST_ID)
    }

    /// Adds cookies for the client.
    pub fn set_cookies(&self, cookies: Vec<String>) {
        if !cookies.is_empty() {
            self.cookies.lock().unwrap_or_else(PoisonError::into_inner).extend(cookies);
        }
    }

    /// The cookies for the client.
    pub fn take_cookies(&self) -> Vec<String> {
        std::mem::take(&mut self.cookies.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A call of an action's webhook.
#[derive(Debug, Clone)]
pub struct ActionCall {
    /// The action.
    pub action: Arc<Action>,
    /// Arguments by name.
    pub input: Map<String, Value>,
}

/// What a webhook answered.
#[derive(Debug, Clone, Default)]
pub struct ActionAnswer {
    /// The JSON body of a 2xx answer.
    pub body: Value,
    /// `Set-Cookie` headers for the client.
    pub set_cookies: Vec<String>,
}

/// A request to a remote schema.
#[derive(Debug, Clone)]
pub struct RemoteCall {
    /// The remote schema.
    pub schema: Arc<RemoteSchema>,
    /// The document: one operation, already in the remote's own names.
    pub query: String,
    /// Values of the operation's variables.
    pub variables: Map<String, Value>,
}

/// The outside. The server has the one that makes HTTP calls; tests have their own.
pub trait Callers: Send + Sync {
    /// Calls a synchronous action's webhook.
    fn action<'a>(&'a self, context: &'a RequestContext, call: ActionCall) -> Pending<'a, Result<ActionAnswer>>;

    /// Is told that the call of an asynchronous action was stored, to be made soon.
    fn action_stored(&self) {}

    /// Asks a remote schema and answers its `data`.
    fn remote<'a>(&'a self, context: &'a RequestContext, call: RemoteCall) -> Pending<'a, Result<Map<String, Value>>>;

    /// Fetches a remote schema's SDL by introspection; the sentence becomes an inconsistency.
    fn introspect<'a>(&'a self, schema: &'a RemoteSchema) -> Pending<'a, Result<String, String>>;
}

/// No outside: every call is refused.
pub struct NoCallers;

impl Callers for NoCallers {
    fn action<'a>(&'a self, _: &'a RequestContext, call: ActionCall) -> Pending<'a, Result<ActionAnswer>> {
        Box::pin(async move {
            Err(crate::error::GraphqlError::unexpected(format!("no caller for the action {}", call.action.name)))
        })
    }

    fn remote<'a>(&'a self, _: &'a RequestContext, call: RemoteCall) -> Pending<'a, Result<Map<String, Value>>> {
        Box::pin(async move {
            let message = format!("no caller for the remote schema {}", call.schema.name);
            Err(crate::error::GraphqlError::new(crate::error::ErrorCode::RemoteSchemaError, message))
        })
    }

    fn introspect<'a>(&'a self, schema: &'a RemoteSchema) -> Pending<'a, Result<String, String>> {
        Box::pin(async move { Err(format!("no caller for the remote schema {}", schema.name)) })
    }
}
