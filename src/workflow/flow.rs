//! What a flow is: a name, a version, and steps as declared pairs of forward and undo.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::journal::{Fenced, Journal};
use crate::db::operations::Operation;
use crate::db::steps::Tried;
use crate::domain::{Code, Error, Result};

/// What one try of a step came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// The step's effect is there. The value is kept in the journal: never a secret.
    Done(Value),
    /// The world is not there yet: ask again after `poll`. No task is held meanwhile.
    Wait {
        /// What is waited for, for people: `mysql: 0/1 ready, 12 s`.
        detail: String,
        /// When to look again.
        poll: Duration,
    },
    /// The step was left out, and the flow goes on without it.
    Skipped {
        /// Why, for people.
        detail: String,
    },
    /// The step waits for a signal: no task and no poll is held until one comes, the operation's end is asked for, or
    /// `wake` has passed. The step is then called again, and looks for itself. The time counts from the park, survives
    /// restarts, and is not held against the step's deadline.
    Park {
        /// What is waited for, for people: `waits for promotion`.
        detail: String,
        /// When to look again without a signal.
        wake: Option<Duration>,
    },
}

impl Progress {
    /// Done, with nothing to keep.
    pub fn done() -> Self {
        Self::Done(Value::Null)
    }
}

/// How long and how often a step may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest time for one try.
    pub timeout: Duration,
    /// The longest time from the first try to the end, waits and back-off included. Waits for a signal are not, nor are
    /// outages of what the step needs, each of which may last as long once more.
    pub deadline: Duration,
    /// How many tries in a row may end in a fault that may pass.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), deadline: Duration::from_secs(15 * 60), attempts: 8 }
    }
}

/// A step's work. It may be called again after a crash at any point of it.
pub(super) type Act = Arc<dyn Fn(StepContext) -> BoxFuture<'static, Result<Progress>> + Send + Sync>;

/// One step of a flow.
#[derive(Clone)]
pub struct Step {
    pub(super) name: &'static str,
    pub(super) title: String,
    pub(super) limits: Limits,
    /// The longest outage of what it needs that is waited out.
    pub(super) patience: Duration,
    pub(super) forward: Act,
    pub(super) undo: Option<Act>,
}

impl Step {
    /// A step with a stable name, a title for people, what it needs, and its work.
    pub fn new<D, F, R>(name: &'static str, title: impl Into<String>, needs: &Arc<D>, forward: F) -> Self
    where
        D: Send + Sync + 'static,
        F: Fn(Arc<D>, StepContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Progress>> + Send + 'static,
    {
        let limits = Limits::default();
        let (title, patience) = (title.into(), limits.deadline);
        Self { name, title, limits, patience, forward: act(needs, forward), undo: None }
    }

    /// The same step with the work that removes its effect. It finds nothing to remove when there was none.
    pub fn undo<D, F, R>(mut self, needs: &Arc<D>, undo: F) -> Self
    where
        D: Send + Sync + 'static,
        F: Fn(Arc<D>, StepContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Progress>> + Send + 'static,
    {
        self.undo = Some(act(needs, undo));
        self
    }

    /// The same step with other limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.patience = limits.deadline;
        self
    }

    /// The same step with another longest time from its first try to its end. An outage of what it needs is waited out for
    /// no less long than before: how soon something ought to be ready says nothing about that.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.limits.deadline = deadline;
        self.patience = self.patience.max(deadline);
        self
    }

    /// The same step with another longest time for one try.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// The step's name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("name", &self.name).field("undo", &self.undo.is_some()).finish_non_exhaustive()
    }
}

fn act<D, F, R>(needs: &Arc<D>, work: F) -> Act
where
    D: Send + Sync + 'static,
    F: Fn(Arc<D>, StepContext) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Progress>> + Send + 'static,
{
    let needs = Arc::clone(needs);
    Arc::new(move |context| Box::pin(work(Arc::clone(&needs), context)))
}

/// What a flow's observer is told, in the transaction that records it.
#[derive(Debug, Clone, Copy)]
pub enum Transition<'a> {
    /// A step has been done.
    StepDone {
        name: &'static str,
        title: &'a str,
        /// Why it was left out, if it was.
        left_out: Option<&'a str>,
    },
    /// Every step has been done.
    Succeeded,
    /// A step failed for good, or an undo did.
    Failed {
        /// The step's name.
        step: &'static str,
        /// Whether it was being undone.
        undo: bool,
        /// Why.
        error: &'a Error,
    },
    /// The operation was ended on request, and its effects are undone.
    Cancelled,
    /// The end of the open operation was asked for; it comes between two of its steps.
    CancelRequested,
    /// The failed operation was queued again. An observer that answers an error refuses that.
    Resumed {
        /// Whether it goes on being taken back.
        undo: bool,
    },
    /// A newer operation of the same lane took the place of this one before it began.
    Superseded {
        /// The newer one.
        by: Uuid,
    },
}

/// Writes a flow's domain rows in the very transaction that records a transition, so that both or neither happen.
pub type Observer =
    Arc<dyn for<'c> Fn(&'c mut PgConnection, &'c Operation, Transition<'c>) -> BoxFuture<'c, Result<()>> + Send + Sync>;

