//! What every handler can reach.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::streams::Streams;
use super::{Backend, Settings, remote_schema};
use crate::app::App;

/// Which of the service's two listeners a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// The API, where the API explorer is the one page.
    Api,
    /// The portal, with the API under the same origin.
    Portal,
}

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The use cases' handles.
    pub app: Arc<App>,
    /// Limits, secrets and origins.
    pub settings: Arc<Settings>,
    /// Where GraphQL requests go.
    pub backend: Backend,
    pub(super) schema: remote_schema::Schema,
    /// Whether a request carried the header of a proxy while none is trusted.
    pub(super) proxy_ignored: Arc<AtomicBool>,
    pub(super) metrics: Option<PrometheusHandle>,
    pub(super) face: Face,
    pub(super) streams: Streams,
    /// Ends what would go on for as long as its client listens.
    pub(super) closing: CancellationToken,
}

impl AppState {
    /// The state of a service whose GraphQL requests go to `backend`.
    pub fn new(app: Arc<App>, settings: Settings, backend: Backend) -> Self {
        let schema = remote_schema::schema(Arc::clone(&app));
        Self {
            app,
            schema,
            settings: Arc::new(settings),
            backend,
            proxy_ignored: Arc::default(),
            metrics: None,
            face: Face::Api,
            streams: Streams::default(),
            closing: CancellationToken::new(),
        }
    }

    /// The same with the recorder that `/metrics` prints; see [`super::install_recorder`].
    pub fn with_metrics(self, handle: PrometheusHandle) -> Self {
        Self { metrics: Some(handle), ..self }
    }

    /// The same with what says that the service stops.
    pub fn closing_with(self, stop: CancellationToken) -> Self {
        Self { closing: stop, ..self }
    }
}
