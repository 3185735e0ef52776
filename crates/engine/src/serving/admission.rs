//! What whoever mounts the engine knows of callers and errors, for sockets: over HTTP they look at each request and each
//! answer themselves.

use std::sync::Arc;

use axum::http::HeaderMap;
use futures::future::BoxFuture;
use serde_json::Value;

/// Tells whether callers are still admitted: whether what they signed in with has not been taken back.
pub trait Admission: Send + Sync {
    /// Whether who shows these headers is. The engine has authenticated them, and asks again while a socket is open.
    fn holds<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, bool>;
}

/// Puts an error, as an answer has it, into the product's words.
pub type Wording = Arc<dyn Fn(&mut Value) + Send + Sync>;
