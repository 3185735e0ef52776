//! The surface's state: who may enter, how much they may send, and the engine behind.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::HeaderMap;

use super::admission::{Admission, Wording};
use super::backend::Backend;
use super::live::LiveFetch;
use super::rates::Rates;
use super::results::ResultFetch;
use super::turns::Turns;
use crate::actions::Worker;
use crate::auth::{Authenticator, Identity};
use crate::callers::{Callers, RequestContext};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::events::Deliverer;
use crate::outbound::Outbound;
use crate::request::Request;
use crate::schedule;
use crate::schema::Inconsistency;
use crate::session::Session;
use crate::subscriptions::Hub;
use crate::subscriptions::feed::ChangeFeed;

/// Bounds on what a client may send, and the times of sockets.
#[derive(Debug, Clone)]
pub struct SurfaceLimits {
    /// Bytes of a request body.
    pub body: usize,
    /// Operations in one body.
    pub batch: usize,
    /// Bytes of one WebSocket message.
    pub message: usize,
    /// Operations that run on one socket at a time.
    pub operations_per_socket: usize,
    /// A socket that does not say `connection_init` in this time is closed.
    pub init_timeout: Duration,
    /// Between keep-alive frames.
    pub keep_alive: Duration,
    /// A frame that cannot be sent in this time ends the socket.
    pub send_timeout: Duration,
    /// Between looks whether a socket's caller is still admitted.
    pub readmission: Duration,
}

impl Default for SurfaceLimits {
    fn default() -> Self {
        Self {
            body: 4 * 1024 * 1024,
            batch: 50,
            message: 1024 * 1024,
            operations_per_socket: 1_000,
            init_timeout: Duration::from_secs(3),
            keep_alive: Duration::from_secs(5),
            send_timeout: Duration::from_secs(30),
            readmission: Duration::from_secs(10),
        }
    }
}

/// The surface's state.
pub struct Surface {
    /// The engine's core.
    pub backend: Arc<dyn Backend>,
    /// Who may enter.
    pub authenticator: Authenticator,
    /// Live queries and streams.
    pub hub: Hub<LiveFetch>,
    /// Subscriptions to the results of asynchronous actions.
    pub result_hub: Hub<ResultFetch>,
    /// Hints that something has changed.
    pub feed: ChangeFeed,
    /// Whether the database has LISTEN/NOTIFY.
    pub notifies: bool,
    /// Delivers captured events.
    pub deliverer: Mutex<Option<Deliverer>>,
    /// Makes the calls of asynchronous actions.
    pub actions: Arc<Worker>,
    /// Delivers cron triggers and scheduled events.
    pub schedules: Arc<schedule::Worker>,
    /// Held while metadata changes.
    pub changes: tokio::sync::Mutex<()>,
    /// What of the metadata the surface itself cannot serve.
    pub faults: ArcSwap<Vec<Inconsistency>>,
    /// The version of the metadata in force; sockets plan their live queries again when it changes.
    pub versions: tokio::sync::watch::Sender<u64>,
    /// How many hold back what sockets are told of new metadata.
    pub holds: AtomicUsize,
    /// Whether something was held back.
    pub owed: AtomicBool,
    /// Calls to the outside.
    pub outbound: Outbound,
    /// How many operations a minute roles may ask for.
    pub rates: Rates,
    /// How many operations of a caller run at a time.
    pub turns: Turns,
    /// Whether callers of sockets are still admitted.
    pub admission: Option<Arc<dyn Admission>>,
    /// Puts errors into words before sockets tell them.
    pub wording: Option<Wording>,
    /// The same, as requests carry it.
    pub callers: Arc<dyn Callers>,
    /// Whether everyone sees the details of internal errors.
    pub dev_mode: bool,
    /// Whether only allowed queries run, for roles other than admin.
    pub allow_list: bool,
    /// Whether permissions of remote schemas apply; told by `/v1alpha1/config`.
    pub remote_schema_permissions: bool,
    /// Whether functions follow their table's permissions; told by `/v1alpha1/config`.
    pub infer_function_permissions: bool,
    /// Bounds.
    pub limits: SurfaceLimits,
}

/// While it lives, sockets are not told of new metadata; they are when the last one goes.
pub struct Hold<'a>(&'a Surface);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if self.0.holds.fetch_sub(1, Ordering::Relaxed) == 1 && self.0.owed.swap(false, Ordering::Relaxed) {
            self.0.tell_sockets();
        }
    }
}

impl Surface {
    /// Holds back what sockets are told of new metadata.
    pub fn hold_versions(&self) -> Hold<'_> {
        self.holds.fetch_add(1, Ordering::Relaxed);
        Hold(self)
    }

    /// Has sockets plan their subscriptions again, unless that is held back.
    pub fn tell_sockets(&self) {
        if self.holds.load(Ordering::Relaxed) > 0 {
            self.owed.store(true, Ordering::Relaxed);
            return;
        }
        // Nobody may be listening.
        self.versions.send_replace(self.backend.current().resource_version);
    }

    /// Whether the caller sees the details of internal errors.
    pub fn shows_internals(&self, session: Option<&Session>) -> bool {
        self.dev_mode || session.is_some_and(Session::is_admin)
    }

    /// Whether who shows these headers is still admitted.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidJwt`].
    pub async fn admit(&self, headers: &HeaderMap) -> Result<()> {
        match &self.admission {
            Some(admission) if !admission.holds(headers).await => {
                Err(GraphqlError::new(ErrorCode::InvalidJwt, "Could not verify JWT: the session has ended"))
            }
            _ => Ok(()),
        }
    }

    /// Puts errors, as answers have them, into the product's words.
    pub fn in_words(&self, errors: &mut [serde_json::Value]) {
        if let Some(wording) = &self.wording {
            errors.iter_mut().for_each(|error| wording(error));
        }
    }

    /// The context of one request.
    pub fn context(&self, identity: &Identity, headers: Arc<HeaderMap>, request: &Request) -> RequestContext {
        RequestContext {
            session: identity.session.clone(),
            headers,
            variables: Some(request.variables.clone()),
            query: request.query.clone(),
            callers: self.callers.clone(),
            cookies: Arc::default(),
        }
    }

    /// Refuses who is not admin.
    pub fn require_admin(identity: &Identity, path: &str, message: &str) -> Result<()> {
        if identity.session.is_admin() {
            return Ok(());
        }
        let error = GraphqlError::at(path, ErrorCode::AccessDenied, message);
        Err(error.with_status(400))
    }
}
