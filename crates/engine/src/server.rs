//! The surface in front of the engine's own core.

use std::sync::Arc;

use axum::Router;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::error::Result;
use crate::fault::EngineError;
use crate::metadata::QualifiedName;
use crate::options::EngineOptions;
use crate::outbound::Outbound;
use crate::schema::Inconsistency;
use crate::serving::core::{Core, Current};
use crate::serving::{Planning, Surface, SurfaceError};
use crate::subscriptions::feed::{ChangeFeed, database_notifies};

/// Why the engine cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The core.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The surface.
    #[error(transparent)]
    Surface(#[from] SurfaceError),
}

/// The engine with its surface: what a service mounts.
pub struct Server {
    engine: Engine,
    surface: Arc<Surface>,
    stop: CancellationToken,
}

impl Server {
    /// Starts core and surface: reads metadata, prepares capture and delivery of events, listens for changes.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn start(options: &EngineOptions) -> Result<Self, ServerError> {
        let outbound = Outbound::new(options.env.clone()).map_err(SurfaceError::from)?;
        let engine = Engine::start(options, Arc::new(outbound.clone())).await?;
        let feed = ChangeFeed::default();
        let notifies = database_notifies(engine.pool()).await.map_err(SurfaceError::from)?;
        let most = options.query_pool.as_ref().unwrap_or(&options.pool).options().get_max_connections();
        let refreshing = Arc::new(Semaphore::new(usize::try_from(most / 2).unwrap_or(1).max(1)));
        let planning = Planning::default();
        let core = Core { engine: engine.clone(), feed: feed.clone(), notifies, planning, refreshing };
        let surface = Surface::new(Arc::new(core), outbound, feed, options).await?;
        let stop = CancellationToken::new();
        surface.start(stop.clone()).await.map_err(SurfaceError::from)?;
        Ok(Self { engine, surface, stop })
    }

    /// The core.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The surface.
    pub fn surface(&self) -> &Arc<Surface> {
        &self.surface
    }

    /// Asks database and remote schemas again under the same metadata; gives what does not fit.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn reload(&self) -> Result<Vec<Inconsistency>, EngineError> {
        let found = self.engine.reload().await?;
        self.surface.metadata_changed(&Current::of(&self.engine.state())).await;
        Ok(found)
    }

    /// Every route of the engine.
    pub fn router(&self) -> Router {
        crate::http::router(self.surface.clone())
    }

    /// Tells that rows of tables may have changed, by schema and name: for feeds other than the database's own.
    pub fn tables_changed(&self, tables: &[(&str, &str)]) {
        self.surface.live.feed.tables_changed(tables.iter().map(|(schema, name)| QualifiedName::new(*schema, *name)));
    }

    /// Stops what runs in the background; deliveries in flight are finished first.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.surface.stop().await;
        self.engine.executor().close();
    }
}
