//! What the surface needs of the engine's core. The core has it; tests of the surface bring their own.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::engine::callers::{Pending, RequestContext};
use crate::engine::error::{GraphqlError, Result};
use crate::engine::metadata::Metadata;
use crate::engine::request::Request;
use crate::engine::subscriptions::Plan;

/// The answer to a query or mutation that did not fail.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The value of `data`, as JSON text.
    pub data: Bytes,
    /// `Set-Cookie` headers of action webhooks.
    pub set_cookies: Vec<String>,
}

/// Something that metadata names and that cannot be served, as Hasura lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inconsistency {
    /// Such as `table` or `remote_schema`.
    pub kind: String,
    /// Such as `table teams in source default`.
    pub name: String,
    /// The object, or the part of metadata that it stands for.
    pub definition: Value,
    /// A sentence.
    pub reason: String,
}

impl Inconsistency {
    /// As `get_inconsistent_metadata` lists it.
    pub fn to_json(&self) -> Value {
        json!({"definition": self.definition, "name": self.name, "reason": self.reason, "type": self.kind})
    }
}

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
    /// A subscription: planned, not yet started.
    Subscription(Plan),
}

/// What the surface needs of the engine's core.
pub trait Backend: Send + Sync + 'static {
    /// Runs a query or mutation, or plans a subscription.
    fn run<'a>(&'a self, context: &'a RequestContext, request: &'a Request) -> Pending<'a, Result<Outcome>>;

    /// The metadata in force.
    fn current(&self) -> Current;

    /// Builds the metadata anew, asking database and remote schemas again, and puts it in force when `accept` agrees
    /// to the inconsistencies; else the old stays.
    fn replace<'a>(
        &'a self,
        metadata: Metadata,
        accept: &'a (dyn Fn(&[Inconsistency]) -> Result<(), GraphqlError> + Send + Sync),
    ) -> Pending<'a, Result<Current>>;

    /// The database.
    fn pool(&self) -> &sqlx::PgPool;
}
