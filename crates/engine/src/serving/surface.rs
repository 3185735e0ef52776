//! The surface's state: who may enter, how much they may send, and the engine behind.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::HeaderMap;

use super::admission::{Admission, Wording};
use super::core::Core;
use super::live::LiveFetch;
use super::rates::Rates;
use super::results::ResultFetch;
use super::turns::Turns;
use crate::actions::Worker;
use crate::auth::{Authenticator, Identity};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::events::Deliverer;
use crate::outbound::Outbound;
use crate::outbound::caller::{Callers, RequestContext};
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

/// What the ways in share.
pub struct Surface {
    /// What answers.
    pub(crate) core: Arc<Core>,
    pub(crate) auth: Auth,
    pub live: Live,
    pub background: Background,
    pub(crate) metadata: Following,
    pub(crate) limits: Bounds,
    pub(crate) options: Flags,
    /// Calls to the outside.
    pub(crate) outbound: Outbound,
    /// The same, as requests carry it.
    pub(crate) callers: Arc<dyn Callers>,
    /// Puts errors into words before sockets tell them.
    pub(crate) wording: Option<Wording>,
}

/// Who may enter.
pub(crate) struct Auth {
    pub authenticator: Authenticator,
    /// Whether callers of sockets are still admitted.
    pub admission: Option<Arc<dyn Admission>>,
}

/// Live queries and streams.
pub struct Live {
    pub queries: Hub<LiveFetch>,
    /// Subscriptions to the results of asynchronous actions.
    pub(crate) results: Hub<ResultFetch>,
    /// Hints that something has changed.
    pub(crate) feed: ChangeFeed,
    /// Whether the database has LISTEN/NOTIFY.
    pub(crate) notifies: bool,
}

/// What runs beside requests.
pub struct Background {
    /// Delivers captured events.
    pub(crate) deliverer: Mutex<Option<Deliverer>>,
    /// Makes the calls of asynchronous actions.
    pub actions: Arc<Worker>,
    /// Delivers cron triggers and scheduled events.
    pub(crate) schedules: Arc<schedule::Worker>,
}

/// What follows from changes of the metadata.
pub(crate) struct Following {
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
}

/// How much callers may ask for.
pub(crate) struct Bounds {
    /// How many operations a minute roles may ask for.
    pub rates: Rates,
    /// How many operations of a caller run at a time.
    pub turns: Turns,
    pub sizes: SurfaceLimits,
}

/// What the engine was told to do, and `/v1alpha1/config` says.
pub(crate) struct Flags {
    /// Whether everyone sees the details of internal errors.
    pub dev_mode: bool,
    /// Whether only allowed queries run, for roles other than admin.
    pub allow_list: bool,
    /// Whether permissions of remote schemas apply.
    pub remote_schema_permissions: bool,
    /// Whether functions follow their table's permissions.
    pub infer_function_permissions: bool,
}

/// While it lives, sockets are not told of new metadata; they are when the last one goes.
pub struct Hold<'a>(&'a Surface);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if self.0.metadata.holds.fetch_sub(1, Ordering::Relaxed) == 1
            && self.0.metadata.owed.swap(false, Ordering::Relaxed)
        {
            self.0.tell_sockets();
        }
    }
}

impl Surface {
    /// Holds back what sockets are told of new metadata.
    pub fn hold_versions(&self) -> Hold<'_> {
        self.metadata.holds.fetch_add(1, Ordering::Relaxed);
        Hold(self)
    }

    /// Has sockets plan their subscriptions again, unless that is held back.
    pub fn tell_sockets(&self) {
        if self.metadata.holds.load(Ordering::Relaxed) > 0 {
            self.metadata.owed.store(true, Ordering::Relaxed);
            return;
        }
        // Nobody may be listening.
        self.metadata.versions.send_replace(self.core.current().resource_version);
    }

    /// Whether the caller sees the details of internal errors.
    pub fn shows_internals(&self, session: Option<&Session>) -> bool {
        self.options.dev_mode || session.is_some_and(Session::is_admin)
    }

    /// Whether who shows these headers is still admitted.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidJwt`].
    pub async fn admit(&self, headers: &HeaderMap) -> Result<()> {
        match &self.auth.admission {
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
