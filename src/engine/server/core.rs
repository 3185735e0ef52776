//! The surface in front of the engine's own core.

use std::sync::Arc;

use axum::Router;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::backend::{Accept, Backend, Current, Outcome};
use super::planning::Planning;
use super::results;
use super::start::SurfaceError;
use super::surface::Surface;
use crate::engine::callers::{Pending, RequestContext};
use crate::engine::error::{ErrorCode, GraphqlError, Result};
use crate::engine::execute::{Executor, Refreshed, refresh};
use crate::engine::metadata::{Metadata, QualifiedName};
use crate::engine::options::EngineOptions;
use crate::engine::outbound::Outbound;
use crate::engine::plan::{Binder, CompiledRoot, Join, JoinTarget, Joins, LivePlan, Planned, Root, Values};
use crate::engine::request::Request;
use crate::engine::schema::Inconsistency;
use crate::engine::session::Session;
use crate::engine::start::{Engine, EngineError};
use crate::engine::state::State;
use crate::engine::subscriptions::feed::{Change, ChangeFeed, database_notifies};
use crate::engine::subscriptions::{Fetch, Fetched, Member, Plan};

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
    fn subscription(&self, state: &State, context: &RequestContext, request: &Request, root: &Root) -> Result<Plan> {
        let session = &context.session;
        let live = match &root.field {
            CompiledRoot::Live(live) => live,
            CompiledRoot::Action(action) if action.result => {
                return results::plan(self.engine.executor(), state, session, request, root, action);
            }
            _ => {
                let message = "subscription to this field is not supported";
                return Err(GraphqlError::new(ErrorCode::NotSupported, message));
            }
        };
        let is_stream = !live.cursor.is_empty();
        let member = LiveMember {
            values: root.values.clone(),
            stream: is_stream.then(|| (session.clone(), request.variables.clone())),
            cursor: None,
            context: root.joins.is_some().then(|| context.clone()),
        };
        let mut cohort = format!(
            "{}\n{}\n{}\n{}\n{}\n{}",
            state.version,
            session.role(),
            root.key,
            request.operation_name.as_deref().unwrap_or_default(),
            request.query,
            live.sql,
        );
        let mut key = serde_json::to_string(&root.values).unwrap_or_default();
        if let Some(joins) = &root.joins {
            // What is joined may hang on variables, on who asks and on the headers that are sent along.
            cohort.push_str(&format!("\n{joins:?}"));
            key.push_str(&session.to_json());
            let forwards = |join: &Join| match &join.target {
                JoinTarget::Remote { schema, .. } => schema.definition.forward_client_headers,
                JoinTarget::Rows(_) => false,
            };
            if joins.iter().any(forwards) {
                key.push_str(&format!("\n{:?}", context.headers));
            }
        }
        Ok(Plan {
            cohort,
            key,
            relations: (!live.calls_functions).then(|| live.tables.clone()),
            fetch: Arc::new(LiveFetch {
                executor: self.engine.executor().clone(),
                plan: live.clone(),
                key: root.key.clone(),
                joins: root.joins.clone(),
                refreshing: self.refreshing.clone(),
            }),
            member: Arc::new(member),
        })
    }
}

/// Values of a request's variables.
type Variables = Arc<serde_json::Map<String, serde_json::Value>>;

/// What tells the members of a cohort apart.
struct LiveMember {
    values: Values,
    /// Of a stream: what its values are bound from when the cursor has moved.
    stream: Option<(Session, Variables)>,
    /// Of a stream that has moved: where it stands.
    cursor: Option<String>,
    /// Who asks, where something is joined from elsewhere.
    context: Option<RequestContext>,
}

/// Fetches a cohort with its plan's one statement.
struct LiveFetch {
    executor: Executor,
    plan: Arc<LivePlan>,
    key: String,
    joins: Option<Joins>,
    refreshing: Arc<Semaphore>,
}

impl Fetch for LiveFetch {
    fn fetch<'a>(&'a self, members: Vec<Member>) -> Pending<'a, Result<Vec<Fetched>, GraphqlError>> {
        Box::pin(async move {
            let members: Vec<&LiveMember> = members.iter().filter_map(|member| member.downcast_ref()).collect();
            let values: Vec<&Values> = members.iter().map(|member| &member.values).collect();
            let turn = self.refreshing.acquire().await;
            let mut refreshed = refresh(&self.executor, &self.plan, &values).await?;
            drop(turn);
            if let Some(joins) = &self.joins {
                refreshed = self.joined(joins, &members, refreshed).await?;
            }
            members
                .iter()
                .zip(refreshed)
                .map(|(member, refreshed)| {
                    let moved = match (&member.stream, &refreshed.cursor) {
                        (Some(_), Some(cursor)) => Some(self.moved(member, cursor)?),
                        _ => None,
                    };
                    Ok(Fetched { answer: self.answer(&refreshed.data), moved })
                })
                .collect()
        })
    }

    fn is_stream(&self) -> bool {
        !self.plan.cursor.is_empty()
    }

    fn resume(&self, left: &Member, fresh: Member) -> Result<Member> {
        let of = |member: &'_ Member| member.clone().downcast::<LiveMember>().ok();
        match (of(left).and_then(|left| left.cursor.clone()), of(&fresh)) {
            (Some(cursor), Some(member)) if member.stream.is_some() => self.moved(&member, &cursor),
            _ => Ok(fresh),
        }
    }
}

impl LiveFetch {
    /// The same stream after a cursor.
    fn moved(&self, member: &LiveMember, cursor: &str) -> Result<Member> {
        let place = [Some(cursor.to_owned())];
        let mut values = member.values.clone();
        if let Some((session, variables)) = &member.stream {
            values = Binder { cursor: &place, ..Binder::new(session, variables) }.bind(&self.plan.params)?;
        }
        let (stream, context) = (member.stream.clone(), member.context.clone());
        Ok(Arc::new(LiveMember { values, stream, cursor: Some(cursor.to_owned()), context }))
    }

    /// Puts what is joined from elsewhere into the members' answers, for each as who asks.
    async fn joined(
        &self,
        joins: &Joins,
        members: &[&LiveMember],
        refreshed: Vec<Refreshed>,
    ) -> Result<Vec<Refreshed>> {
        let all = members.iter().zip(refreshed).map(|(member, one)| async move {
            let Some(context) = &member.context else { return Ok(one) };
            let data = self.executor.join(context, joins, one.data.into()).await?;
            Ok(Refreshed { data: data.into(), ..one })
        });
        futures::future::try_join_all(all).await
    }

    fn answer(&self, data: &[u8]) -> Arc<str> {
        // JSON of the engine's own writer.
        let data = String::from_utf8_lossy(data);
        format!("{{\"data\":{{\"{}\":{data}}}}}", self.key).into()
    }
}
