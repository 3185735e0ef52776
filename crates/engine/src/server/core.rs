//! The surface in front of the engine's own core.

use std::sync::Arc;

use axum::Router;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::backend::{Accept, Backend, Current, Outcome, SubscriptionPlan};
use super::live;
use super::planning::Planning;
use super::results;
use super::start::SurfaceError;
use super::surface::Surface;
use crate::callers::{Pending, RequestContext};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::metadata::{Metadata, QualifiedName};
use crate::options::EngineOptions;
use crate::outbound::Outbound;
use crate::plan::{CompiledRoot, Planned, Root};
use crate::request::Request;
use crate::schema::Inconsistency;
use crate::session::Session;
use crate::start::{Engine, EngineError};
use crate::state::State;
use crate::subscriptions::feed::{Change, ChangeFeed, database_notifies};

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
        self.surface.metadata_changed(&current(&self.engine.state())).await;
        Ok(found)
    }

    /// Every route of the engine.
    pub fn router(&self) -> Router {
        super::router::router(self.surface.clone())
    }

    /// Tells that rows of tables may have changed, by schema and name: for feeds other than the database's own.
    pub fn tables_changed(&self, tables: &[(&str, &str)]) {
        self.surface.feed.tables_changed(tables.iter().map(|(schema, name)| QualifiedName::new(*schema, *name)));
    }

    /// Stops what runs in the background; deliveries in flight are finished first.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.surface.stop().await;
        self.engine.executor().close();
    }
}

/// The core as the surface sees it.
struct Core {
    engine: Engine,
    feed: ChangeFeed,
    notifies: bool,
    planning: Planning,
    /// Statements of live queries and streams that run at a time: what is refreshed leaves connections for what is asked.
    refreshing: Arc<Semaphore>,
}

impl Backend for Core {
    fn run<'a>(&'a self, context: &'a RequestContext, request: &'a Request) -> Pending<'a, Result<Outcome>> {
        Box::pin(async move {
            let state = self.engine.state();
            let planned = self.planning.plan(&state, &context.session, request).await?;
            let most = state.most_actions();
            let actions = planned.actions();
            if actions > most && !context.session.is_admin() {
                let message =
                    format!("the operation calls {actions} actions; at most {most} are allowed in one operation");
                return Err(GraphqlError::new(ErrorCode::ExceededNodeLimit, message));
            }
            if let Planned::Subscription(root) = &planned {
                return self.subscription(&state, context, request, root).map(Outcome::Subscription);
            }
            let response = match self.engine.executor().run(context, &planned).await {
                Ok(response) => response,
                Err(error) => return Ok(Outcome::Failed(error)),
            };
            if !self.notifies && matches!(planned, Planned::Mutation(_)) {
                self.feed.send(Change::Everything);
            }
            Ok(Outcome::Answer(response))
        })
    }

    fn explain<'a>(&'a self, session: &'a Session, request: &'a Request) -> Pending<'a, Result<serde_json::Value>> {
        Box::pin(async move {
            let planned = self.planning.plan(&self.engine.state(), session, request).await?;
            self.engine.executor().explain(session, &planned).await
        })
    }

    fn current(&self) -> Current {
        current(&self.engine.state())
    }

    fn state(&self) -> Arc<State> {
        self.engine.state()
    }

    fn replace<'a>(&'a self, metadata: Metadata, accept: Accept<'a>) -> Pending<'a, Result<Current>> {
        Box::pin(async move {
            self.engine.replace_metadata_when(metadata, |found| accept(found)).await.map(|state| current(&state))
        })
    }

    fn follow(&self) -> Pending<'_, Result<Option<Current>>> {
        Box::pin(async move { Ok(self.engine.follow().await?.map(|state| current(&state))) })
    }

    fn follows(&self) -> bool {
        self.engine.keeps_metadata()
    }

    fn pool(&self) -> &sqlx::PgPool {
        self.engine.pool()
    }
}

fn current(state: &State) -> Current {
    Current {
        metadata: state.metadata.clone(),
        resource_version: state.resource_version,
        inconsistencies: state.inconsistencies.clone(),
    }
}

impl Core {
    fn subscription(
        &self,
        state: &State,
        context: &RequestContext,
        request: &Request,
        root: &Root,
    ) -> Result<SubscriptionPlan> {
        let session = &context.session;
        let live = match &root.field {
            CompiledRoot::Live(live) => live,
            CompiledRoot::Action(action) if action.result => {
                let plan = results::plan(self.engine.executor(), state, session, request, root, action)?;
                return Ok(SubscriptionPlan::Result(plan));
            }
            _ => {
                let message = "subscription to this field is not supported";
                return Err(GraphqlError::new(ErrorCode::NotSupported, message));
            }
        };
        Ok(SubscriptionPlan::Live(live::plan(
            self.engine.executor(),
            &self.refreshing,
            state,
            context,
            request,
            root,
            live,
        )))
    }
}
