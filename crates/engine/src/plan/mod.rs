//! From a request to statements: pure, data to data.
//!
//! A [`Compiled`] operation depends on the role's schema, the document and those variables whose values decide its form;
//! it is kept and bound to each request's variables and session, which gives a [`Planned`] one.

mod action;
mod aggregate;
mod bind;
mod bounds;
mod collect;
mod context;
mod cost;
pub mod document;
mod duplicates;
mod filter;
mod glance;
mod input;
mod introspect;
mod join;
mod jsonpath;
mod merge;
mod mutation;
mod order;
mod remote;
mod roots;
mod select;
mod shape;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::metadata::QualifiedName;
use super::schema::model::boolexp::Source;

pub use action::{ActionField, ActionFields, ActionForm, ActionPlan, ActionShape, RelatedRows};
pub use bind::{Binder, Values};
pub use bounds::Bounds;
pub use glance::introspects;
pub use join::{Join, JoinTarget};
pub use mutation::{After, Before, InsertOne, Inserts, MutationPlan, Part, Response, Returning, Write, Writes};
pub use remote::{
    LeftForm, Piece, RemoteField, RemotePlan, RemoteShape, RemoteVariable, TYPE_KEY, Template, VariableValue,
};
pub use roots::{Planner, compile};
pub use shape::{Answer, Shape};
pub use stream::{Cursor, LivePlan};

/// A statement that reads, with the shape of its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The statement, with `$n` for bound values.
    pub sql: Arc<str>,
    /// Where bound values come from.
    pub params: Vec<Source>,
    /// What its rows become.
    pub answer: Answer,
    /// Tables that it reads.
    pub tables: Vec<QualifiedName>,
    /// Whether it calls functions, which may do more than read.
    pub calls_functions: bool,
}

/// An operation before it is bound to a request.
#[derive(Debug)]
pub struct Compiled {
    /// Which kind it is.
    pub kind: Kind,
    /// Its root fields in order.
    pub roots: Vec<(String, CompiledRoot)>,
    /// Variables on whose values it depends.
    pub inspected: Vec<String>,
    /// What is joined to its answer from elsewhere.
    pub joins: Option<Joins>,
    /// Fields after fragments are spread: what its size goes by.
    pub nodes: usize,
}

/// What is joined to an operation's answer from elsewhere, by place.
pub type Joins = Arc<[Join]>;

/// Which kind an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It reads.
    Query,
    /// It writes.
    Mutation,
    /// It stays.
    Subscription,
}

/// A root field before it is bound to a request.
#[derive(Debug, Clone)]
pub enum CompiledRoot {
    /// It reads the database.
    Query(Arc<Query>),
    /// It is answered from the row of another root field's statement, by that field's place.
    Shared(usize, Arc<Answer>),
    /// It reads the database again and again.
    Live(Arc<LivePlan>),
    /// It writes to the database.
    Mutation(Arc<MutationPlan>),
    /// An action.
    Action(Arc<ActionPlan>),
    /// A remote schema.
    Remote(Arc<RemotePlan>),
    /// A fixed answer, as JSON text.
    Constant(Arc<str>),
}

impl CompiledRoot {
    /// Whether it calls an action; an asynchronous one's result was made before.
    fn calls(&self) -> bool {
        matches!(self, Self::Action(plan) if !plan.result)
    }
}

/// An operation that is ready to run.
#[derive(Debug)]
pub enum Planned {
    /// Root fields of a query.
    Query(Vec<Root>),
    /// Root fields of a mutation; those of the database run in one transaction.
    Mutation(Vec<Root>),
    /// A subscription's one root field.
    Subscription(Root),
}

/// A root field that is ready to run.
#[derive(Debug, Clone)]
pub struct Root {
    /// The name in the answer.
    pub key: String,
    /// What it does.
    pub field: CompiledRoot,
    /// The values of its statement, where it has one.
    pub values: Values,
    /// The request's variables, where values are bound while it runs.
    pub variables: Arc<Map<String, Value>>,
    /// What is joined to the operation's answer from elsewhere.
    pub joins: Option<Joins>,
}

impl Planned {
    /// How many actions it calls.
    pub fn actions(&self) -> usize {
        match self {
            Self::Query(roots) | Self::Mutation(roots) => roots.iter().filter(|root| root.field.calls()).count(),
            Self::Subscription(_) => 0,
        }
    }

    /// What is joined to the answer from elsewhere.
    pub fn joins(&self) -> Option<&Joins> {
        match self {
            Self::Query(roots) | Self::Mutation(roots) => roots.first()?.joins.as_ref(),
            Self::Subscription(root) => root.joins.as_ref(),
        }
    }
}