/// A flow: the steps of one kind of operation, in one version.
///
/// A run is pinned to the version under which it was enqueued. To change the steps of a flow, register a second
/// version beside the first until no open operation needs the first any more.
#[derive(Clone)]
pub struct Flow {
    pub(super) kind: &'static str,
    pub(super) version: i32,
    pub(super) steps: Vec<Step>,
    pub(super) cancellable: bool,
    pub(super) observer: Observer,
}

impl Flow {
    /// A flow of a kind and a version, with its steps in order.
    pub fn new(kind: &'static str, version: i32, steps: Vec<Step>) -> Self {
        let observer: Observer = Arc::new(|_, _, _| Box::pin(async { Ok(()) }));
        Self { kind, version, steps, cancellable: true, observer }
    }

    /// The same flow, telling `observer` of its transitions.
    pub fn observed_by(mut self, observer: Observer) -> Self {
        self.observer = observer;
        self
    }

    /// The same flow, which goes on to its end once begun.
    pub fn not_cancellable(mut self) -> Self {
        self.cancellable = false;
        self
    }

    /// The kind of operation that it carries out.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The names of its steps, in order.
    pub fn step_names(&self) -> Vec<&'static str> {
        self.steps.iter().map(|step| step.name).collect()
    }

    /// Whether an operation of this flow can be ended on request.
    pub fn cancellable(&self) -> bool {
        self.cancellable
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("kind", &self.kind)
            .field("version", &self.version)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

/// The flows that this process knows, each in every version that an open operation may need.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    flows: HashMap<(String, i32), Arc<Flow>>,
}

impl Registry {
    /// A registry of flows. The newest version of a kind is the one that new operations get.
    pub fn new(flows: impl IntoIterator<Item = Flow>) -> Self {
        let flows = flows.into_iter().map(|flow| ((flow.kind.to_owned(), flow.version), Arc::new(flow)));
        Self { flows: flows.collect() }
    }

    /// The flow of a kind in one version.
    pub fn get(&self, kind: &str, version: i32) -> Option<&Arc<Flow>> {
        self.flows.get(&(kind.to_owned(), version))
    }

    /// The newest version of a flow.
    pub fn newest(&self, kind: &str) -> Option<&Arc<Flow>> {
        self.flows.values().filter(|flow| flow.kind == kind).max_by_key(|flow| flow.version)
    }

    /// The newest version of each flow, by kind.
    pub fn newest_of_each(&self) -> Vec<&Arc<Flow>> {
        let mut newest: Vec<_> = self.flows.values().collect();
        newest.sort_by_key(|flow| (flow.kind, std::cmp::Reverse(flow.version)));
        newest.dedup_by_key(|flow| flow.kind);
        newest
    }

    /// Every kind with its version, as the claim names them.
    pub fn known(&self) -> Vec<(String, i32)> {
        let mut known: Vec<_> = self.flows.keys().cloned().collect();
        known.sort();
        known
    }
}

/// What a step sees of its operation.
#[derive(Clone)]
pub struct StepContext {
    pub(super) operation: Arc<Operation>,
    pub(super) results: Arc<HashMap<String, Value>>,
    pub(super) journal: Journal,
    pub(super) ordinal: i32,
    pub(super) step: &'static str,
    pub(super) tried: Tried,
    pub(super) began: std::time::Instant,
}

impl StepContext {
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The operation's input.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(self.operation.input.clone())
            .map_err(|source| Error::internal("read an operation's input", source))
    }

    /// What an earlier step kept in the journal.
    pub fn result<T: DeserializeOwned>(&self, step: &str) -> Result<T> {
        let value = self.results.get(step).cloned().unwrap_or(Value::Null);
        serde_json::from_value(value).map_err(|source| Error::internal("read an earlier step's result", source))
    }

    /// What a signal of this name told the operation, if one came: see [`super::signal`]. A step that finds none parks.
    pub async fn signal<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(payload) = self.journal.signal(name).await? else { return Ok(None) };
        serde_json::from_value(payload).map(Some).map_err(|source| {
            Error::new(Code::InvalidInput, format!("the signal {name} is not understood")).caused_by(source)
        })
    }

    /// The name of the step that this is.
    pub fn step(&self) -> &'static str {
        self.step
    }

    /// The number of this try since the world last answered, from 1.
    pub fn attempt(&self) -> u32 {
        self.tried.attempt.max(1)
    }

    /// How long ago the step first began, waits included, by the database's clock. The time in which what it needs was away
    /// is not counted.
    pub fn elapsed(&self) -> Duration {
        self.tried.elapsed + self.began.elapsed()
    }

    /// How much of its deadline the step has had: waits for a signal are not counted.
    pub(super) fn spent(&self) -> Duration {
        self.elapsed().saturating_sub(self.tried.parked)
    }

    /// How long what the step needs has been away, if it was at the last try.
    pub(super) fn outage(&self) -> Duration {
        self.tried.outage.map_or(Duration::ZERO, |lasted| lasted + self.began.elapsed())
    }

    /// Tells people what the step is doing. Fails when the lease was lost: the step must then stop.
    pub async fn report(&self, detail: &str) -> Result<()> {
        self.journal.detail(self.ordinal, detail).await
    }

    /// A transaction that holds only while this worker holds the lease.
    pub async fn transaction(&self) -> Result<Fenced> {
        self.journal.open().await
    }
}

impl fmt::Debug for StepContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepContext")
            .field("operation", &self.operation.id)
            .field("ordinal", &self.ordinal)
            .field("tried", &self.tried)
            .finish_non_exhaustive()
    }
}
