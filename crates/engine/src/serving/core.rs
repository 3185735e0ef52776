//! What answers requests, without a way in: planning, running, and the metadata in force.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::live::{self, LiveFetch};
use super::planning::Planning;
use super::results::{self, ResultFetch};
use crate::engine::Engine;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::execute::Response;
use crate::metadata::Metadata;
use crate::outbound::caller::RequestContext;
use crate::plan::{CompiledRoot, Planned, Root};
use crate::request::Request;
use crate::schema::Inconsistency;
use crate::session::Session;
use crate::state::State;
use crate::subscriptions::Plan;
use crate::subscriptions::feed::{Change, ChangeFeed};

/// The metadata that is in force.
#[derive(Debug, Clone)]
pub struct Current {
    /// As it was given, inconsistent objects included.
    pub metadata: Arc<Metadata>,
    /// Grows by one with each change.
    pub resource_version: u64,
    /// What cannot be served.
    pub inconsistencies: Arc<[Inconsistency]>,
}

impl Current {
    pub(crate) fn of(state: &State) -> Self {
        Self {
            metadata: state.metadata.clone(),
            resource_version: state.resource_version,
            inconsistencies: state.inconsistencies.clone(),
        }
    }
}

/// What came of a request.
pub enum Outcome {
    /// A query or mutation: its answer.
    Answer(Response),
    /// A query or mutation that fits the schema and failed while it ran. One that does not fit is an error instead.
    Failed(GraphqlError),
    /// A subscription: planned, not yet started.
    Subscription(SubscriptionPlan),
}

/// A subscription that was planned, by what fetches it: each kind has a hub of its own, and members of its own type.
pub enum SubscriptionPlan {
    /// To what a statement reads.
    Live(Plan<LiveFetch>),
    /// To the result of an asynchronous action.
    Result(Plan<ResultFetch>),
}

/// Decides whether metadata with these inconsistencies may be put in force.
pub type Accept<'a> = &'a (dyn Fn(&[Inconsistency]) -> Result<(), GraphqlError> + Send + Sync);

/// The engine, and what its requests share.
pub struct Core {
    pub(crate) engine: Engine,
    pub(crate) feed: ChangeFeed,
    pub(crate) notifies: bool,
    pub(crate) planning: Planning,
    /// Statements of live queries and streams that run at a time: what is refreshed leaves connections for what is asked.
    pub(crate) refreshing: Arc<Semaphore>,
}

impl Core {
    /// Runs a query or mutation, or plans a subscription.
    pub(crate) async fn run(&self, context: &RequestContext, request: &Request) -> Result<Outcome> {
        let state = self.engine.state();
        let planned = self.planning.plan(&state, &context.session, request).await?;
        let most = state.most_actions();
        let actions = planned.actions();
        if actions > most && !context.session.is_admin() {
            let message = format!("the operation calls {actions} actions; at most {most} are allowed in one operation");
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
    }

    /// What the database would do for a query or live query of someone.
    pub(crate) async fn explain(&self, session: &Session, request: &Request) -> Result<serde_json::Value> {
        let planned = self.planning.plan(&self.engine.state(), session, request).await?;
        self.engine.executor().explain(session, &planned).await
    }

    /// The metadata in force.
    pub(crate) fn current(&self) -> Current {
        Current::of(&self.engine.state())
    }

    /// What requests are served from.
    pub(crate) fn state(&self) -> Arc<State> {
        self.engine.state()
    }

    /// Builds the metadata anew, asking database and remote schemas again, and puts it in force when `accept` agrees
    /// to the inconsistencies; else the old stays.
    pub(crate) async fn replace(&self, metadata: Metadata, accept: Accept<'_>) -> Result<Current> {
        let state = self.engine.replace_metadata_when(metadata, |found| accept(found)).await?;
        Ok(Current::of(&state))
    }

    /// Takes over metadata that another instance has changed; gives it when there was something.
    pub(crate) async fn follow(&self) -> Result<Option<Current>> {
        Ok(self.engine.follow().await?.map(|state| Current::of(&state)))
    }

    /// Whether other instances may change the metadata.
    pub(crate) fn follows(&self) -> bool {
        self.engine.keeps_metadata()
    }

    /// The database.
    pub(crate) fn pool(&self) -> &sqlx::PgPool {
        self.engine.pool()
    }

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
