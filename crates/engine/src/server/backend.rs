//! What the surface needs of the engine's core. The core has it; tests of the surface bring their own.

use std::sync::Arc;

use serde_json::Value;

use super::live::LiveFetch;
use super::results::ResultFetch;
use crate::callers::{Pending, RequestContext};
use crate::error::{GraphqlError, Result};
use crate::metadata::Metadata;
use crate::request::Request;
use crate::schema::Inconsistency;
use crate::session::Session;
use crate::state::State;
use crate::subscriptions::Plan;

pub use crate::execute::Response as Answer;

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

/// What came of a request.
pub enum Outcome {
    /// A query or mutation: its answer.
    Answer(Answer),
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

/// What the surface needs of the engine's core.
pub trait Backend: Send + Sync + 'static {
    /// Runs a query or mutation, or plans a subscription.
    fn run<'a>(&'a self, context: &'a RequestContext, request: &'a Request) -> Pending<'a, Result<Outcome>>;

    /// What the database would do for a query or live query of someone.
    fn explain<'a>(&'a self, session: &'a Session, request: &'a Request) -> Pending<'a, Result<Value>>;

    /// The metadata in force.
    fn current(&self) -> Current;

    /// What requests are served from.
    fn state(&self) -> Arc<State>;

    /// Builds the metadata anew, asking database and remote schemas again, and puts it in force when `accept` agrees
    /// to the inconsistencies; else the old stays.
    fn replace<'a>(&'a self, metadata: Metadata, accept: Accept<'a>) -> Pending<'a, Result<Current>>;

    /// Takes over metadata that another instance has changed; gives it when there was something.
    fn follow(&self) -> Pending<'_, Result<Option<Current>>>;

    /// Whether other instances may change the metadata.
    fn follows(&self) -> bool;

    /// The database.
    fn pool(&self) -> &sqlx::PgPool;
}
